package stageabi

import (
	"errors"
	"fmt"
	"strings"
)

// Command is what Enter executes, and how.
type Command struct {
	UUID, App string
	Argv      []string // a program without a slash is searched for in the app's PATH
	// Privileged: root with all capabilities of the pod, rather than as the app.
	Privileged bool
	// User and Group are names or numbers; empty for the app's or, privileged, for 0.
	User, Group string
	// WorkingDir is absolute; empty for the app's, or / where that is missing.
	WorkingDir string
	Env        []string // NAME=VALUE, on top of the app's
	TTY        bool     // on a terminal of its own
	Stdin      bool     // the caller's standard input; else none
}

// Args is the command as Enter's arguments.
func (c Command) Args() []string {
	var args []string
	for name, set := range map[string]bool{"--privileged": c.Privileged, "--tty": c.TTY, "--stdin": c.Stdin} {
		if set {
			args = append(args, name)
		}
	}
	for name, value := range map[string]string{"--user=": c.User, "--group=": c.Group, "--working-dir=": c.WorkingDir} {
		if value != "" {
			args = append(args, name+value)
		}
	}
	for _, e := range c.Env {
		args = append(args, "--env="+e)
	}
	return append(append(args, c.UUID, c.App), c.Argv...)
}

// ParseCommand reads Enter's arguments.
func ParseCommand(args []string) (Command, error) {
	var c Command
	for len(args) > 0 && strings.HasPrefix(args[0], "-") {
		name, value, has := strings.Cut(args[0], "=")
		args = args[1:]
		var text *string
		switch name {
		case "--privileged":
			c.Privileged = true
		case "--tty":
			c.TTY = true
		case "--stdin":
			c.Stdin = true
		case "--user":
			text = &c.User
		case "--group":
			text = &c.Group
		case "--working-dir":
			text = &c.WorkingDir
		case "--env":
			if n, _, ok := strings.Cut(value, "="); !ok || n == "" {
				return c, fmt.Errorf("enter: --env: want NAME=VALUE, have %q", value)
			}
			c.Env = append(c.Env, value)
			continue
		default:
			return c, fmt.Errorf("enter: unknown option %q", name)
		}
		if has != (text != nil) {
			return c, fmt.Errorf("enter: option %q with a wrong value", name)
		}
		if text != nil {
			*text = value
		}
	}
	if len(args) < 3 || args[2] == "" {
		return c, errors.New("enter: want UUID, APP and a command")
	}
	c.UUID, c.App, c.Argv = args[0], args[1], args[2:]
	return c, nil
}
