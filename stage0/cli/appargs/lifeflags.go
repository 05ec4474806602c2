package appargs

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/raket/raket/pkg/appspec"
)

// lifeFlags say when an app starts, counts as started, is started again and stops.
func lifeFlags() []flag {
	f := func(name, arg, usage string, words []string, set func(*App, string) error) flag {
		return flag{Flag: Flag{Name: name, Arg: arg, Usage: usage, Scope: ForApp, Words: words}, app: set}
	}
	names := func(name, usage string, list func(*App) *[]string) flag {
		return f(name, "APP,…", usage, nil, func(a *App, v string) error { return addNames(list(a), v) })
	}
	span := func(name, directive, forever, usage string) flag {
		var words []string
		if forever != "" {
			words = []string{forever}
		}
		return f(name, "DURATION", usage, words, func(a *App, v string) error { return setSpan(a, directive, forever, v) })
	}
	timer := func(name, directive, usage string) flag {
		return f(name, "DURATION", usage, nil, func(a *App, v string) error {
			s, err := appspec.ParseSpan(v, "")
			a.Override.Life.Timer = append(a.Override.Life.Timer, appspec.Property{Name: directive, Value: string(s)})
			return err
		})
	}
	init := f("init", "", "run the app to its end before those start that are not --init; several one after another", nil,
		func(a *App, v string) error { return setBool(&a.Override.Life.Init, v) })
	init.bare = "true"
	return []flag{
		names("after", "start when these apps of the pod are up, and stop before them", func(a *App) *[]string { return &a.Override.Life.After }),
		names("binds-to", "as --requires, and stop whenever one of these apps ends", func(a *App) *[]string { return &a.Override.Life.BindsTo }),
		init,
		f("notify-access", "WHO", "whose notifications count (systemd's NotifyAccess=)", notifyAccesses(),
			func(a *App, v string) error { return setDirective(a, "NotifyAccess", notifyAccesses(), v) }),
		f("notify-host", "BOOL", "false: what the app says of itself (sd_notify) stays in the pod, and does not reach the host's unit", []string{"true", "false"},
			func(a *App, v string) error {
				forward, err := strconv.ParseBool(v)
				a.Override.Life.Unforwarded = !forward
				return err
			}),
		timer("on-active", "OnActiveSec", "start the app this long after the pod's start, not with it (systemd.timer)"),
		f("on-calendar", "EXPRESSION", "start the app at these times, not with the pod, as \"*:0/15\" or \"Mon 04:00\" (systemd.time)", nil, addCalendar),
		timer("on-unit-active", "OnUnitActiveSec", "start the app again this long after its last start; with --on-active or --on-calendar"),
		timer("on-unit-inactive", "OnUnitInactiveSec", "start the app again this long after its last end; with --on-active or --on-calendar"),
		names("requires", "as --after, do not start without these apps, and stop and restart with them", func(a *App) *[]string { return &a.Override.Life.Requires }),
		span("restart-delay", "RestartSec", "", "how long to wait before a restart (100ms where nothing is said)"),
		span("restart-max-delay", "RestartMaxDelaySec", "", "let the delay grow to this with each restart; with --restart-steps (systemd 254)"),
		f("restart-steps", "N", "in how many restarts the delay grows to --restart-max-delay (systemd 254)", nil,
			func(a *App, v string) error { return setCount(a, "RestartSteps", v) }),
		span("runtime-max", "RuntimeMaxSec", "infinity", "how long the app may run before it is ended, as failed"),
		span("start-timeout", "TimeoutStartSec", "infinity", "how long the app may take to start before that has failed (90s where nothing is said)"),
		span("watchdog", "WatchdogSec", "", "end the app, as failed, when it sends no WATCHDOG=1 for so long"),
	}
}

func notifyAccesses() []string { return []string{"none", "main", "exec", "all"} }

// addNames adds names of apps, separated by commas.
func addNames(into *[]string, v string) error {
	for name := range strings.SplitSeq(v, ",") {
		if err := checkACName(name); err != nil {
			return err
		}
		if !slices.Contains(*into, name) {
			*into = append(*into, name)
		}
	}
	return nil
}

func setSpan(a *App, directive, forever, v string) error {
	s, err := appspec.ParseSpan(v, forever)
	a.addDirective(directive, string(s))
	return err
}

func setDirective(a *App, directive string, words []string, v string) error {
	var word string
	err := oneOf(words, &word, v)
	a.addDirective(directive, word)
	return err
}

func setCount(a *App, directive, v string) error {
	if v == "" || v == "0" || len(v) > 6 || strings.Trim(v, "0123456789") != "" {
		return errors.New("must be a number from 1 on")
	}
	a.addDirective(directive, v)
	return nil
}

func (a *App) addDirective(name, value string) {
	a.Override.Properties = append(a.Override.Properties, appspec.Property{Name: name, Value: value})
}

// addCalendar takes a calendar expression; the pod's systemd is who understands it.
func addCalendar(a *App, v string) error {
	w, err := parseWord(v)
	a.Override.Life.Timer = append(a.Override.Life.Timer, appspec.Property{Name: "OnCalendar", Value: strings.ReplaceAll(w, "%", "%%")})
	return err
}

// checkLife refuses what fits together neither in one app nor among all: an app whose
// name will be its image's counts as one of any name.
func (p *Pod) checkLife(inPod bool) error {
	var apps []appspec.Ordered
	unnamed := inPod // the pod knows
	for _, a := range p.Apps {
		if a.Override.Life.Init && a.Override.Type != "" && a.Override.Type != "oneshot" {
			return errors.New("--init runs the app to its end, and excludes --type=" + a.Override.Type)
		}
		if a.Name == "" {
			unnamed = true
			continue
		}
		apps = append(apps, appspec.Ordered{Name: a.Name, Life: a.Override.Life})
	}
	return appspec.CheckOrder(apps, unnamed)
}
