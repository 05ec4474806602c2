package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/raket/raket/pkg/approot"
	"github.com/raket/raket/stage1/unitgen"
)

// mostStarts is how many main processes of an app may end while they become the app, one
// after the other, before a command gives up.
const mostStarts = 100

// findApp finds the app's main process, if it has one, once that is the app: before, it is in
// the pod's root, with more rights than the app has. It stays open.
func (e *entry) findApp() error {
	root := e.pod.dir + "/root"
	starters := approot.Starters{Root: root, Programs: []string{
		root + unitgen.ExecPath, e.pod.dir + "/exe", // the pod's systemd
		root + "/usr/lib/systemd/systemd-executor", root + "/lib/systemd/systemd-executor", // its child, since systemd 255
	}}
	for range mostStarts {
		main, err := e.mainPID()
		if main == 0 || err != nil {
			return err
		}
		p, err := approot.OpenProcess(root + "/proc/" + strconv.Itoa(main))
		if err == nil {
			if err = p.AwaitApp(context.Background(), e.App, starters); err == nil {
				e.app = place{dir: p.Dir(), pid: main, held: p}
				return nil
			}
			err = errors.Join(err, p.Close())
		}
		if !errors.Is(err, approot.ErrGone) {
			return err
		}
	}
	return fmt.Errorf("app %s ends as often as it is started: no command can join it", e.App)
}
