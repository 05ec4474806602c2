package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/raket/raket/pkg/sd"
	"github.com/raket/raket/pkg/stageabi"
	"github.com/raket/raket/stage1/unitgen"
)

// lookAgain is how often an app that starts is looked at: systemd does not tell when a program
// executes another.
const lookAgain = 2 * time.Millisecond

// executed returns when the app's program has been executed, and has run for the time it has
// to prove itself. job is how systemd's job to start it ended.
func (c *changer) executed(ctx context.Context, before sd.Service, job error) error {
	var helper unix.Stat_t
	if err := unix.Stat(unitgen.ExecPath, &helper); err != nil {
		return err
	}
	tick := time.NewTicker(lookAgain)
	defer tick.Stop()
	var settled, run time.Time
	for {
		s, err := c.service(ctx)
		if err != nil {
			return err
		}
		if s.Started.After(before.Started) {
			if c.Replace && c.Proof != unitgen.ProofStart && !run.IsZero() && !s.Started.Equal(run) {
				return fmt.Errorf("app %s does not start: it ends, and a connection starts it again", c.App)
			}
			run = s.Started
		}
		switch {
		case job == nil && !c.Replace && ranBriefly(s):
			return nil
		case s.Active == "failed", s.Sub == "auto-restart", s.Restarts > 0 && s.Started.After(before.Started):
			return c.failed(s)
		case s.Active == "inactive" && job != nil:
			return fmt.Errorf("app %s: %w", c.App, job)
		case s.Active == "inactive", s.Active == "active" && s.MainPID == 0:
			return nil // it has done its work
		case s.Active == "active" && c.isApp(s.MainPID, helper):
			if !c.Replace {
				return nil
			}
			if settled.IsZero() {
				settled = time.Now().Add(c.Settle)
			}
			if good, err := c.proven(settled); good || err != nil {
				return err
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// proven reports whether an app that has been executed has shown that it is good. One that cannot
// show it has to run until settled.
func (c *changer) proven(settled time.Time) (bool, error) {
	switch c.Proof {
	case unitgen.ProofStart:
		return true, nil // by the job that started it
	case unitgen.ProofNone:
		return !time.Now().Before(settled), nil
	}
	h, err := c.health()
	if err == nil && h.Status == "unhealthy" {
		return false, fmt.Errorf("app %s is unhealthy: %s", c.App, verdict(h))
	}
	return h.Status == "healthy", err
}

// health is what the checks of the app's health have found.
func (c *changer) health() (stageabi.AppHealth, error) {
	text, err := os.ReadFile(filepath.Join(statusPath, ".health-"+c.App))
	if errors.Is(err, fs.ErrNotExist) {
		return stageabi.AppHealth{}, nil
	}
	if err != nil {
		return stageabi.AppHealth{}, err
	}
	return stageabi.ParseAppHealth(string(text))
}

// verdict says how the last check of an app's health ended.
func verdict(h stageabi.AppHealth) string {
	if h.Code < 0 {
		return "the check took too long"
	}
	line, _, _ := strings.Cut(strings.TrimSpace(h.Output), "\n")
	text := "the check exited with status " + strconv.Itoa(h.Code)
	if line != "" {
		const most = 200
		text += fmt.Sprintf(": %q", line[:min(len(line), most)])
	}
	return text
}

// late says that an app was not good in the time that it had.
func (c *changer) late() error {
	switch h, err := c.health(); {
	case c.Proof == unitgen.ProofHealth && err == nil && !h.Checked.IsZero():
		return fmt.Errorf("app %s is not healthy after %s: %s", c.App, c.Wait, verdict(h))
	case c.Proof == unitgen.ProofHealth:
		return fmt.Errorf("app %s is not healthy after %s: it has not been checked", c.App, c.Wait)
	case c.Proof == unitgen.ProofStart:
		return fmt.Errorf("app %s is not ready after %s", c.App, c.Wait)
	}
	return fmt.Errorf("app %s has not started after %s", c.App, c.Wait)
}

// ranBriefly reports whether the app's program was executed, and has failed by itself since: no
// matter of its start.
func ranBriefly(s sd.Service) bool {
	return (s.Active == "failed" || s.Sub == "auto-restart") && s.Code != 0 && (s.Result == "signal" || s.Result == "core-dump" ||
		s.Result == "exit-code" && s.Status < helperFails)
}

// helperFails is the lowest exit status of the program that starts apps, for want of what it takes.
const helperFails = stageabi.ExitExec

// isApp reports whether a process executes something else than the helper that starts apps.
func (c *changer) isApp(pid int, helper unix.Stat_t) bool {
	var st unix.Stat_t
	err := unix.Stat("/proc/"+strconv.Itoa(pid)+"/exe", &st)
	return err == nil && (st.Dev != helper.Dev || st.Ino != helper.Ino)
}

// failed says why an app has not started. What was killed for its health has not failed by itself.
func (c *changer) failed(s sd.Service) error {
	const killed = 2
	h, err := c.health()
	if c.Replace && c.Proof == unitgen.ProofHealth && s.Code == killed && err == nil && h.Code != 0 {
		return fmt.Errorf("app %s is unhealthy: %s", c.App, verdict(h))
	}
	return fmt.Errorf("app %s does not start: it %s", c.App, fate(s))
}

// fate says how the app's last run ended.
func fate(s sd.Service) string {
	const killed, dumped = 2, 3
	switch {
	case s.Code == 0 || s.Result == "resources" || s.Result == "start-limit-hit":
		return "was not executed (" + s.Result + ")"
	case s.Code == killed, s.Code == dumped:
		name := unix.SignalName(unix.Signal(s.Status))
		if s.Result == "timeout" || s.Result == "watchdog" || s.Result == "oom-kill" {
			return "was killed by " + name + " (" + s.Result + ")"
		}
		return "was killed by " + name
	case s.Status == stageabi.ExitExec:
		return "cannot be executed (status 203)"
	case s.Status == stageabi.ExitNamespace:
		return "has no root (status 226)"
	case s.Result == "protocol":
		return "ended before it was ready"
	case s.Result == "timeout":
		return "was not ready in time"
	}
	return "exited with status " + strconv.Itoa(s.Status)
}
