package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/raket/raket/pkg/boundedfile"
	"github.com/raket/raket/pkg/cgroup"
	"github.com/raket/raket/pkg/sd"
	"github.com/raket/raket/stage1/unitgen"
)

// What the host's systemd tells a service (sd_notify(3), sd_watchdog_enabled(3)).
const (
	envNotify       = "NOTIFY_SOCKET"
	envWatchdog     = "WATCHDOG_USEC"
	envWatchdogUser = "WATCHDOG_PID"
)

// forwardFile, in the pod's directory, is the plan of planForward, for those who change apps
// of the running pod.
const forwardFile = "forward.json"

// askHost is how long the host's systemd has to say what it takes.
const askHost = 2 * time.Second

// planForward decides what of the apps' words reaches the host
// (docs/adr/0023-what-reaches-the-host.md).
func (p *pod) planForward() error {
	to := os.Getenv(envNotify)
	if to == "" || p.sandbox.Interactive {
		return nil
	}
	w := &unitgen.Forward{}
	watched := false
	for i, a := range p.sandbox.Apps {
		speaks, err := unitgen.Speaks(p.specs[i])
		if err != nil {
			return fmt.Errorf("app %s: %w", a.Name, err)
		}
		if speaks {
			w.Apps = append(w.Apps, a.Name)
			has, err := unitgen.Watched(p.specs[i])
			if err != nil {
				return fmt.Errorf("app %s: %w", a.Name, err)
			}
			watched = watched || has
		}
	}
	if len(w.Apps) == 0 {
		return nil
	}
	// A name that is no path is of the host's network namespace.
	w.Direct = filepath.IsAbs(to) && hostTakesAll()
	if w.Direct && watched {
		w.Watchdog = takeWatchdog()
	}
	p.forward = w
	text, err := json.Marshal(w)
	if err != nil {
		return err
	}
	return os.WriteFile(forwardFile, text, 0o600)
}

// hostTakesAll reports whether the host's systemd takes notifications of all processes of
// the unit that this one is in. One that cannot be asked does not.
func hostTakesAll() bool {
	unit, err := cgroup.Unit()
	if err != nil {
		return false
	}
	ctx, done := context.WithTimeout(context.Background(), askHost)
	defer done()
	access, err := sd.NotifyAccess(ctx, unit)
	return err == nil && access == "all"
}

// takeWatchdog is the watchdog of the host's unit, which systemd-nspawn would feed as long as
// it lives; 0 for none.
func takeWatchdog() time.Duration {
	us, err := strconv.ParseInt(os.Getenv(envWatchdog), 10, 64)
	who := os.Getenv(envWatchdogUser)
	if err != nil || us <= 0 || us > int64(time.Duration(1<<62)/time.Microsecond) || who != "" && who != strconv.Itoa(os.Getpid()) {
		return 0
	}
	for _, name := range [...]string{envWatchdog, envWatchdogUser} {
		_ = os.Unsetenv(name) // fails for no name that there is
	}
	return time.Duration(us) * time.Microsecond
}

// mountForward makes the directory in the pod's root that leads to the host's systemd, where
// no app sees it.
func (p *pod) mountForward() error {
	if p.forward == nil {
		return nil
	}
	dir := filepath.Join(rootDir, unitgen.ForwardPath)
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	host := filepath.Join(rootDir, unitgen.ForwardHostPath)
	if p.forward.Direct {
		if err := os.WriteFile(host, nil, 0o600); err != nil {
			return err
		}
	}
	if err := p.ownTree(dir); err != nil {
		return err
	}
	if !p.forward.Direct {
		return nil
	}
	return bind{os.Getenv(envNotify), unitgen.ForwardHostPath, false}.mount()
}

// loadForward is for a pod that runs.
func (p *pod) loadForward() error {
	text, err := boundedfile.Read(forwardFile, 1<<20)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = json.Unmarshal(text, &p.forward)
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", forwardFile, err)
	}
	return nil
}
