package main

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"time"
)

// statusDir is where the pod's directory on the host's disk keeps what is known of apps.
const statusDir = "/raket/status/"

// The states of an app's health.
const (
	starting  = "starting"
	healthy   = "healthy"
	unhealthy = "unhealthy"
)

// timedOut is the exit status on record of a check that took too long.
const timedOut = -1

// maxOutput bounds what is kept of what a check prints.
const maxOutput = 4096

// record is what is known of an app's health: a file of lines KEY=VALUE, an empty line,
// and the beginning of what the last check printed; replaced in one step.
//
//	status=unhealthy            starting, healthy, unhealthy
//	failing=3                   checks in a row that have failed, and count
//	exit=1                      of the last check; -1 if it took too long
//	began=1700000000.000000000  the app's start
//	checked=1700000001.000000000
//	main=7                      the app's main process, as the pod counts
type record struct {
	status         string
	failing, exit  int
	began, checked time.Time
	main           int
	output         string
}

// judge takes the result of a check.
func (r *record) judge(o options, res result) {
	r.checked, r.exit, r.output = time.Now(), res.exit, res.output
	switch {
	case res.exit == 0:
		r.status, r.failing = healthy, 0
	case r.status == starting && r.checked.Sub(r.began) < o.startPeriod:
		// As Docker has it: until it was healthy once.
	default:
		if r.failing++; r.failing >= o.retries {
			r.status = unhealthy
		}
	}
}

func path(app string) string { return statusDir + ".health-" + app }

func (r record) write(app string) error {
	var b strings.Builder
	b.WriteString("status=" + r.status + "\nfailing=" + strconv.Itoa(r.failing) + "\nbegan=" + stamp(r.began) + "\n")
	if r.main != 0 {
		b.WriteString("main=" + strconv.Itoa(r.main) + "\n")
	}
	if !r.checked.IsZero() {
		b.WriteString("exit=" + strconv.Itoa(r.exit) + "\nchecked=" + stamp(r.checked) + "\n")
	}
	b.WriteString("\n" + r.output)
	tmp := statusDir + ".new-health-" + app
	if err := os.WriteFile(tmp, []byte(b.String()), 0o644); err != nil {
		return err
	}
	return os.Rename(tmp, path(app))
}

func read(app string) (record, error) {
	text, err := os.ReadFile(path(app))
	if err != nil {
		return record{}, err
	}
	return parseRecord(string(text))
}

func parseRecord(text string) (record, error) {
	head, output, ok := strings.Cut(text, "\n\n")
	if !ok {
		return record{}, errors.New("its record is broken")
	}
	r := record{output: output}
	var err error
	for line := range strings.SplitSeq(head, "\n") {
		k, v, _ := strings.Cut(line, "=")
		var e error
		switch k {
		case "status":
			r.status = v
		case "failing":
			r.failing, e = strconv.Atoi(v)
		case "exit":
			r.exit, e = strconv.Atoi(v)
		case "main":
			r.main, e = strconv.Atoi(v)
		case "began":
			r.began, e = parseStamp(v)
		case "checked":
			r.checked, e = parseStamp(v)
		}
		err = errors.Join(err, e)
	}
	return r, err
}

func stamp(t time.Time) string {
	ns := strconv.Itoa(t.Nanosecond())
	return strconv.FormatInt(t.Unix(), 10) + "." + "000000000"[len(ns):] + ns
}

func parseStamp(v string) (time.Time, error) {
	sec, ns, _ := strings.Cut(v, ".")
	a, err1 := strconv.ParseInt(sec, 10, 64)
	b, err2 := strconv.ParseInt(ns, 10, 64)
	return time.Unix(a, b), errors.Join(err1, err2)
}
