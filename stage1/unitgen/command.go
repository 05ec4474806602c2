package unitgen

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/raket/raket/pkg/appspec"
	"github.com/raket/raket/pkg/capset"
	"github.com/raket/raket/pkg/stageabi"
	"github.com/raket/raket/pkg/streamwire"
	"github.com/raket/raket/pkg/unitfile"
)

// command writes the command lines of one app: programs run through exec.
type command struct {
	prefix []string
	// systemdRoot: a directive of the app's needs systemd to make the app's mount
	// namespace, or forbids exec to.
	systemdRoot bool
	modes       streamwire.Modes // zero if nobody holds the app's streams
}

// helperCapabilities are what exec needs to enter the app's root and gives up
// before it executes the app.
var helperCapabilities = []string{"CAP_SETGID", "CAP_SETUID", "CAP_SETPCAP", "CAP_SYS_CHROOT", "CAP_SYS_ADMIN", "CAP_MKNOD"}

// innerExecPath is where exec is bound to in an app's root that systemd enters.
const innerExecPath = "/.raket/exec"

// innerFilterPath is where the app's system call filter is bound to there.
const innerFilterPath = "/.raket/filter"

// innerNotifyPath is where the socket is bound to there by which the app speaks of itself.
const innerNotifyPath = "/.raket/notify"

func hasFilter(a App) bool { return a.Spec.Linux != nil && a.Spec.Linux.Seccomp != nil }

// FilterPath is the file of an app's system call filter (pkg/seccomp/program) in
// the pod's root, for an app whose spec has one.
func FilterPath(app string) string { return FiltersPath + "/" + app }

// innerGroupsPath and a controller's name are where the app's control groups are
// joined in such a root.
const innerGroupsPath = "/.raket/group-"

func newCommand(p Pod, a App, set map[string]bool, m streamwire.Modes) command {
	c := command{systemdRoot: needsSystemdRoot(set)}
	proc := a.Spec.Process
	args := []string{ExecPath}
	if c.systemdRoot {
		args[0] = innerExecPath
	}
	args = append(args, journalArgs(p.Log, a.Name, m)...)
	if m.Held() {
		// The input is the app's, not that of what runs before and after it.
		c.modes = m
		beside := m
		beside[0] = streamwire.Null
		args = append(args, "-m", beside.String())
	}
	if !c.systemdRoot {
		args = append(args, "-R", AppsPath+"/"+a.Name+"/rootfs")
		if a.Spec.Root != nil && a.Spec.Root.Readonly {
			args = append(args, "-r")
		}
		if p.OpenPaths {
			args = append(args, "-o")
		}
		if p.OwnUsers {
			args = append(args, "-U")
		}
		args = append(args, extras(a)...)
		if set["Type"] || set["NotifyAccess"] || set["WatchdogSec"] || set["FileDescriptorStoreMax"] {
			if !p.Forward.has(a.Name) {
				args = append(args, "-n")
			}
		}
	}
	if p.Forward.has(a.Name) {
		args = append(args, "-N", forwardSocket(a.Name))
	}
	for _, g := range a.Groups {
		args = append(args, "-g", c.groupPath(a, g))
	}
	if hasFilter(a) {
		path := FilterPath(a.Name)
		if c.systemdRoot {
			path = innerFilterPath
		}
		args = append(args, "-c", path)
	}
	if proc.Cwd != "" && proc.Cwd != "/" {
		args = append(args, "-w", proc.Cwd)
	}
	if !ownCapabilities(set) {
		bounding, ambient := appCapabilities(a, c.systemdRoot)
		args = append(args, "-b", mask(bounding))
		if len(ambient) > 0 {
			args = append(args, "-a", mask(ambient))
		}
	}
	if l := Label(a.Spec); l != "" {
		args = append(args, "-x", l)
	}
	if len(Environment(a.Spec)) > 0 {
		path := EnvironmentFile(a.Name)
		if c.systemdRoot {
			path = innerEnvironment
		}
		args = append(args, "-e", path)
	}
	c.prefix = append(args, "--")
	return c
}

// groupPath is the file by which exec joins a control group of the app's.
func (c command) groupPath(a App, controller string) string {
	if c.systemdRoot {
		return innerGroupsPath + controller
	}
	return groupFile(a, controller)
}

func groupFile(a App, controller string) string {
	return GroupsPath + "/" + controller + "/" + cmp.Or(a.GroupName, a.Name) + "/tasks"
}

// record is the command that records how the app ended.
func (c command) record(l Log, a App, m streamwire.Modes) []string {
	args := journalArgs(l, a.Name, m)
	if a.GroupName != "" && a.GroupName != a.Name && slices.Contains(a.Groups, "memory") {
		args = append(args, "-G", a.GroupName)
	}
	return slices.Insert(c.helper("-s", a.Name), 1, args...)
}

// helper is a command that writes in the pod's root.
func (c command) helper(option, app string) []string {
	args := []string{c.prefix[0]}
	if c.systemdRoot {
		args = append(args, "-p")
	}
	return append(args, option, app)
}

// property adds a command line that the app's spec has as a directive.
func (c command) property(f *unitfile.File, pr appspec.Property) {
	rest := strings.TrimLeft(pr.Value, "-:")
	f.ExecRaw(pr.Name, pr.Value[:len(pr.Value)-len(rest)], c.prefix, rest)
}

// main is the app's command. It alone gets the app's sockets and its input.
func (c command) main(p Pod, a App) []string {
	argv := c.wrap(a.Spec.Process.Args)
	if i := slices.Index(argv, "-m"); c.modes.Held() && i >= 0 {
		argv[i+1] = c.modes.String()
	}
	if _, n := handed(p, a.Name); n > 0 {
		argv = slices.Insert(argv, 1, "-f", strconv.Itoa(n))
	}
	return argv
}

func (c command) wrap(argv []string) []string {
	return append(append([]string{}, c.prefix...), argv...)
}

// SystemdRoot reports whether directives of an app need systemd to make its root.
func SystemdRoot(a App) bool {
	props, err := appspec.Properties(a.Spec)
	return err == nil && needsSystemdRoot(propertySet(props))
}

// needsSystemdRoot reports whether one of the directives set is about the app's
// file system, or would stop exec from setting it up.
func needsSystemdRoot(set map[string]bool) bool {
	for name := range set {
		switch {
		case strings.HasSuffix(name, "Paths"), strings.HasSuffix(name, "Directory"), strings.HasSuffix(name, "Images"), strings.HasPrefix(name, "Protect"), strings.HasPrefix(name, "Restrict"),
			strings.HasPrefix(name, "SystemCall"):
			return true
		}
		switch name {
		case "PrivateTmp", "PrivateDevices", "PrivateUsers", "PrivateMounts", "PrivatePIDs", "TemporaryFileSystem", "MountFlags", "ProcSubset",
			"LockPersonality", "MemoryDenyWriteExecute", "NoExecPaths", "ExecPaths", "DevicePolicy", "DeviceAllow",
			"SecureBits":
			return true
		}
	}
	return ownCapabilities(set)
}

// ownCapabilities reports whether directives set the app's capabilities. exec
// might then not be able to change them, and does not.
func ownCapabilities(set map[string]bool) bool {
	return set["CapabilityBoundingSet"] || set["AmbientCapabilities"]
}

// rootDirectives has systemd enter the app's root.
func rootDirectives(f *unitfile.File, p Pod, a App, l life, set map[string]bool) {
	f.Path("RootDirectory", AppsPath+"/"+a.Name+"/rootfs")
	f.Set("MountAPIVFS", "yes")
	f.Bind("BindReadOnlyPaths", unitfile.Bind{Source: ExecPath, Target: innerExecPath})
	if hasFilter(a) {
		f.Bind("BindReadOnlyPaths", unitfile.Bind{Source: FilterPath(a.Name), Target: innerFilterPath})
	}
	if a.NetworkBandwidth != 0 {
		f.Bind("BindReadOnlyPaths", unitfile.Bind{Source: BandwidthPath, Target: innerBandwidthPath})
	}
	if l.health != nil {
		f.Bind("BindReadOnlyPaths", unitfile.Bind{Source: HealthPath, Target: innerHealthPath})
	}
	if len(Environment(a.Spec)) > 0 {
		f.Bind("BindReadOnlyPaths", unitfile.Bind{Source: EnvironmentFile(a.Name), Target: innerEnvironment})
	}
	if p.Forward.has(a.Name) {
		f.Bind("BindReadOnlyPaths", unitfile.Bind{Source: forwardSocket(a.Name), Target: innerNotifyPath})
	}
	if a.Credentials {
		// systemd covers /run.
		f.Bind("BindReadOnlyPaths", unitfile.Bind{Source: CredentialsPath + "/" + a.Name, Target: stageabi.CredentialsPath})
	}
	for _, g := range a.Groups {
		f.Bind("BindPaths", unitfile.Bind{Source: groupFile(a, g), Target: innerGroupsPath + g})
	}
	if !set["ProtectKernelTunables"] && !p.OpenPaths {
		f.Set("ProtectKernelTunables", "yes")
	}
	if !set["ProtectKernelLogs"] && !p.OpenPaths {
		f.Set("ProtectKernelLogs", "yes")
	}
	if !p.OpenPaths {
		maskKernel(f)
	}
	if a.Spec.Root != nil && a.Spec.Root.Readonly {
		f.Paths("ReadOnlyPaths", "/")
	}
}

// capabilities limits the app, exec included. Of an app that is not root's,
// exec has to hold its capabilities in the ambient set.
func capabilities(f *unitfile.File, a App, systemdRoot bool, set map[string]bool) {
	bounding, ambient := appCapabilities(a, systemdRoot)
	u := a.Spec.Process.User
	help := helperCapabilities
	switch {
	case ownCapabilities(set):
		help = nil
	case systemdRoot && hasFilter(a):
		help = []string{"CAP_SETPCAP", "CAP_SYS_ADMIN"}
	case systemdRoot:
		help = []string{"CAP_SETPCAP"}
	}
	if !systemdRoot && givesAway(a.Spec) && help != nil {
		help = append(slices.Clone(help), "CAP_CHOWN")
	}
	bounding = union(bounding, help)
	if u.UID != 0 || u.GID != 0 {
		ambient = union(ambient, help)
	}
	if !set["CapabilityBoundingSet"] {
		f.Words("CapabilityBoundingSet", bounding...)
	}
	if len(ambient) > 0 && !set["AmbientCapabilities"] {
		f.Words("AmbientCapabilities", ambient...)
	}
}

// appCapabilities are the app's own. In a root that systemd enters, /dev is the
// pod's, and device nodes work in it: there an app does not get to make any.
func appCapabilities(a App, systemdRoot bool) (bounding, ambient []string) {
	c := a.Spec.Process.Capabilities
	if c == nil {
		return nil, nil
	}
	bounding, ambient = slices.Clone(c.Bounding), slices.Clone(c.Ambient)
	if systemdRoot {
		mknod := func(name string) bool { return name == "CAP_MKNOD" }
		bounding, ambient = slices.DeleteFunc(bounding, mknod), slices.DeleteFunc(ambient, mknod)
	}
	return bounding, ambient
}

func union(a, b []string) []string {
	have := map[string]bool{}
	var out []string
	for _, list := range [][]string{a, b} {
		for _, c := range list {
			if !have[c] {
				have[c] = true
				out = append(out, c)
			}
		}
	}
	return out
}

// mask is a capability set as exec reads it.
func mask(caps []string) string { return strconv.FormatUint(capset.Mask(caps), 16) }
