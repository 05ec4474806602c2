package main

import (
	"fmt"
	"reflect"
	"runtime"

	"github.com/raket/raket/pkg/appspec"
	"github.com/raket/raket/pkg/seccomp"
	"github.com/raket/raket/stage1/unitgen"
)

// filters are the apps' system call filters, compiled for exec, by their paths in the
// pod's root. Most apps of a pod have the same.
func (p *pod) filters() (map[string][]byte, error) {
	files := map[string][]byte{}
	var last *appspec.Seccomp
	var compiled []byte
	for i, a := range p.sandbox.Apps {
		if p.specs[i].Linux == nil || p.specs[i].Linux.Seccomp == nil {
			continue
		}
		if f := p.specs[i].Linux.Seccomp; !reflect.DeepEqual(f, last) {
			program, err := seccomp.Compile(f, runtime.GOARCH)
			if err != nil {
				return nil, fmt.Errorf("app %s: linux.seccomp: %w", a.Name, err)
			}
			last, compiled = f, program.Bytes()
		}
		files[unitgen.FilterPath(a.Name)] = compiled
	}
	return files, nil
}
