package unitgen

import (
	"fmt"
	"slices"

	"github.com/raket/raket/pkg/appspec"
	"github.com/raket/raket/pkg/stageabi"
	"github.com/raket/raket/pkg/streamwire"
	"github.com/raket/raket/pkg/unitfile"
)

// life is what an app's unit has of how it starts and ends, among the other apps.
type life struct {
	appspec.Life
	name    string
	props   []appspec.Property
	before  []neighbour // apps that have to be up first
	bound   []string    // apps that start with this one again
	retried bool
	health  *appspec.Health // nil for none
	direct  bool            // its restarts have to be kept from what follows from a failure
}

// neighbour is an app that another depends on.
type neighbour struct {
	name    string
	retried bool
	// required, bound: as Requires= and BindsTo= have it; else only the order counts.
	required, bound bool
}

func lifeOf(p Pod, a App) (life, error) {
	self, err := p.single(a)
	if err != nil {
		return life{}, err
	}
	own := self.life
	l := life{Life: own, name: a.Name, props: self.props, retried: self.retried(), health: self.health, direct: p.TellsOfRestarts && restarts(self.props)}
	before := true // of the init apps that this one waits for
	for _, b := range p.Apps {
		if b.Name == a.Name {
			before = false
			continue
		}
		other, err := p.single(b)
		if err != nil {
			return life{}, fmt.Errorf("app %s: %w", b.Name, err)
		}
		required := slices.Contains(own.Requires, b.Name) || other.life.Init && (!own.Init || before)
		n := neighbour{
			name: b.Name, retried: other.retried(),
			required: required && b.Name != p.Loose,
			bound:    slices.Contains(own.BindsTo, b.Name),
		}
		if required || n.bound || slices.Contains(own.After, b.Name) {
			l.before = append(l.before, n)
		}
		if slices.Contains(other.life.BindsTo, a.Name) {
			l.bound = append(l.bound, unitName(b.Name))
		}
	}
	return l, nil
}

// value is the last that a directive has.
func value(props []appspec.Property, name string) string {
	v := ""
	for _, p := range props {
		if p.Name == name {
			v = p.Value
		}
	}
	return v
}

// appType is systemd's Type= of the app.
func appType(props []appspec.Property, l appspec.Life) string {
	switch t := value(props, "Type"); {
	case t != "":
		return t
	case l.Init:
		return "oneshot"
	}
	return "exec"
}

// restarts reports whether the app is ever started again when it has failed.
func restarts(props []appspec.Property) bool {
	v := value(props, "Restart")
	return v != "" && v != "no"
}

// retried reports whether the app's start can fail and be tried again: systemd's job
// fails with the first try, and what waits for the app must not take that for the end.
// (With systemd 254, RestartMode=direct does that.)
func retried(props []appspec.Property, l appspec.Life, h *appspec.Health) bool {
	if !restarts(props) {
		return false
	}
	if h != nil && h.Ready {
		return true
	}
	switch appType(props, l) {
	case "simple", "exec", "idle":
		return false
	}
	return true
}

// order writes what has to be up first, and is stopped after.
func (l life) order(f *unitfile.File) {
	for _, n := range l.before {
		unit := unitName(n.name)
		f.Units("After", unit)
		if n.retried {
			f.Units("After", upUnit(n.name))
		}
		switch {
		case n.bound:
			f.Units("BindsTo", unit)
		case n.required && n.retried:
			f.Units("Requires", upUnit(n.name))
			f.Units("PartOf", unit)
		case n.required:
			f.Units("Requires", unit)
		}
	}
	if l.health != nil {
		f.Units("Wants", healthUnit(l.name)+".timer")
	}
	if len(l.bound) > 0 {
		f.Units("Wants", l.bound...)
	}
}

// failure writes what happens when the app fails. systemd performs FailureAction= even
// for a failure after which it restarts the unit, but starts OnFailure= only when it
// has given up; from 254 on only where it is told to (see Pod.TellsOfRestarts).
func (l life) failure(f *unitfile.File, policy stageabi.ExitPolicy, calm bool) {
	if l.Init && policy == stageabi.ExitAllEnded {
		policy = stageabi.ExitAnyFailed // nothing starts without it
	}
	ends := !calm && restarts(l.props) && policy == stageabi.ExitAnyFailed
	if l.retried && !ends {
		// Where the pod ends, what waits for the app waits on until it is stopped: with
		// nothing left to start, systemd would say that the pod is ready.
		f.Units("OnFailure", lostUnit(l.name))
	}
	if calm {
		return
	}
	needs := func(n neighbour) bool { return n.required || n.bound }
	switch {
	case policy == stageabi.ExitAllEnded && slices.ContainsFunc(l.before, needs):
		f.Words("OnFailure", unstartedTarget)
	case policy != stageabi.ExitAnyFailed:
	case ends:
		f.Words("OnFailure", failedTarget)
	default:
		f.Set("FailureAction", "exit")
		// Without it an app of which nothing was executed would end the pod with 0.
		f.Set("FailureActionExitStatus", failedStatus)
	}
}

// defaults are directives of the app's that it may have set itself.
func (l life) defaults(set func(key, value string)) {
	set("Type", appType(l.props, l.Life))
	if l.Init {
		// Once: apps that need it and start again must not start it again.
		set("RemainAfterExit", "yes")
	}
	if l.direct {
		set("RestartMode", "direct")
	}
	if l.health != nil && l.health.Ready {
		set("TimeoutStartSec", milliseconds(l.deadline()+l.health.Timeout+startSlack)+"ms")
	}
}

// started writes what is done when the app has started.
func (l life) started(f *unitfile.File, p Pod, a App, c command, m streamwire.Modes) {
	if l.health != nil {
		f.Exec("ExecStartPost", "+", l.healthBegins(p, a, c, m))
	}
	if l.Init {
		f.Exec("ExecStartPost", "+", c.helper("-D", l.name))
	}
	if l.retried {
		f.Exec("ExecStartPost", "+", c.helper("-S", l.name))
	}
}

// Units beside an app's own; with a dot in it, no app has the name.
func upUnit(app string) string    { return app + ".up.service" }
func lostUnit(app string) string  { return app + ".lost.service" }
func timerUnit(app string) string { return app + ".timer" }

// lifeFiles returns the units beside an app's own, and which units of it the pod starts.
func lifeFiles(p Pod, a App) (files map[string]*unitfile.File, wanted []string, err error) {
	l, err := lifeOf(p, a)
	if err != nil {
		return nil, nil, err
	}
	files = map[string]*unitfile.File{}
	if l.retried {
		files[upUnit(a.Name)], files[lostUnit(a.Name)] = l.upFile(p), l.lostFile()
	}
	if l.health != nil {
		files[healthUnit(a.Name)+".timer"] = l.healthTimer()
		if files[healthUnit(a.Name)+".service"], err = l.healthFile(p, a); err != nil {
			return nil, nil, err
		}
	}
	switch {
	case len(l.Timer) > 0:
		files[timerUnit(a.Name)] = l.timerFile(p)
		wanted = append(wanted, timerUnit(a.Name))
	case !onDemand(p, a.Name):
		wanted = append(wanted, unitName(a.Name))
		if l.retried {
			wanted = append(wanted, upUnit(a.Name))
		}
	}
	return files, wanted, nil
}

// upFile renders the unit that is active from the first time on that the app is up, and
// fails when systemd has given it up.
func (l life) upFile(p Pod) *unitfile.File {
	f := newUnit("Start of " + l.name)
	if len(l.Timer) == 0 && !onDemand(p, l.name) {
		f.Units("Wants", unitName(l.name)) // of an app that was stopped
	}
	f.Words("Conflicts", "shutdown.target")
	f.Words("Before", "shutdown.target")
	f.Section("Service")
	f.Set("Type", "oneshot")
	f.Set("RemainAfterExit", "yes")
	f.Exec("ExecStart", "", []string{ExecPath, "-W", l.name})
	output(f, Log{Mode: stageabi.LogNone}, l.name)
	return f
}

// lostFile renders the unit that ends the wait for an app that never was up.
func (l life) lostFile() *unitfile.File {
	f := newUnit("Failure of " + l.name)
	f.Section("Service")
	f.Set("Type", "oneshot")
	f.Exec("ExecStart", "", []string{ExecPath, "-V", l.name})
	output(f, Log{Mode: stageabi.LogNone}, l.name)
	return f
}

// timerFile renders the app's timer. The pod lives while it does: one that has nothing
// left to start ends with its last run.
func (l life) timerFile(p Pod) *unitfile.File {
	f := newUnit("Timer of " + l.name)
	f.Words("Conflicts", "shutdown.target")
	f.Words("Before", "shutdown.target")
	if p.ExitPolicy != stageabi.ExitNone {
		f.Words("Wants", "apps.target")
	}
	for _, n := range l.before {
		// A first start before what the app needs would be for nothing.
		f.Units("After", unitName(n.name))
		if n.retried {
			f.Units("After", upUnit(n.name))
		}
	}
	f.Section("Timer")
	for _, t := range l.Timer {
		f.SetRaw(t.Name, t.Value)
	}
	if value(l.Timer, "AccuracySec") == "" {
		f.Set("AccuracySec", "1s")
	}
	f.Set("RemainAfterElapse", "no")
	f.Units("Unit", unitName(l.name))
	return f
}
