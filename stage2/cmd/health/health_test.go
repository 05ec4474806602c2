package main

import (
	"strings"
	"testing"
	"time"
)

func TestRecordsAreReadBack(t *testing.T) {
	want := record{status: unhealthy, failing: 3, exit: timedOut, began: time.Unix(1700000000, 5), checked: time.Unix(1700000001, 0), main: 7, output: "a\n\nb"}
	text := "status=unhealthy\nfailing=3\nbegan=" + stamp(want.began) + "\nmain=7\nexit=-1\nchecked=" + stamp(want.checked) + "\n\na\n\nb"
	got, err := parseRecord(text)
	if err != nil || got != want {
		t.Errorf("%v, %+v", err, got)
	}
	for _, bad := range []string{"", "status=healthy\n", "failing=x\n\n"} {
		if _, err := parseRecord(bad); err == nil {
			t.Errorf("%q is no record", bad)
		}
	}
}

func TestJudgements(t *testing.T) {
	o := options{retries: 2, startPeriod: time.Minute}
	late, early := time.Now().Add(-time.Hour), time.Now()
	for name, tt := range map[string]struct {
		before record
		exits  []int
		status string
		fails  int
	}{
		"well at once":                            {record{status: starting, began: early}, []int{0}, healthy, 0},
		"failures in the start period":            {record{status: starting, began: early}, []int{1, 1, 1}, starting, 0},
		"failures after it":                       {record{status: starting, began: late}, []int{1, 1}, unhealthy, 2},
		"one failure":                             {record{status: healthy, began: late}, []int{1}, healthy, 1},
		"one failure, forgotten":                  {record{status: healthy, began: late}, []int{1, 0, 1}, healthy, 1},
		"well once, failures in the start period": {record{status: starting, began: early}, []int{0, 1, 1}, unhealthy, 2},
		"well again":                              {record{status: unhealthy, failing: 5, began: late}, []int{0}, healthy, 0},
		"too slow":                                {record{status: healthy, began: late}, []int{timedOut, timedOut}, unhealthy, 2},
	} {
		t.Run(name, func(t *testing.T) {
			r := tt.before
			for _, exit := range tt.exits {
				r.judge(o, result{asked: true, exit: exit})
			}
			if r.status != tt.status || r.failing != tt.fails {
				t.Errorf("%s, %d failures", r.status, r.failing)
			}
		})
	}
}

func TestWhatIsSaidOfAnUnhealthyAppIsALine(t *testing.T) {
	for want, r := range map[string]record{
		`app a is unhealthy: the check exited with status 1: "no\x1b[2J"`: {exit: 1, output: "no\x1b[2J\nmore"},
		"app a is unhealthy: the check took too long":                     {exit: timedOut},
	} {
		if got := complaint("a", r); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	if got := complaint("a", record{output: strings.Repeat("x", 5000)}); len(got) > 300 {
		t.Errorf("%d bytes", len(got))
	}
}

func TestCommandLinesOfStage1(t *testing.T) {
	o, err := parse([]string{"-h", "web", "-u", "w.service", "-d", "500", "-r", "3", "-S", "1000", "-a", "restart", "-t", "2000", "-g", "/g/tasks", "-B", "web", "--", "-u", "1", "--", "/bin/true", "-s"})
	if err != nil || o.app != "web" || o.delay != 500*time.Millisecond || o.retries != 3 || o.action != "restart" || !o.mainCapabilities || strings.Join(o.join, " ") != "-u 1 -- /bin/true -s" {
		t.Errorf("%v, %+v", err, o)
	}
	for _, bad := range [][]string{{}, {"web"}, {"-s"}, {"-t", "x", "web", "--"}, {"-t"}, {"-x", "1", "web", "--"}, {"--", "web"}, {"-s", "-y", "5", "web"}, {"-t", "-5", "web", "--"}} {
		if _, err := parse(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}
