package unitgen

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/raket/raket/pkg/appspec"
	"github.com/raket/raket/pkg/stageabi"
	"github.com/raket/raket/pkg/unitfile"
)

// appUnit renders one app's unit.
func appUnit(p Pod, a App) (*unitfile.File, error) {
	self, err := p.single(a)
	if err != nil {
		return nil, err
	}
	props := self.props
	proc := a.Spec.Process
	if proc == nil || len(proc.Args) == 0 {
		return nil, fmt.Errorf("the app spec has no command")
	}

	modes, err := Modes(a)
	if err != nil {
		return nil, err
	}

	f := unitfile.New()
	f.Section("Unit")
	f.Set("Description", describe(a.Image))
	f.Set("DefaultDependencies", "no")
	f.Words("Conflicts", "shutdown.target")
	f.Words("Before", "shutdown.target")
	l, err := lifeOf(p, a)
	if err != nil {
		return nil, err
	}
	if p.ExitPolicy != stageabi.ExitNone && !l.Init {
		f.Words("Wants", "apps.target")
	}
	if p.Metadata != nil {
		f.Units("Wants", metadataUnit+".socket")
		f.Units("After", metadataUnit+".socket")
	}
	if p.Forward.has(a.Name) {
		// It listens before the app speaks: what an app says that ends right after has to be
		// there before its end.
		f.Units("Wants", forwardUnit+".socket", forwardUnit+".service")
		f.Units("After", forwardUnit+".socket", forwardUnit+".service")
	}
	if modes.Held() {
		f.Words("Wants", MuxUnit(a.Name))
		f.Words("After", MuxUnit(a.Name))
	}
	l.order(f)
	l.failure(f, p.ExitPolicy, p.calm(a))
	for _, pr := range props {
		if inUnitSection(pr.Name) && !(p.calm(a) && startLimit(pr.Name)) {
			f.SetRaw(pr.Name, pr.Value)
		}
	}
	if p.calm(a) {
		f.Set("StartLimitIntervalSec", "0") // systemd closes the sockets of what reaches the limit
	}

	f.Section("Service")
	set := propertySet(props)
	setDefault := func(key, value string) {
		if !set[key] {
			f.Set(key, value)
		}
	}
	l.defaults(setDefault)
	setDefault("TimeoutStopSec", strconv.Itoa(int(appspec.DefaultStopTimeout.Seconds())))
	// A broken pipe ends a program, as it does everywhere but under systemd.
	setDefault("IgnoreSIGPIPE", "no")
	identity(f, proc)
	if err := limits(f, a.Spec); err != nil {
		return nil, err
	}
	streams(f, p, a, modes)
	if units, _ := handed(p, a.Name); len(units) > 0 {
		f.Units("Sockets", units...)
	}

	c := newCommand(p, a, set, modes)
	if c.systemdRoot && len(extras(a)) > 0 {
		return nil, fmt.Errorf("its root is made by systemd, for the property %s, and not by exec, which alone gives an app devices and hides and protects paths that are named", strings.Join(rootProperties(set), ", "))
	}
	capabilities(f, a, c.systemdRoot, set)
	if c.systemdRoot {
		rootDirectives(f, p, a, l, set)
	}
	for _, e := range proc.Env {
		name, value, _ := strings.Cut(e, "=")
		if unitfile.EnvError(name, value) != nil {
			continue // exec reads it from a file
		}
		f.Env("Environment", name, value)
	}
	if us := p.Forward.interval(a.Name, props); us != "" {
		f.Env("Environment", "WATCHDOG_USEC", us)
	}
	pre, post, err := appspec.Handlers(a.Spec)
	if err != nil {
		return nil, err
	}
	if p.Waiting == a.Name && !c.systemdRoot {
		f.Exec("ExecStartPre", "+", []string{ExecPath, "-L", HoldPath})
	}
	c.limitBandwidth(f, p, a, modes)
	for _, argv := range pre {
		f.Exec("ExecStartPre", "", c.wrap(argv))
	}
	f.Exec("ExecStart", "", c.main(p, a))
	l.started(f, p, a, c, modes)
	for _, argv := range post {
		f.Exec("ExecStopPost", "-", c.wrap(argv))
	}
	for _, pr := range props {
		switch {
		case inUnitSection(pr.Name):
		case pr.IsCommand():
			c.property(f, pr)
		default:
			f.SetRaw(pr.Name, pr.Value)
		}
	}
	c.freeBandwidth(f, a)
	f.Exec("ExecStopPost", "+", c.record(p.Log, a, modes))
	return f, nil
}

func startLimit(directive string) bool { return strings.HasPrefix(directive, "StartLimit") }

// describe is text that people read, held to what a unit can hold.
func describe(text string) string {
	if quoted := strconv.Quote(text); quoted != `"`+text+`"` || strings.TrimSpace(text) != text {
		return quoted
	}
	return text
}

// inUnitSection reports whether a directive that an app may set stands in [Unit]
// (systemd.unit(5)).
func inUnitSection(name string) bool {
	switch name {
	case "Description", "Documentation", "After", "Before", "Requires", "Requisite", "Wants", "BindsTo", "PartOf", "Upholds", "Conflicts",
		"OnFailure", "OnFailureJobMode", "OnSuccess", "OnSuccessJobMode", "PropagatesReloadTo", "ReloadPropagatedFrom",
		"PropagatesStopTo", "StopPropagatedFrom", "JoinsNamespaceOf", "RequiresMountsFor", "WantsMountsFor", "StopWhenUnneeded",
		"RefuseManualStart", "RefuseManualStop", "IgnoreOnIsolate", "CollectMode", "StartLimitIntervalSec", "StartLimitBurst",
		"JobTimeoutSec", "JobRunningTimeoutSec", "SurviveFinalKillSignal", "SourcePath":
		return true
	}
	return strings.HasPrefix(name, "Condition") || strings.HasPrefix(name, "Assert")
}

func propertySet(props []appspec.Property) map[string]bool {
	set := map[string]bool{}
	for _, p := range props {
		set[p.Name] = true
	}
	return set
}

// identity is who the app runs as. The numbers were found in the app's own
// files; the pod's passwd has them all.
func identity(f *unitfile.File, proc *appspec.Process) {
	u := proc.User
	if u.UID != 0 || u.GID != 0 {
		f.Set("User", strconv.FormatUint(uint64(u.UID), 10))
		f.Set("Group", strconv.FormatUint(uint64(u.GID), 10))
	}
	if len(u.AdditionalGids) > 0 {
		var gids []string
		for _, g := range u.AdditionalGids {
			gids = append(gids, strconv.FormatUint(uint64(g), 10))
		}
		f.Words("SupplementaryGroups", gids...)
	}
	if u.Umask != nil {
		f.Set("UMask", fmt.Sprintf("%04o", *u.Umask))
	}
	if proc.NoNewPrivileges {
		f.Set("NoNewPrivileges", "yes")
	}
}

func limits(f *unitfile.File, spec *appspec.Spec) error {
	for _, r := range spec.Process.Rlimits {
		f.Set("Limit"+strings.TrimPrefix(r.Type, "RLIMIT_"), rlimit(r.Soft)+":"+rlimit(r.Hard))
	}
	if adj := spec.Process.OOMScoreAdj; adj != nil {
		f.Set("OOMScoreAdjust", strconv.Itoa(*adj))
	}
	if spec.Linux == nil {
		return nil
	}
	return resources(f, spec.Linux.Resources)
}

// resources sets what the pod's systemd holds a unit's processes to, where it has
// the control groups to itself.
func resources(f *unitfile.File, r *appspec.Resources) error {
	props, err := appspec.ResourceDirectives(r)
	for _, p := range props {
		f.SetRaw(p.Name, p.Value)
	}
	return err
}

func rlimit(v uint64) string {
	if v == ^uint64(0) {
		return "infinity"
	}
	return strconv.FormatUint(v, 10)
}
