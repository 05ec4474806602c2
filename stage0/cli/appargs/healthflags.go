package appargs

import (
	"errors"
	"strconv"
	"time"

	"github.com/raket/raket/pkg/appspec"
)

// healthFlags say how it is found out that an app is well, and what follows; in podman's
// words.
func healthFlags() []flag {
	f := func(name, arg, usage string, words []string, set func(*appspec.HealthOverride, string) error) flag {
		return flag{
			Flag: Flag{Name: name, Arg: arg, Usage: usage, Scope: ForApp, Words: words},
			app: func(a *App, v string) error {
				if err := set(&a.Override.Health, v); err != nil {
					return err
				}
				return appspec.New().Apply(appspec.Override{Health: a.Override.Health})
			},
		}
	}
	span := func(name, usage string, field func(*appspec.HealthOverride) *time.Duration) flag {
		return f(name, "DURATION", usage, nil, func(h *appspec.HealthOverride, v string) error { return setDuration(field(h), v) })
	}
	off := f("no-healthcheck", "", "do not run the image's health check", nil,
		func(h *appspec.HealthOverride, v string) error { return setBool(&h.Off, v) })
	off.bare = "true"
	return []flag{
		f("health-cmd", "COMMAND", "a shell's command line that succeeds while the app is healthy, a JSON array, or none", []string{"none"},
			func(h *appspec.HealthOverride, v string) error { return setWord(&h.Cmd, v) }),
		span("health-interval", "the time between two checks (30s where nothing is said)", func(h *appspec.HealthOverride) *time.Duration { return &h.Interval }),
		f("health-on-failure", "ACTION", "what to do with an unhealthy app: none; kill, so that it has failed; restart; stop", appspec.HealthActions(),
			func(h *appspec.HealthOverride, v string) error {
				return oneOf(appspec.HealthActions(), &h.OnFailure, v)
			}),
		f("health-retries", "N", "how many checks in a row have to fail (3 where nothing is said)", nil, setRetries),
		span("health-start-interval", "the longest time between two checks while the start waits for health (5s where nothing is said)",
			func(h *appspec.HealthOverride) *time.Duration { return &h.StartInterval }),
		span("health-start-period", "how long after the app's start failures do not count", func(h *appspec.HealthOverride) *time.Duration { return &h.StartPeriod }),
		span("health-timeout", "how long a check may take (30s where nothing is said)", func(h *appspec.HealthOverride) *time.Duration { return &h.Timeout }),
		off,
		f("sdnotify", "WHEN", "healthy: the app counts as started when it is healthy; container: when it has started as --type says", []string{"container", "healthy"}, setSdnotify),
	}
}

func setDuration(into *time.Duration, v string) error {
	d, err := time.ParseDuration(v)
	if n, notNumber := strconv.ParseUint(v, 10, 31); notNumber == nil {
		d, err = time.Duration(n)*time.Second, nil
	}
	if err != nil || d < time.Millisecond {
		return errors.New("must be a duration, as 10s or 1m30s")
	}
	*into = d
	return nil
}

func setRetries(h *appspec.HealthOverride, v string) error {
	n, err := strconv.ParseUint(v, 10, 16)
	if err != nil || n == 0 {
		return errors.New("must be a number from 1 on")
	}
	h.Retries = int(n)
	return nil
}

func setSdnotify(h *appspec.HealthOverride, v string) error {
	var word string
	err := oneOf([]string{"container", "healthy"}, &word, v)
	h.Ready = word == "healthy"
	return err
}
