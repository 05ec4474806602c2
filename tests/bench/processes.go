package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// isIdleApp tells an app from the processes that a launcher adds.
func isIdleApp(cmdline []byte) bool {
	args := bytes.Split(bytes.TrimRight(cmdline, "\x00"), []byte{0})
	want := idleCommand()
	return len(args) == len(want) && filepath.Base(string(args[0])) == filepath.Base(want[0]) && string(args[1]) == want[1]
}

// census splits the processes of a run into apps and helpers. A process that ends meanwhile is in neither.
func census(g *group) (apps, helpers []int, err error) {
	pids, err := g.pids()
	if err != nil {
		return nil, nil, err
	}
	for _, pid := range pids {
		cmdline, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		switch {
		case err != nil || len(cmdline) == 0: // gone, or a zombie
		case isIdleApp(cmdline):
			apps = append(apps, pid)
		default:
			helpers = append(helpers, pid)
		}
	}
	return apps, helpers, nil
}

// wantIdle checks that a pod that says it is ready has its apps. A start type that does not wait for the exec gets two
// seconds, for which nothing is charged.
func wantIdle(g *group, want int) error {
	deadline := time.Now().Add(2 * time.Second)
	for {
		apps, _, err := census(g)
		if err != nil || len(apps) == want {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("the pod is ready with %d of %d apps", len(apps), want)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// settle waits until the same helpers are there for a while: podman's last start-up processes end a little after it returns.
func settle(ctx context.Context, g *group) (helpers []int, err error) {
	var last string
	for same := 0; same < 10; {
		if _, helpers, err = census(g); err != nil {
			return nil, err
		}
		if now := fmt.Sprint(helpers); now == last {
			same++
		} else {
			last, same = now, 0
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return nil, err
		}
	}
	return helpers, nil
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// waitSleeping returns when a process waits for something: state S of /proc/PID/stat (proc(5)).
func waitSleeping(pid int) error {
	for range 2000 {
		data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			return err
		}
		if _, rest, ok := strings.Cut(string(data), ") "); ok && strings.HasPrefix(rest, "S") {
			return nil
		}
		time.Sleep(time.Millisecond)
	}
	return fmt.Errorf("process %d does not come to rest", pid)
}

// pssKiB sums the proportional set sizes of processes (smaps_rollup, proc(5)).
func pssKiB(pids []int) (int64, error) {
	var sum int64
	for _, pid := range pids {
		data, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
		if err != nil {
			return 0, err
		}
		n, err := statusField(data, "Pss:")
		if err != nil {
			return 0, fmt.Errorf("read smaps_rollup of %d: %w", pid, err)
		}
		sum += n
	}
	return sum, nil
}

// wakeUps counts how often the threads of processes gave up the processor by themselves: each is one wake-up before it.
func wakeUps(pids []int) (int64, error) {
	var sum int64
	for _, pid := range pids {
		paths, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
		if err != nil {
			return 0, err
		}
		for _, path := range paths {
			data, err := os.ReadFile(path)
			if err != nil {
				continue // a thread that ended
			}
			n, err := statusField(data, "voluntary_ctxt_switches:")
			if err != nil {
				return 0, fmt.Errorf("read %s: %w", path, err)
			}
			sum += n
		}
	}
	return sum, nil
}

// statusField finds "NAME: number" in a file of /proc.
func statusField(data []byte, name string) (int64, error) {
	for line := range strings.Lines(string(data)) {
		fields := strings.Fields(line)
		if len(fields) >= 2 && fields[0] == name {
			return strconv.ParseInt(fields[1], 10, 64)
		}
	}
	return 0, fmt.Errorf("no field %q", name)
}
