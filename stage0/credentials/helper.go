package credentials

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

const (
	helperPrefix    = "docker-credential-"
	maxHelperName   = 64
	maxHelperOutput = 64 << 10
	// dockerHubKey is what Docker itself files its registry under.
	dockerHubKey = "https://index.docker.io/v1/"
	// identityUser is the user of a secret that is a refresh token.
	identityUser = "<token>"
	notFound     = "credentials not found"
)

// HelperError is a credential helper that is missing or fails.
type HelperError struct {
	// Program is docker-credential-NAME.
	Program string
	// For is what it was asked for.
	For string
	Err error
}

func (e *HelperError) Error() string {
	return fmt.Sprintf("ask %s for %q: %v", e.Program, e.For, e.Err)
}

func (e *HelperError) Unwrap() error { return e.Err }

// Hint says how to see what is wrong: what a helper prints may be secret, and is
// not shown.
func (e *HelperError) Hint() string {
	if errors.Is(e.Err, exec.ErrNotFound) {
		return "install " + e.Program + ", or name a file of credentials by REGISTRY_AUTH_FILE"
	}
	return fmt.Sprintf("try it: echo %s | %s get", e.For, e.Program)
}

// ask asks a helper for a registry, or for a registry and a path. The zero
// Credential is that it has none.
func (f *Finder) ask(ctx context.Context, name, key string) (Credential, error) {
	if !isHelperName(name) {
		return Credential{}, fmt.Errorf("%q is not a credential helper's name", name)
	}
	keys := []string{key}
	if key == dockerHub {
		keys = []string{dockerHubKey, dockerHub}
	}
	for _, key := range keys {
		c, err := f.run(ctx, helperPrefix+name, key)
		if err != nil {
			return Credential{}, &HelperError{helperPrefix + name, key, err}
		}
		if c != (Credential{}) {
			return c, nil
		}
	}
	return Credential{}, nil
}

// isHelperName knows what is a part of a program's name and no more.
func isHelperName(s string) bool {
	return s != "" && len(s) <= maxHelperName && s[0] != '-' && s[0] != '.' &&
		strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") == ""
}

// run executes a helper. Its errors hold nothing that it printed.
func (f *Finder) run(ctx context.Context, program, key string) (Credential, error) {
	ctx, cancel := context.WithTimeout(ctx, f.o.HelperTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, "get")
	cmd.Stdin = strings.NewReader(key)
	out := &limited{left: maxHelperOutput, end: cancel}
	cmd.Stdout = out
	// It ends with all that it started. What has left its group may hold the
	// pipe open still.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	if errors.Is(err, exec.ErrWaitDelay) {
		err = nil // a child of its lives on, but it has ended well
	}
	switch {
	case out.over:
		return Credential{}, fmt.Errorf("it printed more than %d KiB", maxHelperOutput>>10)
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return Credential{}, fmt.Errorf("it took longer than %v", f.o.HelperTimeout)
	case ctx.Err() != nil:
		return Credential{}, ctx.Err()
	case errors.Is(err, exec.ErrNotFound):
		return Credential{}, exec.ErrNotFound
	case err != nil && bytes.HasPrefix(out.text, []byte(notFound)):
		return Credential{}, nil
	case err != nil:
		return Credential{}, err
	}
	return parseAnswer(out.text, program)
}

// parseAnswer reads what a helper printed.
func parseAnswer(raw []byte, program string) (Credential, error) {
	var answer struct {
		Username string `json:"Username"`
		Secret   string `json:"Secret"`
	}
	if err := json.Unmarshal(raw, &answer); err != nil {
		return Credential{}, errors.New("its answer is not the JSON object that a helper prints")
	}
	if answer.Secret == "" {
		return Credential{}, nil
	}
	c := Credential{Username: answer.Username, Password: answer.Secret, Source: program}
	if answer.Username == identityUser {
		c = Credential{IdentityToken: answer.Secret, Source: program}
	}
	if err := c.check(); err != nil {
		return Credential{}, err
	}
	return c, nil
}

// limited keeps a bounded output, and ends the program that prints more.
type limited struct {
	text []byte
	left int
	over bool
	end  func()
}

func (l *limited) Write(p []byte) (int, error) {
	if len(p) > l.left {
		l.over = true
		l.end()
		return 0, errors.New("too much output")
	}
	l.left -= len(p)
	l.text = append(l.text, p...)
	return len(p), nil
}
