package unitgen

import (
	"fmt"

	"github.com/raket/raket/pkg/appspec"
	"github.com/raket/raket/pkg/stageabi"
	"github.com/raket/raket/pkg/unitfile"
)

// Paths in the pod's root.
const (
	ExecPath    = "/raket/bin/exec"
	AppsPath    = "/raket/apps"
	LogsPath    = "/raket/logs"
	FiltersPath = "/raket/filters"
	// EnvironmentPath has what apps have in their environment and no unit can hold.
	EnvironmentPath = "/raket/environment"
	CredentialsPath = "/raket/credentials" // of all apps
	StreamsPath     = "/raket/fd"          // the descriptors of the process that is the pod
	GroupsPath      = "/raket/groups"
)

// Pod is what units are generated from.
type Pod struct {
	ExitPolicy stageabi.ExitPolicy
	Log        Log
	Apps       []App
	// OwnUsers: the pod has a user namespace.
	OwnUsers bool
	// Sockets are those that apps are handed, the inherited ones first.
	Sockets []stageabi.Socket
	// OpenPaths leaves the kernel's files in /proc and /sys as the kernel has them.
	OpenPaths bool
	// Metadata is where the pod's metadata service listens; nil for none.
	Metadata *Metadata
	// Forward passes on to the host what apps say of themselves; nil if nothing does.
	Forward *Forward
	// Resources bound all apps together; nil for none.
	Resources *appspec.Resources
	// TellsOfRestarts: the pod's systemd, from 254 on, takes a failure after which it starts
	// a unit again for one, and starts its OnFailure=, unless the unit says otherwise.
	TellsOfRestarts bool
	// Calm are apps whose failure ends nothing while they are stopped or replaced.
	Calm []string
	// Loose is an app that those that require it can do without while it is replaced.
	Loose string
	// Waiting is an app whose start waits until nobody has HoldPath locked: connections to
	// the host's sockets ask for it while it is replaced. One whose root systemd makes
	// does not wait.
	Waiting string

	singles map[string]single // by the apps' names, while units are generated
}

// Log says where the output of the apps goes.
type Log struct {
	Mode stageabi.LogMode // not LogAuto
	// HostUnit is the host's unit that the pod runs in, to which journald is to
	// credit lines whose writer is gone. Of LogJournal.
	HostUnit string
}

// App is one app.
type App struct {
	Name  string
	Image string // for people
	Spec  *appspec.Spec
	// Groups are controllers of legacy control group hierarchies: the app joins
	// GroupsPath/CONTROLLER/NAME of each, NAME being GroupName or, where that is "", its own.
	Groups    []string
	GroupName string
	// Interactive says how it has the standard input of raket run.
	Interactive Interactive
	// NetworkBandwidth is what the app is held to, in bytes a second; 0 for no limit.
	NetworkBandwidth int64
	// Credentials: the app's root has some, at stageabi.CredentialsPath.
	Credentials bool
}

// files are unit files by their names.
type files map[string][]byte

func (fs files) add(name string, f *unitfile.File) error {
	b, err := f.Bytes()
	if err != nil {
		return fmt.Errorf("unit %s: %w", name, err)
	}
	fs[name] = b
	return nil
}

// Generate returns the unit files of a pod by their names.
func Generate(p Pod) (map[string][]byte, error) {
	files := files{}
	add := files.add
	names, err := GenerateApps(p, files)
	if err != nil {
		return nil, err
	}
	// Descriptors that systemd is started with go to the units that are loaded
	// before any job runs: the root slice, and what it refers to.
	if given := GivenSockets(p); len(given) > 0 {
		slice := newUnit("Pod")
		slice.Units("Before", given...)
		if err := add("-.slice", slice); err != nil {
			return nil, err
		}
	}
	for _, more := range []map[string]*unitfile.File{metadataFiles(p.Metadata), forwardFiles(p)} {
		for name, f := range more {
			if err := add(name, f); err != nil {
				return nil, err
			}
		}
	}
	if p.Resources != nil {
		slice := newUnit("Apps")
		slice.Section("Slice")
		if err := resources(slice, p.Resources); err != nil {
			return nil, err
		}
		// All apps are in it, and nothing else.
		if err := add("system.slice", slice); err != nil {
			return nil, err
		}
	}
	for name, f := range frame(p, names) {
		if err := add(name, f); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// GenerateApps adds the unit files of a pod's apps, and returns the units that start them.
// Of a running pod it makes them all again, as they are to be with a change.
func GenerateApps(p Pod, into map[string][]byte) (start []string, err error) {
	p.singles = make(map[string]single, len(p.Apps))
	for _, a := range p.Apps {
		f, err := appUnit(p, a)
		if err != nil {
			return nil, fmt.Errorf("app %s: %w", a.Name, err)
		}
		if err := files(into).add(unitName(a.Name), f); err != nil {
			return nil, err
		}
		if m, err := Modes(a); err == nil && m.Held() {
			if err := files(into).add(MuxUnit(a.Name), muxUnit(p, a, m)); err != nil {
				return nil, err
			}
		}
		more, wanted, err := lifeFiles(p, a)
		if err != nil {
			return nil, fmt.Errorf("app %s: %w", a.Name, err)
		}
		for name, f := range more {
			if err := files(into).add(name, f); err != nil {
				return nil, err
			}
		}
		start = append(start, wanted...)
	}
	sockets, wanted, err := socketFiles(p)
	if err != nil {
		return nil, err
	}
	for name, f := range sockets {
		if err := files(into).add(name, f); err != nil {
			return nil, err
		}
	}
	return append(start, wanted...), nil
}

const (
	failedTarget = "failed.target"
	// unstartedTarget comes and goes when an app is not started for want of another:
	// that has systemd look whether apps.target is still needed.
	unstartedTarget = "unstarted.target"
	// exitUnit has a dot in its name, which no app has.
	exitUnit = "raket.exit.service"
	// These have the pod's last program look how apps ended, and say what to
	// exit with if nothing is recorded: as after a failure, which is also what
	// systemd makes of an app that a signal killed, and as after none.
	failedStatus = "255"
	endedStatus  = "252"
)

func unitName(app string) string { return app + ".service" }

// frame returns the units that every pod has.
func frame(p Pod, apps []string) map[string]*unitfile.File {
	pod := newUnit("Pod")
	if len(apps) > 0 {
		pod.Words("Wants", apps...)
		pod.Words("After", apps...)
	}
	if p.Forward != nil {
		pod.Words("Wants", readyUnit+".socket")
		if p.Forward.Watchdog > 0 {
			// Whether an app starts with the pod or not.
			pod.Words("Wants", forwardUnit+".service")
		}
	}

	// Every end goes this way: the apps stop as shutdown.target starts, which
	// they conflict with, and then systemd exits.
	shutdown := newUnit("Apps stopped")
	shutdown.Set("RefuseManualStart", "yes")
	end := newUnit("End of the pod")
	end.Words("Requires", exitUnit)
	end.Words("After", exitUnit)
	exit := newUnit("Exit")
	exit.Words("Requires", "shutdown.target")
	exit.Words("After", "shutdown.target")
	exit.Set("SuccessAction", "exit-force")

	frame := map[string]*unitfile.File{
		"default.target":  pod,
		"shutdown.target": shutdown,
		"exit.target":     end,
		exitUnit:          exit,
	}
	if p.ExitPolicy != stageabi.ExitNone {
		// Wanted by nobody, it stops as soon as it is started.
		failed := newUnit("An app has failed")
		failed.Set("StopWhenUnneeded", "yes")
		failed.Set("SuccessAction", "exit")
		failed.Set("SuccessActionExitStatus", failedStatus)
		frame[failedTarget] = failed
	}
	if p.ExitPolicy == stageabi.ExitAllEnded {
		unstarted := newUnit("An app was not started")
		unstarted.Words("Wants", "apps.target")
		unstarted.Set("StopWhenUnneeded", "yes")
		frame[unstartedTarget] = unstarted
	}
	if p.ExitPolicy != stageabi.ExitNone {
		alive := newUnit("An app is alive")
		alive.Set("StopWhenUnneeded", "yes")
		alive.Set("SuccessAction", "exit")
		alive.Set("SuccessActionExitStatus", endedStatus)
		frame["apps.target"] = alive
	}
	return frame
}

// Aliases are the other names of units, as symbolic links beside them: systemd
// starts these for the signals that ask it to end.
func Aliases() map[string]string {
	return map[string]string{
		"halt.target": "exit.target", "poweroff.target": "exit.target", "reboot.target": "exit.target", "kexec.target": "exit.target",
	}
}

func newUnit(description string) *unitfile.File {
	f := unitfile.New()
	f.Section("Unit")
	f.Set("Description", description)
	f.Set("DefaultDependencies", "no")
	return f
}
