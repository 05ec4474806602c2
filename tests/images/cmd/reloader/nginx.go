package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// reload writes the configuration and sends nginx's master a HUP. It returns the master's PID.
func reload(o options, text string) (int, error) {
	pid, err := findMaster(o.pidfile)
	if err != nil {
		return 0, err
	}
	if err := writeConf(o, text); err != nil {
		return 0, err
	}
	if err := syscall.Kill(pid, syscall.SIGHUP); err != nil {
		return 0, fmt.Errorf("send HUP to %d: %w", pid, err)
	}
	return pid, nil
}

// writeConf replaces the configuration in one step: nginx never reads half of it.
func writeConf(o options, text string) error {
	conf := fmt.Sprintf("server {\n    listen %d default_server;\n    location / {\n        default_type text/plain;\n        return 200 %s;\n    }\n}\n", o.port, quote(text+"\n"))
	tmp := o.conf + ".new"
	if err := os.WriteFile(tmp, []byte(conf), 0o644); err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	if err := os.Rename(tmp, o.conf); err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	return nil
}

// quote writes s as nginx's double-quoted string. A dollar sign would name a variable and
// cannot be escaped, so it is left out.
func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "$", "").Replace(s) + `"`
}

// awaitMaster looks for nginx's master for a while, and returns its PID or 0.
func awaitMaster(ctx context.Context, pidfile string) int {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	for {
		if pid, err := findMaster(pidfile); err == nil {
			return pid
		}
		select {
		case <-ctx.Done():
			return 0
		case <-time.After(20 * time.Millisecond):
		}
	}
}

var errNoMaster = errors.New("nginx's master process is not in sight")

func findMaster(pidfile string) (int, error) {
	if pidfile != "" {
		b, err := os.ReadFile(pidfile)
		if err != nil {
			return 0, fmt.Errorf("find nginx: %w", err)
		}
		pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
		if err != nil || pid <= 1 {
			return 0, fmt.Errorf("find nginx: no PID in %s", pidfile)
		}
		return pid, nil
	}
	titles, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		return 0, err
	}
	masters := map[int]bool{}
	for _, path := range titles {
		title, err := os.ReadFile(path)
		if err != nil || !bytes.HasPrefix(title, []byte("nginx: master process")) {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path))); err == nil {
			masters[pid] = true
		}
	}
	for pid := range masters {
		// A worker has its master's title until it gives itself its own.
		if !masters[parent(pid)] {
			return pid, nil
		}
	}
	return 0, errNoMaster
}

// parent is the PID of a process's parent (proc_pid_stat(5)), 0 if it is gone.
func parent(pid int) int {
	stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return 0
	}
	// After the name, which may hold anything: state and parent.
	_, rest, _ := strings.Cut(string(stat[bytes.LastIndexByte(stat, ')')+1:]), " ")
	fields := strings.Fields(rest)
	if len(fields) < 2 {
		return 0
	}
	ppid, _ := strconv.Atoi(fields[1])
	return ppid
}
