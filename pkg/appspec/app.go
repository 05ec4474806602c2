package appspec

import (
	"strconv"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// The runtime-spec types that consumers of app specs handle.
type (
	Spec         = specs.Spec
	Process      = specs.Process
	User         = specs.User
	Mount        = specs.Mount
	Rlimit       = specs.POSIXRlimit
	Capabilities = specs.LinuxCapabilities
	Resources    = specs.LinuxResources
	CPU          = specs.LinuxCPU
	Seccomp      = specs.LinuxSeccomp
)

// Annotations of raket's own, and the ones it understands.
const (
	// PropertyPrefix and a directive's name make the annotation that sets a
	// systemd directive; see Properties.
	PropertyPrefix = "org.systemd.property."
	// AnnotationPostStop holds the command lines of appc's post-stop handlers: a
	// JSON array of argument vectors. (pre-start handlers are the runtime-spec's
	// hooks.startContainer, which runs in the app's root as they do; its
	// hooks.poststop does not.) See Handlers.
	AnnotationPostStop = "io.raket.post-stop"
	// AnnotationHealthcheck holds the Healthcheck object of a Docker image config,
	// as JSON.
	AnnotationHealthcheck = "io.raket.healthcheck"
	// AnnotationIgnoredIsolators holds the names of isolators that were not
	// applied, separated by spaces.
	AnnotationIgnoredIsolators = "io.raket.ignored-isolators"
	// reservedPrefix marks the annotations above: an image cannot set them.
	reservedPrefix = "io.raket."
)

// specVersion is the oldest runtime-spec that has all we write, so that older
// runtimes take it too.
const specVersion = "1.0.2"

// App is an app spec in the making. New, FromOCI, FromAppc, FromAppcApp and
// FromSpec make one; Apply changes it; Resolve finishes it.
type App struct {
	// Spec has all that is known so far. Its process has neither args nor user
	// nor capabilities yet: they follow from the fields below.
	Spec *Spec

	Entrypoint []string // the executable and its first arguments
	Cmd        []string // arguments after these; the whole command if Entrypoint is empty

	// User and Group are names or numbers; User may have OCI's form user:group,
	// or be an absolute path whose owner is meant. Supplementary are names or
	// numbers too. Empty means 0.
	User          string
	Group         string
	Supplementary []string

	workDirSaid bool // Spec.Process.Cwd is what somebody asked for, not the image's

	PreStart [][]string // appc event handlers: command lines
	PostStop [][]string

	// CapsRetain, if not nil, is the whole capability set; else it is
	// DefaultCapabilities. CapsRemove is taken off either.
	CapsRetain []string
	CapsRemove []string

	// Filter makes the system call filter where Spec.Linux.Seccomp is nil.
	Filter CallFilter

	MountPoints []MountPoint
	Ports       []Port

	// Ignored names what the image asked for and does not get.
	Ignored []string
}

// MountPoint is a place where an image expects a volume.
type MountPoint struct {
	Name     string `json:"name"` // appc name; for OCI images made from the path
	Path     string `json:"path"` // absolute and clean
	ReadOnly bool   `json:"readOnly"`
}

// Port is a port, or a range of ports, that an image says it listens on.
type Port struct {
	Name            string `json:"name"`     // appc name; for OCI images as "80-tcp"
	Protocol        string `json:"protocol"` // "tcp", "udp", "sctp"
	Port            uint16 `json:"port"`
	Count           uint16 `json:"count"` // at least 1
	SocketActivated bool   `json:"socketActivated"`
}

// New returns the app that an image says nothing about: root, no command, the
// default root, mounts and namespaces.
func New() *App {
	return &App{Spec: &Spec{
		Version:     specVersion,
		Process:     &Process{Cwd: "/"},
		Root:        &specs.Root{Path: "rootfs"},
		Mounts:      defaultMounts(),
		Annotations: map[string]string{},
		Linux: &specs.Linux{
			// A pod's apps share all of these but the mount namespace; a bare OCI
			// runtime makes them new.
			Namespaces: []specs.LinuxNamespace{
				{Type: specs.PIDNamespace}, {Type: specs.NetworkNamespace}, {Type: specs.IPCNamespace},
				{Type: specs.UTSNamespace}, {Type: specs.MountNamespace},
			},
			MaskedPaths: []string{
				"/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
				"/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware",
			},
			ReadonlyPaths: []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"},
		},
	}}
}

// FromSpec returns the app of an OCI bundle, whose spec was made by Parse. spec
// belongs to the app from then on.
func FromSpec(spec *Spec) *App {
	a := &App{Spec: spec}
	if spec.Annotations == nil {
		spec.Annotations = map[string]string{}
	}
	if spec.Linux == nil {
		spec.Linux = &specs.Linux{}
	}
	p := spec.Process
	a.Entrypoint, p.Args = p.Args, nil
	a.User, a.Group = formatID(p.User.UID), formatID(p.User.GID)
	for _, g := range p.User.AdditionalGids {
		a.Supplementary = append(a.Supplementary, formatID(g))
	}
	p.User = User{Umask: p.User.Umask}
	// The one set that stands for all: what the app may ever have.
	a.CapsRetain = []string{}
	if c := p.Capabilities; c != nil {
		a.CapsRetain = append(a.CapsRetain, c.Bounding...)
	}
	return a
}

// defaultMounts are the runtime-spec's default file systems (config-linux.md) and
// what apps expect beside them.
func defaultMounts() []Mount {
	return []Mount{
		{Destination: "/proc", Type: "proc", Source: "proc", Options: []string{"nosuid", "noexec", "nodev"}},
		{Destination: "/dev", Type: "tmpfs", Source: "tmpfs", Options: []string{"nosuid", "strictatime", "mode=755", "size=65536k"}},
		{Destination: "/dev/pts", Type: "devpts", Source: "devpts", Options: []string{"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}},
		{Destination: "/dev/shm", Type: "tmpfs", Source: "tmpfs", Options: []string{"nosuid", "noexec", "nodev", "mode=1777", "size=65536k"}},
		{Destination: "/dev/mqueue", Type: "mqueue", Source: "mqueue", Options: []string{"nosuid", "noexec", "nodev"}},
		{Destination: "/sys", Type: "sysfs", Source: "sysfs", Options: []string{"nosuid", "noexec", "nodev", "ro"}},
	}
}

func formatID(id uint32) string { return strconv.FormatUint(uint64(id), 10) }

// Bind returns the mount of a file or directory of the host, or of a volume of the
// pod, for Spec.Mounts. source is seen from the host, target from the app's root.
func Bind(source, target string, readOnly, recursive bool) Mount {
	m := Mount{Destination: target, Type: "bind", Source: source, Options: []string{"bind"}}
	if recursive {
		m.Options[0] = "rbind"
	}
	if readOnly {
		m.Options = append(m.Options, "ro")
	}
	return m
}
