package appargs

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/raket/raket/pkg/appspec"
)

func TestFlagsOfAnAppsLife(t *testing.T) {
	prop := func(name, value string) appspec.Property { return appspec.Property{Name: name, Value: value} }
	for name, tt := range map[string]struct {
		args  []string
		life  appspec.Life
		props []appspec.Property
	}{
		"order": {
			[]string{"--after=b,c", "--after=b", "--requires=c", "--binds-to=b"},
			appspec.Life{After: []string{"b", "c"}, Requires: []string{"c"}, BindsTo: []string{"b"}}, nil,
		},
		"an init app":           {[]string{"--init", "--type=oneshot"}, appspec.Life{Init: true}, nil},
		"no init app after all": {[]string{"--init", "--init=false"}, appspec.Life{}, nil},
		"times": {
			[]string{"--restart-delay=5", "--restart-steps=4", "--restart-max-delay=1m30s", "--watchdog=500ms", "--runtime-max=1h", "--start-timeout=infinity"},
			appspec.Life{},
			[]appspec.Property{
				prop("RestartSec", "5000ms"), prop("RestartSteps", "4"), prop("RestartMaxDelaySec", "90000ms"), prop("WatchdogSec", "500ms"),
				prop("RuntimeMaxSec", "3600000ms"), prop("TimeoutStartSec", "infinity"),
			},
		},
		"who may notify": {[]string{"--notify-access=all"}, appspec.Life{}, []appspec.Property{prop("NotifyAccess", "all")}},
		"a timer": {
			[]string{"--on-active=10s", "--on-calendar=*:0/15", "--on-calendar=Mon 04:00 %", "--on-unit-inactive=1m", "--on-unit-active=2m"},
			appspec.Life{Timer: []appspec.Property{
				prop("OnActiveSec", "10000ms"), prop("OnCalendar", "*:0/15"), prop("OnCalendar", "Mon 04:00 %%"),
				prop("OnUnitInactiveSec", "60000ms"), prop("OnUnitActiveSec", "120000ms"),
			}}, nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := Parse(append([]string{"x", "--name=b", "x", "--name=c", "x", "--name=a"}, tt.args...), Options{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.life, p.Apps[2].Override.Life); diff != "" {
				t.Errorf("life (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.props, p.Apps[2].Override.Properties); diff != "" {
				t.Errorf("properties (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLivesThatCannotBe(t *testing.T) {
	for name, tt := range map[string]struct {
		args []string
		want string
	}{
		"an unknown app":         {[]string{"x", "--name=a", "--after=b"}, `app a depends on "b", and the pod has no app of that name`},
		"itself":                 {[]string{"x", "--name=a", "--requires=a"}, "app a depends on itself"},
		"a circle":               {[]string{"x", "--name=a", "--after=b", "x", "--name=b", "--requires=c", "x", "--name=c", "--binds-to=a"}, "apps wait for each other: a after b after c after a"},
		"a circle of init apps":  {[]string{"x", "--name=a", "--init", "--after=b", "x", "--name=b", "--init", "x", "--name=c"}, "apps wait for each other: a after b after a"},
		"init apps alone":        {[]string{"x", "--name=a", "--init"}, "all apps are init apps: there is none to start after them"},
		"an init app of a type":  {[]string{"x", "--init", "--type=notify", "x"}, "--init runs the app to its end, and excludes --type=notify"},
		"an init app that waits": {[]string{"x", "--name=a", "--init", "--after=b", "x", "--name=b"}, "init app a depends on b, which starts only after it"},
		"an init app by a timer": {[]string{"x", "--name=a", "--init", "--on-active=1s", "x", "--name=b"}, `"x": an init app starts with the pod, not by a timer`},
		"a wait for a timer":     {[]string{"x", "--name=a", "--after=b", "x", "--name=b", "--on-active=1s"}, "app a depends on b, which a timer starts"},
		"a timer without a start": {[]string{"x", "--on-unit-active=1s"},
			`"x": a timer needs a first start: a time after the pod's start, or one of the calendar`},
		"no name":        {[]string{"x", "--after=B"}, `bad value "B" for --after: a name is made of lower case letters, digits and single hyphens between them, 63 at most`},
		"no duration":    {[]string{"x", "--restart-delay=soon"}, `bad value "soon" for --restart-delay: must be a duration, as 10s or 1m30s`},
		"no time at all": {[]string{"x", "--watchdog=0"}, `bad value "0" for --watchdog: must be a duration, as 10s or 1m30s`},
		"no limit":       {[]string{"x", "--runtime-max=ever"}, `bad value "ever" for --runtime-max: must be a duration, as 10s or 1m30s, or infinity`},
		"no steps":       {[]string{"x", "--restart-steps=0"}, `bad value "0" for --restart-steps: must be a number from 1 on`},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Parse(tt.args, Options{}); err == nil || err.Error() != tt.want {
				t.Errorf("error %v, want %s", err, tt.want)
			}
		})
	}
}

// The name of an app that is named after its image is not known yet.
func TestAnAppMayDependOnOneWithoutAName(t *testing.T) {
	if _, err := Parse([]string{"x", "--name=a", "--after=b", "b"}, Options{}); err != nil {
		t.Error(err)
	}
}
