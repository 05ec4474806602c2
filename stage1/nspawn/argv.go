package nspawn

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/raket/raket/pkg/stageabi"
)

// UnitsPath is where the pod's systemd finds its units, and nothing else.
const UnitsPath = "/raket/units"

// ExecPath is the program that starts the pod's init, in the pod's root.
const ExecPath = "/raket/bin/exec"

// noGenerators is a path that does not exist: systemd forks to run the
// generators of a directory that does, even of an empty one.
const noGenerators = "/raket/none"

// Config is what a pod is started with.
type Config struct {
	Root     string // directory of the pod's root
	Machine  string // name of the machine
	UUID     string
	Hostname string
	Network  stageabi.Network
	// Users are the pod's user namespace; nil for the host's.
	Users *stageabi.Users
	// Namespace is the path of the pod's network namespace, where it is made.
	Namespace    string
	Capabilities []string // that apps have beyond nspawn's own default
	Log          stageabi.LogMode
	// JournalDir is the directory of the host's journal sockets, to be seen by
	// the pod; empty for none.
	JournalDir string
	// Init is the pod's systemd in the pod's root. Default: /usr/lib/systemd/systemd.
	Init string
	// Seccomp tells nspawn to install its own filter: none is installed yet.
	Seccomp bool
	// Sysctls is a file of kernel parameters in the pod's root; empty for none.
	Sysctls string
	Debug   bool
}

// Argv returns nspawn's argument vector; argv[0] is the name, not the path.
func Argv(c Config) []string {
	argv := []string{
		"systemd-nspawn",
		"--quiet",
		"--directory=" + c.Root,
		"--machine=" + c.Machine,
		"--uuid=" + c.UUID,
		"--hostname=" + c.Hostname,
		"--settings=no",
		"--console=pipe",
		// The pod stays in the control group it was started in, under its limits.
		"--keep-unit",
		"--register=no",
		"--notify-ready=yes",
		"--kill-signal=SIGRTMIN+3",
		"--link-journal=no",
		"--resolv-conf=off",
		"--timezone=off",
	}
	switch {
	case c.Namespace != "":
		argv = append(argv, "--network-namespace-path="+c.Namespace)
	case c.Network.Mode == stageabi.NetNone:
		argv = append(argv, "--private-network")
	}
	if u := c.Users; u != nil {
		// The files are mapped already.
		argv = append(argv, fmt.Sprintf("--private-users=%d:%d", u.Base, u.Count), "--private-users-ownership=off")
	}
	for _, cap := range slices.Sorted(slices.Values(c.Capabilities)) {
		argv = append(argv, "--capability="+cap)
	}
	if c.JournalDir != "" && c.Users != nil {
		// nspawn would make the directory above the sockets the host's root's, and the pod's
		// systemd could not write to it.
		argv = append(argv, "--tmpfs=/run/systemd:mode=755")
	}
	if c.JournalDir != "" {
		argv = append(argv, "--bind-ro="+c.JournalDir+":/run/systemd/journal")
	}
	for _, e := range podEnv(c) {
		argv = append(argv, "--setenv="+e)
	}
	// Arguments of the pod's systemd.
	target := "--log-target=null"
	if c.Log == stageabi.LogJournal {
		target = "--log-target=journal"
	}
	level := "--log-level=info"
	if c.Debug {
		level = "--log-level=debug"
	}
	// Not --boot: nspawn that is killed leaves the init it boots, and a pod whose
	// processes nobody can find.
	init := cmp.Or(c.Init, "/usr/lib/systemd/systemd")
	argv = append(argv, "--", ExecPath, "-k")
	if c.Sysctls != "" {
		argv = append(argv, "-y", c.Sysctls)
	}
	return append(argv, "--", init, "--unit=default.target", "--show-status=no", "--crash-shell=no", target, level)
}

// podEnv is the environment of the pod's systemd.
func podEnv(Config) []string {
	return []string{
		"SYSTEMD_UNIT_PATH=" + UnitsPath,
		"SYSTEMD_GENERATOR_PATH=" + noGenerators,
		"SYSTEMD_ENVIRONMENT_GENERATOR_PATH=" + noGenerators,
	}
}

// Env returns the environment of nspawn itself, made of the caller's.
func Env(c Config, env []string) []string {
	env = slices.DeleteFunc(slices.Clone(env), func(e string) bool {
		return hasName(e, "SYSTEMD_SECCOMP") || hasName(e, stageabi.EnvLockFD) || hasName(e, stageabi.EnvCredentialsFD) || hasName(e, stageabi.EnvStage1) || hasName(e, stageabi.EnvDebug)
	})
	if !c.Seccomp {
		env = append(env, "SYSTEMD_SECCOMP=0")
	}
	return env
}

func hasName(assignment, name string) bool {
	return len(assignment) > len(name) && assignment[:len(name)] == name && assignment[len(name)] == '='
}
