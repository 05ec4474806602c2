package appspec

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Annotations of health checks beside AnnotationHealthcheck. Only an operator sets them.
const (
	// AnnotationHealthOnFailure is what happens to an app that is unhealthy; see
	// Health.OnFailure.
	AnnotationHealthOnFailure = "io.raket.health-on-failure"
	// AnnotationHealthReady is "true" for an app that counts as started only when it is
	// healthy.
	AnnotationHealthReady = "io.raket.health-ready"
)

// Health is an app's health check.
type Health struct {
	// Argv is executed in the app as the app; 0 means that it is healthy.
	Argv []string
	// Interval is the time between a check's end and the next one's start.
	Interval time.Duration
	// Timeout is how long a check may take.
	Timeout time.Duration
	// Retries is how many checks in a row have to fail for the app to be unhealthy.
	Retries int
	// StartPeriod is how long after the app's start failures do not count.
	StartPeriod time.Duration
	// StartInterval is the longest time between two checks while a start waits for one
	// that succeeds, and that to the first otherwise.
	StartInterval time.Duration
	// OnFailure is one of HealthActions.
	OnFailure string
	// Ready: the app has started when it is healthy.
	Ready bool
}

// What is done about an app that is unhealthy.
const (
	HealthNone    = "none"    // it is on record
	HealthKill    = "kill"    // the app is killed, and so has failed
	HealthRestart = "restart" // the app is started again, whatever its restart policy
	HealthStop    = "stop"    // the app is stopped
)

// HealthActions are the values of Health.OnFailure.
func HealthActions() []string { return []string{HealthNone, HealthKill, HealthRestart, HealthStop} }

// HealthOverride is what flags say of a health check. A zero field leaves what the image
// says.
type HealthOverride struct {
	// Cmd is a shell's command line, "none" for no check, or what begins with [" and is a
	// JSON array: an argument vector, or Docker's Test.
	Cmd           string
	Interval      time.Duration
	Timeout       time.Duration
	StartPeriod   time.Duration
	StartInterval time.Duration
	Retries       int
	OnFailure     string
	Ready         bool
	// Off: no check, whatever the image says.
	Off bool
}

// dockerHealth is Docker's Healthcheck (moby, api/types/container); times are in
// nanoseconds, and 0 is the default.
type dockerHealth struct {
	Test          []string `json:",omitempty"`
	Interval      int64    `json:",omitempty"`
	Timeout       int64    `json:",omitempty"`
	StartPeriod   int64    `json:",omitempty"`
	StartInterval int64    `json:",omitempty"`
	Retries       int      `json:",omitempty"`
}

// Defaults are Docker's.
const (
	defaultHealthTime    = 30 * time.Second
	defaultHealthRetries = 3
	defaultStartInterval = 5 * time.Second
)

// HealthOf returns a spec's health check, nil if there is none.
func HealthOf(spec *Spec) (*Health, error) {
	text, ok := spec.Annotations[AnnotationHealthcheck]
	if !ok {
		return nil, nil
	}
	d, err := parseDockerHealth(text)
	if err != nil {
		return nil, fmt.Errorf("health check: %w", err)
	}
	h, err := d.health()
	if err != nil {
		return nil, fmt.Errorf("health check: %w", err)
	}
	if h == nil {
		return nil, nil
	}
	h.OnFailure = HealthNone
	if v, ok := spec.Annotations[AnnotationHealthOnFailure]; ok {
		if !slices.Contains(HealthActions(), v) {
			return nil, fmt.Errorf("annotation %s: %q is none of %s", AnnotationHealthOnFailure, v, strings.Join(HealthActions(), ", "))
		}
		h.OnFailure = v
	}
	if v, ok := spec.Annotations[AnnotationHealthReady]; ok {
		if h.Ready, err = strconv.ParseBool(v); err != nil {
			return nil, fmt.Errorf("annotation %s: %q is neither true nor false", AnnotationHealthReady, v)
		}
	}
	return h, nil
}

func parseDockerHealth(text string) (dockerHealth, error) {
	var d dockerHealth
	err := decode([]byte(text), &d)
	return d, err
}

// health is nil where nothing is checked.
func (d dockerHealth) health() (*Health, error) {
	argv, err := testArgv(d.Test)
	if err != nil || argv == nil {
		return nil, err
	}
	h := &Health{Argv: argv, Retries: d.Retries}
	for _, t := range []struct {
		name         string
		ns           int64
		into         *time.Duration
		unlessGiven  time.Duration
		mayBeNothing bool
	}{
		{"interval", d.Interval, &h.Interval, defaultHealthTime, false},
		{"timeout", d.Timeout, &h.Timeout, defaultHealthTime, false},
		{"start period", d.StartPeriod, &h.StartPeriod, 0, true},
		{"start interval", d.StartInterval, &h.StartInterval, defaultStartInterval, false},
	} {
		const longest = 365 * 24 * time.Hour
		*t.into = time.Duration(t.ns)
		if t.ns == 0 {
			*t.into = t.unlessGiven
		}
		if *t.into < 0 || *t.into > longest || *t.into < time.Millisecond && !t.mayBeNothing {
			return nil, fmt.Errorf("%s of %v: from 1ms to a year is possible", t.name, time.Duration(t.ns))
		}
	}
	h.StartInterval = min(h.StartInterval, h.Interval)
	const most = 1 << 20
	switch {
	case h.Retries == 0:
		h.Retries = defaultHealthRetries
	case h.Retries < 0 || h.Retries > most:
		return nil, fmt.Errorf("%d retries", h.Retries)
	}
	return h, nil
}

// testArgv reads Docker's Test: nil for none.
func testArgv(test []string) ([]string, error) {
	if len(test) == 0 {
		return nil, nil
	}
	var argv []string
	switch kind, rest := test[0], test[1:]; kind {
	case "NONE":
		return nil, nil
	case "CMD":
		argv = rest
	case "CMD-SHELL":
		argv = append([]string{"/bin/sh", "-c"}, rest...)
		if len(rest) != 1 {
			return nil, fmt.Errorf("CMD-SHELL with %d command lines", len(rest))
		}
	default:
		return nil, fmt.Errorf("test %q is none of NONE, CMD, CMD-SHELL", kind)
	}
	if len(argv) == 0 || argv[0] == "" {
		return nil, errors.New("test without a command")
	}
	return argv, checkProcess(argv, nil)
}

// parse reads the field Cmd.
func (o HealthOverride) test() ([]string, error) {
	text := strings.TrimSpace(o.Cmd)
	switch {
	case text == "":
		return nil, nil
	case text == "none":
		return []string{"NONE"}, nil
	case strings.HasPrefix(text, `["`): // not "[ -e /ok ]"
		var words []string
		if err := json.Unmarshal([]byte(text), &words); err != nil {
			return nil, fmt.Errorf("health command %q is no JSON array of strings", o.Cmd)
		}
		if len(words) > 0 && words[0] != "CMD" && words[0] != "CMD-SHELL" && words[0] != "NONE" {
			words = append([]string{"CMD"}, words...)
		}
		_, err := testArgv(words)
		return words, err
	}
	words := []string{"CMD-SHELL", o.Cmd}
	_, err := testArgv(words)
	return words, err
}

// applyHealth merges what is said with what the image says.
func (a *App) applyHealth(o HealthOverride) error {
	if o == (HealthOverride{}) {
		return nil
	}
	notes := a.Spec.Annotations
	if o.Off {
		if o != (HealthOverride{Off: true}) {
			return errors.New("a health check is both said and refused")
		}
		delete(notes, AnnotationHealthcheck)
		return nil
	}
	var d dockerHealth
	if text, ok := notes[AnnotationHealthcheck]; ok {
		var err error
		if d, err = parseDockerHealth(text); err != nil {
			return fmt.Errorf("health check: %w", err)
		}
	}
	test, err := o.test()
	if err != nil {
		return err
	}
	if test != nil {
		d.Test = test
	}
	for _, t := range []struct {
		said time.Duration
		into *int64
	}{{o.Interval, &d.Interval}, {o.Timeout, &d.Timeout}, {o.StartPeriod, &d.StartPeriod}, {o.StartInterval, &d.StartInterval}} {
		if t.said != 0 {
			*t.into = int64(t.said)
		}
	}
	if o.Retries != 0 {
		d.Retries = o.Retries
	}
	if o.OnFailure != "" {
		notes[AnnotationHealthOnFailure] = o.OnFailure
	}
	if o.Ready {
		notes[AnnotationHealthReady] = "true"
	}
	return a.setHealth(d)
}

func (a *App) setHealth(d dockerHealth) error {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(d); err != nil {
		return err
	}
	a.Spec.Annotations[AnnotationHealthcheck] = strings.TrimSpace(text.String())
	_, err := HealthOf(a.Spec)
	return err
}

// resolveHealth finds the program of a health check in the app's root. One that is not
// there, or not yet, is the check's failure and not the app's.
func (a *App) resolveHealth(root Root) error {
	h, err := HealthOf(a.Spec)
	if err != nil {
		return err
	}
	if h == nil {
		for _, name := range []string{AnnotationHealthOnFailure, AnnotationHealthReady} {
			if _, said := a.Spec.Annotations[name]; said {
				return errors.New("it says what follows from a health check and has none: --health-cmd= says what to execute")
			}
		}
		return nil
	}
	argv, err := a.lookArgv(root, h.Argv)
	if err != nil {
		argv = slices.Clone(h.Argv)
		if !path.IsAbs(argv[0]) {
			argv[0] = "/usr/bin/" + path.Base(argv[0]) // execve(2) takes paths, and the check says what it lacks
		}
	}
	if slices.Equal(argv, h.Argv) {
		return nil
	}
	d, err := parseDockerHealth(a.Spec.Annotations[AnnotationHealthcheck])
	if err != nil {
		return err
	}
	d.Test = append([]string{"CMD"}, argv...)
	return a.setHealth(d)
}
