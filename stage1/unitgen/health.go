package unitgen

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/raket/raket/pkg/appspec"
	"github.com/raket/raket/pkg/capset"
	"github.com/raket/raket/pkg/streamwire"
	"github.com/raket/raket/pkg/unitfile"
)

// HealthPath is the program that checks an app's health, in the pod's root.
const HealthPath = "/raket/bin/health"

// innerHealthPath is where it is bound to in an app's root that systemd enters.
const innerHealthPath = "/.raket/health"

// startSlack is what an app's start may take beyond the wait for its health.
const startSlack = 30 * time.Second

// checkModes are the streams of the unit that checks.
func checkModes() streamwire.Modes {
	return streamwire.Modes{streamwire.Null, streamwire.Log, streamwire.Log}
}

func healthUnit(app string) string { return app + ".health" }

// healthOf is the health check that an app's unit has.
func healthOf(a App, props []appspec.Property, l appspec.Life) (*appspec.Health, error) {
	h, err := appspec.HealthOf(a.Spec)
	if err != nil || h == nil {
		return nil, err
	}
	why := unchecked(props, l)
	if why == "" {
		return h, nil
	}
	if h.Ready || h.OnFailure != appspec.HealthNone {
		return nil, fmt.Errorf("its health cannot be checked: %s (--no-healthcheck leaves the check out)", why)
	}
	return nil, nil
}

// unchecked says why an app's health cannot be checked, "" if it can be.
func unchecked(props []appspec.Property, l appspec.Life) string {
	if l.Init || appType(props, l) == "oneshot" {
		return "it runs to its end"
	}
	for _, p := range props {
		if filters(p.Name) {
			return "only systemd can make its system call filter (" + p.Name + "=), and not for a command that joins the app"
		}
	}
	return ""
}

// HealthGap says why the health check that an app's image has is left out, "" if it is
// not.
func HealthGap(a App) string {
	h, err1 := appspec.HealthOf(a.Spec)
	props, err2 := appspec.Properties(a.Spec)
	l, err3 := appspec.LifeOf(a.Spec)
	if err1 != nil || err2 != nil || err3 != nil || h == nil {
		return ""
	}
	return unchecked(props, l)
}

// deadline is how long after its start an app has to be healthy.
func (l life) deadline() time.Duration {
	return l.health.StartPeriod + time.Duration(l.health.Retries)*l.health.Interval
}

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// healthBegins is the command by which the app's start begins its record, and waits for
// its health where that is wanted.
func (l life) healthBegins(p Pod, a App, c command, m streamwire.Modes) []string {
	argv := []string{HealthPath}
	if c.systemdRoot {
		argv = []string{innerHealthPath, "-p"}
	}
	argv = append(append(argv, journalArgs(p.Log, a.Name, m)...), "-s")
	if !l.health.Ready {
		return append(argv, a.Name)
	}
	argv = append(argv, "-y", milliseconds(l.deadline()), "-i", milliseconds(l.health.StartInterval))
	return append(argv, l.checkArgs(a)...)
}

// checkArgs are the arguments of every check: how long it may take, and the command with
// what join holds it to.
func (l life) checkArgs(a App) []string {
	h, proc := l.health, a.Spec.Process
	args := []string{"-t", milliseconds(h.Timeout)}
	for _, g := range a.Groups {
		args = append(args, "-g", groupFile(a, g))
	}
	set := propertySet(l.props)
	if ownCapabilities(set) {
		args = append(args, "-B")
	}
	u := proc.User
	join := []string{"-u", number(u.UID), "-g", number(u.GID)}
	groups := slices.Clone(u.AdditionalGids)
	if u.UID != 0 || u.GID != 0 {
		groups = append(groups, u.GID) // as initgroups(3) has it, which systemd calls
	}
	slices.Sort(groups)
	for _, g := range slices.Compact(groups) {
		join = append(join, "-G", number(g))
	}
	umask := uint32(0o022)
	if u.Umask != nil {
		umask = *u.Umask
	}
	join = append(join, "-w", proc.Cwd, "-d", "-k", strconv.FormatUint(uint64(umask), 8))
	if !ownCapabilities(set) {
		bounding, ambient := appCapabilities(a, needsSystemdRoot(set))
		join = append(join, "-b", strconv.FormatUint(capset.Mask(bounding), 16), "-a", strconv.FormatUint(capset.Mask(ambient), 16))
	}
	if proc.NoNewPrivileges || value(l.props, "NoNewPrivileges") == "yes" || value(l.props, "NoNewPrivileges") == "true" {
		join = append(join, "-n")
	}
	if hasFilter(a) {
		join = append(join, "-f", FilterPath(a.Name))
	}
	args = append(append(append(args, a.Name, "--"), join...), "--")
	return append(args, h.Argv...)
}

func number(id uint32) string { return strconv.FormatUint(uint64(id), 10) }

// firstCheck is when the first check is due after the app's start.
func (l life) firstCheck() time.Duration {
	if l.health.Ready {
		return l.health.Interval
	}
	return l.health.StartInterval
}

// healthFile renders the unit that checks once.
func (l life) healthFile(p Pod, a App) (*unitfile.File, error) {
	h := l.health
	f := newUnit("Health of " + a.Name)
	f.Words("Conflicts", "shutdown.target")
	f.Words("Before", "shutdown.target")
	f.Units("BindsTo", unitName(a.Name))
	f.Units("After", unitName(a.Name))
	f.Section("Service")
	f.Set("Type", "oneshot")
	// Checks come and go: what systemd says of that is of no use to anybody.
	f.Set("LogLevelMax", "notice")
	f.Set("TimeoutStartSec", milliseconds(h.Timeout+startSlack)+"ms")
	output(f, p.Log, a.Name)
	for _, e := range a.Spec.Process.Env {
		name, v, _ := strings.Cut(e, "=")
		if unitfile.EnvError(name, v) == nil {
			f.Env("Environment", name, v)
		}
	}
	// Timers are early by up to their accuracy.
	argv := append([]string{HealthPath}, journalArgs(p.Log, a.Name, checkModes())...)
	argv = append(argv, "-d", milliseconds(l.firstCheck()/2), "-r", strconv.Itoa(h.Retries), "-S", milliseconds(h.StartPeriod), "-a", h.OnFailure)
	f.Exec("ExecStart", "", append(argv, l.checkArgs(a)...))
	return f, f.Err()
}

// healthTimer renders the unit that says when to check. It lives as long as each run of
// the app.
func (l life) healthTimer() *unitfile.File {
	f := newUnit("Health of " + l.name)
	f.Words("Conflicts", "shutdown.target")
	f.Words("Before", "shutdown.target")
	f.Units("BindsTo", unitName(l.name))
	f.Units("After", unitName(l.name))
	f.Section("Timer")
	f.Set("OnActiveSec", milliseconds(l.firstCheck())+"ms")
	f.Set("OnUnitInactiveSec", milliseconds(l.health.Interval)+"ms")
	const coarsest = time.Second
	f.Set("AccuracySec", milliseconds(max(time.Millisecond, min(coarsest, l.health.Interval/10)))+"ms")
	f.Units("Unit", healthUnit(l.name)+".service")
	return f
}
