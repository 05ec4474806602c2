package appargs

import "time"

// Pod is a parsed command line. Zero values mean that nothing was said.
type Pod struct {
	// Apps has one element for each image, in order; it is empty where
	// Manifest is set.
	Apps []App
	// Manifest is the path of a pod manifest (appc PodManifest JSON).
	Manifest string
	Volumes  []Volume
	// Mounts are for all apps; those of one app are in App.Mounts.
	Mounts      []Mount
	Annotations []KeyValue
	// Env, EnvFiles and InheritEnv are for all apps. Later ones win: the
	// caller's environment, the image's, the files', Env, App.Env.
	Env        []KeyValue
	EnvFiles   []string
	InheritEnv bool
	// Stage1 chooses the flavour.
	Stage1 Stage1
	// PullPolicy is "", "new", "never" or "update".
	PullPolicy string
	// NoOverlay asks for copies in place of an overlay.
	NoOverlay bool
	// ExitPolicy is "", "all-ended", "any-failed" or "none".
	ExitPolicy string
	// Log is "", "auto", "journal", "file", "console" or "none".
	Log   string
	Quiet bool
	// UUIDFile is the path to which the pod's UUID is written.
	UUIDFile string
	Run      RunOptions
}

// RunOptions are what run-prepared takes too: what is decided only when a
// pod starts.
type RunOptions struct {
	// Net is "", "host" or "none".
	Net      string
	Hostname string
	// IPC is "", "auto", "private" or "parent".
	IPC string
	// DNS has name server addresses, or the one word "host" or "none".
	DNS       []string
	DNSSearch []string
	DNSOpt    []string
	DNSDomain string
	// Hosts are entries for /etc/hosts; HostsFromHost takes the host's file.
	Hosts         []HostsEntry
	HostsFromHost bool
}

// App is one image with what was said about it.
type App struct {
	// Image is the reference as typed.
	Image string
	// Args come after "--". They are nil where there was no "--" and not nil
	// where there was one, even with nothing behind it.
	Args []string
	Name string
	// Exec replaces the image's executable.
	Exec       string
	WorkingDir string
	// User and Group are a number, a name, or an absolute path within the
	// image whose owner is meant.
	User              string
	Group             string
	SupplementaryGIDs []string
	// ReadOnlyRootFS and NoNewPrivileges are nil where nothing was said.
	ReadOnlyRootFS  *bool
	NoNewPrivileges *bool
	Env             []KeyValue
	Annotations     []KeyValue
	UserAnnotations []KeyValue
	UserLabels      []KeyValue
	Mounts          []Mount
	// CapsRetain and CapsRemove are in the kernel's words (CAP_KILL), sorted,
	// at most one of them set. CapsRetain that is empty but not nil keeps none.
	CapsRetain  []string
	CapsRemove  []string
	OOMScoreAdj *int
	Rlimits     []Rlimit
	// Type is "", "simple", "exec", "notify", "oneshot" or "forking".
	Type string
	// Restart is a word of systemd's Restart=.
	Restart string
	// StopSignal is in the kernel's words (SIGTERM, SIGRTMIN+3).
	StopSignal string
	// StopTimeout is nil where nothing was said; zero kills at once.
	StopTimeout *time.Duration
	// Stdin is "" or "null"; Stdout and Stderr are "", "log" or "null".
	Stdin, Stdout, Stderr string
	// Properties are directives of systemd's units for this app.
	Properties []KeyValue
}

// KeyValue is one NAME=VALUE.
type KeyValue struct{ Key, Value string }

// Volume is one --volume.
type Volume struct {
	Name string
	// Kind is "host" or "empty".
	Kind string
	// Source is an absolute path on the host; Kind host only.
	Source    string
	ReadOnly  *bool
	Recursive *bool
	// Mode is permission bits; Kind empty only.
	Mode *uint32
	UID  *int
	GID  *int
}

// Mount is one --mount: a volume at a path of an app.
type Mount struct {
	Volume string
	// Target is an absolute path.
	Target   string
	ReadOnly bool
}

// HostsEntry is one --hosts-entry.
type HostsEntry struct {
	IP    string
	Names []string
}

// Rlimit is one --rlimit.
type Rlimit struct {
	// Type is in the kernel's words (RLIMIT_NOFILE).
	Type string
	// Soft and Hard are RlimitInfinity where there is no limit.
	Soft, Hard uint64
}

// RlimitInfinity is no limit.
const RlimitInfinity = ^uint64(0)

// Stage1 says which flavour to use; at most one field is set.
type Stage1 struct {
	Name string
	// Path is a file, FromDir a name within the directory of flavours.
	Path    string
	FromDir string
}
