package main

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"

	"github.com/raket/raket/pkg/appspec"
	"github.com/raket/raket/pkg/seccomp"
	"github.com/raket/raket/stage1/unitgen"
)

// writeFilters compiles the apps' system call filters for exec. Most apps of a pod
// have the same.
func (p *pod) writeFilters() error {
	if err := os.Mkdir(filepath.Join(rootDir, unitgen.FiltersPath), 0o755); err != nil {
		return err
	}
	var last *appspec.Seccomp
	var compiled []byte
	for i, a := range p.sandbox.Apps {
		if p.specs[i].Linux == nil || p.specs[i].Linux.Seccomp == nil {
			continue
		}
		if f := p.specs[i].Linux.Seccomp; !reflect.DeepEqual(f, last) {
			program, err := seccomp.Compile(f, runtime.GOARCH)
			if err != nil {
				return fmt.Errorf("app %s: linux.seccomp: %w", a.Name, err)
			}
			last, compiled = f, program.Bytes()
		}
		if err := os.WriteFile(filepath.Join(rootDir, unitgen.FilterPath(a.Name)), compiled, 0o644); err != nil {
			return err
		}
	}
	return nil
}
