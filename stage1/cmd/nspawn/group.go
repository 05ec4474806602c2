package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/raket/raket/pkg/cgroup"
	"github.com/raket/raket/pkg/sd"
)

// groupsFile, in the pod's directory, lists the control groups to remove with
// the pod, one absolute directory a line.
const groupsFile = "cgroups"

// scopePatience is how long the host's systemd may take to make a scope.
const scopePatience = 20 * time.Second

// enterGroup gives the pod a control group of its own, unless whoever started
// it has done so: a service's process is alone in its group.
func (p *pod) enterGroup() error {
	g, err := cgroup.Current()
	if err != nil {
		return err
	}
	if g.Alone() {
		return nil
	}
	name := "rkt-" + p.sandbox.UUID
	if sd.Booted() {
		ctx, cancel := context.WithTimeout(context.Background(), scopePatience)
		defer cancel()
		return sd.EnterScope(ctx, name+".scope", "raket pod "+p.sandbox.UUID)
	}
	made, err := g.Enter(name)
	if werr := os.WriteFile(groupsFile, []byte(strings.Join(made, "\n")+"\n"), 0o644); err == nil {
		err = werr
	}
	return err
}

// collect removes what the pod left outside its directory.
func collect(args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("gc: want the pod's UUID, have %d arguments", len(args))
	}
	if err := leaveNetworks(args[0]); err != nil {
		return err
	}
	dirs, err := notedGroups()
	if err != nil {
		return err
	}
	for _, dir := range dirs {
		if !strings.HasSuffix(dir, "/rkt-"+args[0]) {
			continue
		}
		if err := cgroup.Remove(dir); err != nil {
			return fmt.Errorf("remove control group %s: %w", dir, err)
		}
	}
	return nil
}
