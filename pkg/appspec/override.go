package appspec

import "time"

// Override is what flags, a pod manifest or a pod file say about one app. A zero
// field leaves the app as it is; each list replaces, unless it says otherwise.
type Override struct {
	Exec []string // replaces the entrypoint, and drops the image's Cmd
	Args []string // replaces the Cmd; not nil and empty: none

	User          string
	Group         string
	Supplementary []string

	// Env are assignments NAME=value; the last of a name wins, and the image's
	// are replaced. InheritEnv is set only where nothing else sets the name.
	Env        []string
	InheritEnv []string

	WorkingDir     string // absolute
	ReadonlyRootfs *bool
	Hostname       string

	// CapsRetain replaces the capability set; not nil and empty: none. CapsRemove
	// is taken off what the app would have. Not both.
	CapsRetain []string
	CapsRemove []string

	NoNewPrivileges *bool
	Rlimits         []Rlimit // each replaces the one of its type
	OOMScoreAdj     *int     // -1000 to 1000
	MemoryBytes     *int64   // hard limit
	CPUMillis       *int64   // thousandths of a CPU
	CPUShares       *uint64  // 2 to 262144

	Annotations map[string]string // added
	Properties  []Property        // systemd directives, in order; a name's values replace the ones it had

	Type        string // systemd's Type=: simple, exec, notify …
	Restart     string // systemd's Restart=: no, on-failure, always …
	StopSignal  string // name or number
	StopTimeout *time.Duration
}
