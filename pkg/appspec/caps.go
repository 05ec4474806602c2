package appspec

import (
	"fmt"
	"slices"
	"strings"
)

// DefaultCapabilities returns the set of an app whose image and operator say
// nothing: the 14 of rkt and Docker, in the kernel's order.
func DefaultCapabilities() []string {
	return []string{
		"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_SETGID", "CAP_SETUID",
		"CAP_SETPCAP", "CAP_NET_BIND_SERVICE", "CAP_NET_RAW", "CAP_SYS_CHROOT", "CAP_MKNOD", "CAP_AUDIT_WRITE",
		"CAP_SETFCAP",
	}
}

// knownCapabilities are those of capabilities(7), by number, as of Linux 5.9 and
// still complete in 6.18.
func knownCapabilities() []string {
	return []string{
		"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL",
		"CAP_SETGID", "CAP_SETUID", "CAP_SETPCAP", "CAP_LINUX_IMMUTABLE", "CAP_NET_BIND_SERVICE",
		"CAP_NET_BROADCAST", "CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_IPC_LOCK", "CAP_IPC_OWNER", "CAP_SYS_MODULE",
		"CAP_SYS_RAWIO", "CAP_SYS_CHROOT", "CAP_SYS_PTRACE", "CAP_SYS_PACCT", "CAP_SYS_ADMIN", "CAP_SYS_BOOT",
		"CAP_SYS_NICE", "CAP_SYS_RESOURCE", "CAP_SYS_TIME", "CAP_SYS_TTY_CONFIG", "CAP_MKNOD", "CAP_LEASE",
		"CAP_AUDIT_WRITE", "CAP_AUDIT_CONTROL", "CAP_SETFCAP", "CAP_MAC_OVERRIDE", "CAP_MAC_ADMIN", "CAP_SYSLOG",
		"CAP_WAKE_ALARM", "CAP_BLOCK_SUSPEND", "CAP_AUDIT_READ", "CAP_PERFMON", "CAP_BPF", "CAP_CHECKPOINT_RESTORE",
	}
}

// parseCapabilities reads names with or without CAP_, in any case, and returns
// them in the kernel's order, each once. The result is never nil.
func parseCapabilities(names []string) ([]string, error) {
	known := knownCapabilities()
	want := make([]bool, len(known))
	for _, n := range names {
		full := strings.ToUpper(strings.TrimSpace(n))
		if !strings.HasPrefix(full, "CAP_") {
			full = "CAP_" + full
		}
		i := slices.Index(known, full)
		if i < 0 {
			return nil, fmt.Errorf("capability %q: no such capability", n)
		}
		want[i] = true
	}
	set := []string{}
	for i, w := range want {
		if w {
			set = append(set, known[i])
		}
	}
	return set, nil
}

// capabilities returns the sets of the app's process. For root, what is bounded is
// also permitted and effective; for others only the bound is set, since their
// exec drops the rest: they may gain from files what is inside the bound. The
// inheritable and ambient sets are empty. All of it is as Docker does.
func (a *App) capabilities(uid uint32) (*Capabilities, error) {
	set, err := parseCapabilities(a.CapsRetain)
	if a.CapsRetain == nil {
		set, err = parseCapabilities(DefaultCapabilities())
	}
	if err != nil {
		return nil, err
	}
	remove, err := parseCapabilities(a.CapsRemove)
	if err != nil {
		return nil, err
	}
	set = slices.DeleteFunc(set, func(c string) bool { return slices.Contains(remove, c) })
	c := &Capabilities{Bounding: set}
	if uid == 0 {
		c.Effective, c.Permitted = set, set
	}
	return c, nil
}
