package main

import (
	"os"
	"path/filepath"

	"github.com/raket/raket/stage1/unitgen"
)

// writeEnvironment writes what of the apps' environments no unit can hold, for the app's user
// alone to read.
func (p *pod) writeEnvironment() error {
	for i, a := range p.sandbox.Apps {
		env := unitgen.Environment(p.specs[i])
		if len(env) == 0 {
			continue
		}
		path := filepath.Join(rootDir, unitgen.EnvironmentFile(a.Name))
		if err := os.MkdirAll(filepath.Dir(path), 0o711); err != nil {
			return err
		}
		if err := os.WriteFile(path, env, 0o400); err != nil {
			return err
		}
		uid, gid := p.owner(a.Name)
		if err := os.Chown(path, uid, gid); err != nil {
			return err
		}
	}
	return nil
}
