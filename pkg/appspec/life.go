package appspec

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Annotations that say how an app's life hangs together with that of others and
// with the clock. Only an operator sets them.
const (
	// AnnotationAfter, AnnotationRequires and AnnotationBindsTo hold names of apps,
	// separated by spaces.
	AnnotationAfter    = "io.raket.after"
	AnnotationRequires = "io.raket.requires"
	AnnotationBindsTo  = "io.raket.binds-to"
	// AnnotationInit is "true" for an app that runs to its end before others start.
	AnnotationInit = "io.raket.init"
	// AnnotationTimer holds lines DIRECTIVE=VALUE of systemd.timer(5).
	AnnotationTimer = "io.raket.timer"
	// AnnotationNotifyHost is "false" for an app whose notifications (sd_notify(3)) are
	// for the pod alone.
	AnnotationNotifyHost = "io.raket.notify-host"
)

// Life is how an app's life hangs together with that of others and with the clock.
type Life struct {
	// After are apps that have to be up before this one starts, and stop after it.
	After []string
	// Requires are such that this app is not started without, too, and is stopped and
	// restarted with.
	Requires []string
	// BindsTo are such that this app ends with, too, however they end, and starts with
	// again.
	BindsTo []string
	// Init: the app runs to its end, once, before those start that are not Init; several
	// do so one after another.
	Init bool
	// Timer has directives of systemd.timer(5) that say when the app starts; empty: with
	// the pod.
	Timer []Property
	// Unforwarded: what the app says of itself is not passed on to the host.
	Unforwarded bool
}

// TimerDirectives are those that an app's timer may have.
func TimerDirectives() []string {
	return []string{"OnActiveSec", "OnUnitActiveSec", "OnUnitInactiveSec", "OnCalendar", "AccuracySec", "RandomizedDelaySec", "FixedRandomDelay"}
}

// LifeOf returns what a spec's annotations say.
func LifeOf(spec *Spec) (Life, error) {
	var l Life
	for _, list := range l.lists() {
		for name := range strings.SplitSeq(spec.Annotations[list.annotation], " ") {
			if name != "" {
				*list.names = append(*list.names, name)
			}
		}
	}
	if err := boolAnnotation(spec, AnnotationInit, &l.Init); err != nil {
		return Life{}, err
	}
	forwarded := true
	if err := boolAnnotation(spec, AnnotationNotifyHost, &forwarded); err != nil {
		return Life{}, err
	}
	l.Unforwarded = !forwarded
	if text := spec.Annotations[AnnotationTimer]; text != "" {
		for line := range strings.SplitSeq(text, "\n") {
			name, value, _ := strings.Cut(line, "=")
			l.Timer = append(l.Timer, Property{Name: name, Value: value})
		}
	}
	return l, l.check()
}

// boolAnnotation reads an annotation that is true or false; what has none stays as it is.
func boolAnnotation(spec *Spec, name string, to *bool) error {
	v, ok := spec.Annotations[name]
	if !ok {
		return nil
	}
	b, err := strconv.ParseBool(v)
	if err != nil {
		return fmt.Errorf("annotation %s: %q is neither true nor false", name, v)
	}
	*to = b
	return nil
}

type lifeList struct {
	annotation string
	names      *[]string
}

func (l *Life) lists() []lifeList {
	return []lifeList{{AnnotationAfter, &l.After}, {AnnotationRequires, &l.Requires}, {AnnotationBindsTo, &l.BindsTo}}
}

func (l *Life) check() error {
	for _, list := range l.lists() {
		for _, name := range *list.names {
			if !isAppName(name) {
				return fmt.Errorf("annotation %s: %q is not the name of an app", list.annotation, name)
			}
		}
	}
	starts := false
	for _, p := range l.Timer {
		if !slices.Contains(TimerDirectives(), p.Name) {
			return fmt.Errorf("annotation %s: %q is no directive of a timer that an app may have", AnnotationTimer, p.Name)
		}
		if err := p.check(); err != nil {
			return err
		}
		if strings.TrimSpace(p.Value) == "" {
			return fmt.Errorf("annotation %s: %s has no value", AnnotationTimer, p.Name)
		}
		starts = starts || p.Name == "OnActiveSec" || p.Name == "OnCalendar"
	}
	switch {
	case len(l.Timer) > 0 && l.Init:
		return errors.New("an init app starts with the pod, not by a timer")
	case len(l.Timer) > 0 && !starts:
		return errors.New("a timer needs a first start: a time after the pod's start, or one of the calendar")
	}
	return nil
}

// isAppName is the shape of appc's AC Name (appc spec, "AC Name Type").
func isAppName(s string) bool {
	return s != "" && len(s) <= 63 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == "" &&
		s[0] != '-' && s[len(s)-1] != '-' && !strings.Contains(s, "--")
}

// applyLife sets the annotations, in place of what they had.
func (a *App) applyLife(l Life) error {
	if err := l.check(); err != nil {
		return err
	}
	for _, list := range l.lists() {
		if len(*list.names) > 0 {
			a.Spec.Annotations[list.annotation] = strings.Join(*list.names, " ")
		}
	}
	if l.Init {
		a.Spec.Annotations[AnnotationInit] = "true"
	}
	if l.Unforwarded {
		a.Spec.Annotations[AnnotationNotifyHost] = "false"
	}
	var lines []string
	for _, p := range l.Timer {
		lines = append(lines, p.Name+"="+p.Value)
	}
	if len(lines) > 0 {
		a.Spec.Annotations[AnnotationTimer] = strings.Join(lines, "\n")
	}
	_, err := LifeOf(a.Spec)
	return err
}

// Ordered is an app among others.
type Ordered struct {
	Name string
	Life
}

// CheckOrder says what is wrong with how apps of a pod depend on each other. Unknown
// says that there are apps, not among these, whose names are not known.
func CheckOrder(apps []Ordered, unknown bool) error {
	byName := map[string]Ordered{}
	others := unknown || len(apps) == 0
	for _, a := range apps {
		byName[a.Name] = a
		others = others || !a.Init
	}
	if !others {
		return errors.New("all apps are init apps: there is none to start after them")
	}
	for _, a := range apps {
		for _, list := range a.lists() {
			for _, name := range *list.names {
				b, ok := byName[name]
				switch {
				case name == a.Name:
					return fmt.Errorf("app %s depends on itself", name)
				case !ok && unknown:
				case !ok:
					return fmt.Errorf("app %s depends on %q, and the pod has no app of that name", a.Name, name)
				case a.Init && !b.Init:
					return fmt.Errorf("init app %s depends on %s, which starts only after it", a.Name, name)
				case len(b.Timer) > 0:
					return fmt.Errorf("app %s depends on %s, which a timer starts", a.Name, name)
				}
			}
		}
	}
	return checkCycles(apps, byName)
}

// Needs are the apps that have to be up before this one starts, each once.
func (o Ordered) Needs() []string {
	var names []string
	for _, name := range slices.Concat(o.After, o.Requires, o.BindsTo) {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// checkCycles follows the order that apps ask for. Init apps wait for those before
// them in the list.
func checkCycles(apps []Ordered, byName map[string]Ordered) error {
	needs := map[string][]string{}
	last := ""
	for _, a := range apps {
		needs[a.Name] = a.Needs()
		if a.Init {
			if last != "" {
				needs[a.Name] = append(needs[a.Name], last)
			}
			last = a.Name
		}
	}
	done := map[string]bool{}
	var path []string
	var visit func(string) error
	visit = func(name string) error {
		if i := slices.Index(path, name); i >= 0 {
			return fmt.Errorf("apps wait for each other: %s", strings.Join(append(path[i:], name), " after "))
		}
		if _, known := byName[name]; !known || done[name] {
			return nil
		}
		path = append(path, name)
		for _, n := range needs[name] {
			if err := visit(n); err != nil {
				return err
			}
		}
		path = path[:len(path)-1]
		done[name] = true
		return nil
	}
	for _, a := range apps {
		if err := visit(a.Name); err != nil {
			return err
		}
	}
	return nil
}

// ParseSpan reads a time span: a number of seconds, or Go's form as 1m30s. forever,
// where it is not "", is a word that is taken too.
func ParseSpan(v, forever string) (Span, error) {
	if forever != "" && v == forever {
		return Span(forever), nil
	}
	d, err := time.ParseDuration(v)
	if n, notNumber := strconv.ParseUint(v, 10, 31); notNumber == nil {
		d, err = time.Duration(n)*time.Second, nil
	}
	const shortest = time.Millisecond // systemd takes 0 for "never"
	if err != nil || d < shortest {
		if forever != "" {
			return "", fmt.Errorf("must be a duration, as 10s or 1m30s, or %s", forever)
		}
		return "", errors.New("must be a duration, as 10s or 1m30s")
	}
	return Span(strconv.FormatInt(d.Milliseconds(), 10) + "ms"), nil
}

// Span is a time span as systemd reads it (systemd.time(7)).
type Span string
