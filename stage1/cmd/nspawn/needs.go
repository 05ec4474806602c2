package main

import (
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/raket/raket/pkg/appspec"
)

// newer are what apps may ask of the pod's systemd that not every one has: the version
// that brought it (systemd's NEWS).
func newer(p appspec.Property) int {
	switch {
	case p.Name == "Type" && p.Value == "notify-reload", p.Name == "ReloadSignal":
		return 253
	case p.Name == "RestartSteps", p.Name == "RestartMaxDelaySec", p.Name == "RestartMode":
		return 254
	}
	return 0
}

// checkSystemd refuses what the installed systemd would pass over without a word: newer
// directives, and times of the calendar that are none.
func (p *pod) checkSystemd() error {
	for i, a := range p.sandbox.Apps {
		props, err := appspec.Properties(p.specs[i])
		if err != nil {
			return err
		}
		for _, prop := range props {
			need := newer(prop)
			if need == 0 {
				continue
			}
			have, err := systemdVersion()
			if err != nil {
				return err
			}
			if have < need {
				return fmt.Errorf("app %s: %s=%s needs systemd %d, and this host has %d", a.Name, prop.Name, prop.Value, need, have)
			}
		}
		l, err := appspec.LifeOf(p.specs[i])
		if err != nil {
			return err
		}
		for _, t := range l.Timer {
			if t.Name != "OnCalendar" {
				continue
			}
			if err := checkCalendar(strings.ReplaceAll(t.Value, "%%", "%")); err != nil {
				return fmt.Errorf("app %s: %w", a.Name, err)
			}
		}
	}
	return nil
}

// systemdVersion asks the systemd that will be the pod's.
func systemdVersion() (int, error) {
	out, err := exec.Command(findInit(), "--version").Output()
	if err != nil {
		return 0, fmt.Errorf("ask systemd for its version: %w", err)
	}
	return parseVersion(string(out))
}

// parseVersion reads "systemd 252 (252.39-1~deb12u1)" and what follows.
func parseVersion(text string) (int, error) {
	line, _, _ := strings.Cut(text, "\n")
	if f := strings.Fields(line); len(f) >= 2 && f[0] == "systemd" {
		digits := f[1]
		if i := strings.IndexFunc(digits, func(r rune) bool { return r < '0' || r > '9' }); i >= 0 {
			digits = digits[:i] // 258~rc1
		}
		if n, err := strconv.Atoi(digits); err == nil {
			return n, nil
		}
	}
	return 0, fmt.Errorf("systemd's version: cannot read %q", line)
}

// checkCalendar has systemd read an expression. Where its analyzer is not installed
// the pod's systemd is who finds out.
func checkCalendar(expression string) error {
	path, err := exec.LookPath("systemd-analyze")
	if err != nil {
		return nil
	}
	out, err := exec.Command(path, "calendar", "--", expression).CombinedOutput()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		line, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
		return fmt.Errorf("--on-calendar=%q: %s: %s", expression, filepath.Base(path), line)
	}
	return err
}
