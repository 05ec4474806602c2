package main

import (
	"errors"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// copyLimits gives a thread, 0 for this one, what a process has that its children inherit
// and namespaces do not hold.
func copyLimits(pid, to int) error {
	text, err := readFile(procPath(pid, "limits"))
	if err != nil {
		return err
	}
	limits, err := parseLimits(string(text))
	if err != nil {
		return err
	}
	for resource, want := range limits {
		var own unix.Rlimit
		if err := unix.Prlimit(to, resource, nil, &own); err != nil {
			return err
		}
		if own == want {
			continue // setting it may need a right that there is no need for
		}
		if err := unix.Prlimit(to, resource, &want, nil); err != nil {
			return wrap("resource "+strconv.Itoa(resource), err)
		}
	}
	adj, err := readFile(procPath(pid, "oom_score_adj"))
	if err == nil {
		self := "/proc/thread-self/oom_score_adj"
		if to != 0 {
			self = procPath(to, "oom_score_adj")
		}
		err = writeFile(self, adj)
	}
	if err != nil {
		return err
	}
	var cpus unix.CPUSet
	if err := unix.SchedGetaffinity(pid, &cpus); err != nil {
		return err
	}
	if err := unix.SchedSetaffinity(to, &cpus); err != nil {
		return err
	}
	nice, err := unix.Getpriority(unix.PRIO_PROCESS, pid)
	if err != nil {
		return err
	}
	return unix.Setpriority(unix.PRIO_PROCESS, to, 20-nice)
}

// parseLimits reads the file "limits" of a process (proc_pid_limits(5)): below a
// heading a line a resource, in the order of their numbers, in columns of fixed width.
// prlimit(2) would want rights over the process.
func parseLimits(text string) ([]unix.Rlimit, error) {
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	var limits []unix.Rlimit
	for _, line := range lines[1:] {
		const soft, hard, end = 26, 47, 67
		if len(line) < end {
			return nil, errors.New("a line of limits is too short: " + strconv.Quote(line))
		}
		s, err1 := parseLimit(line[soft:hard])
		h, err2 := parseLimit(line[hard:end])
		if err1 != nil || err2 != nil {
			return nil, errors.New("not a limit: " + strconv.Quote(line))
		}
		limits = append(limits, unix.Rlimit{Cur: s, Max: h})
	}
	return limits, nil
}

func parseLimit(text string) (uint64, error) {
	text = strings.TrimSpace(text)
	if text == "unlimited" {
		return unix.RLIM_INFINITY, nil
	}
	return strconv.ParseUint(text, 10, 64)
}
