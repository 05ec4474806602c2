package main

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/raket/raket/pkg/journalstream"
	"github.com/raket/raket/stage2/bare"
)

// Relative to the pod's root: statusDir is where the ends of apps are written, a
// directory of the pod's on the host's disk; in unitsDir systemd keeps notes on
// its units.
const (
	statusDir = "raket/status"
	unitsDir  = "run/systemd/units"
	// memoryGroups has the apps' groups of the legacy hierarchy for memory. How often the
	// kernel has killed in one for lack of memory stands in it.
	memoryGroups = "raket/groups/memory"
)

const pathFlags = unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC

// record writes below root, a directory, how the app's last run ended, as systemd tells the commands of
// ExecStopPost= (systemd.exec, "$EXIT_CODE, $EXIT_STATUS"): a file of lines
// KEY=VALUE, replaced in one step.
//
//	result=exit-code     $SERVICE_RESULT
//	code=exited          exited, killed, dumped; absent if nothing was executed
//	status=7             the exit status or, of killed and dumped, the signal's name
//	started=1700000000.000000000
//	finished=1700000001.000000000
//	runs=1               how many runs of the app have ended
//	oom-kills=1          of a control group of the legacy hierarchy: how often the
//	                     kernel has killed in it
//
// It runs without Go's runtime: each app of each pod comes here, when it ends.
func record(root int, p bare.Process, o options) bare.Failure {
	app := o.record.Text()
	const step = "record how the app ended"
	if !recordable(app) {
		return bare.Failure{Step: step, What: app, Why: "not an app's name"}
	}
	sec, nsec, errno := bare.Now()
	if errno != 0 {
		return bare.Check("look at the time", "", errno)
	}
	result, code, status := variable(p, "SERVICE_RESULT"), variable(p, "EXIT_CODE"), variable(p, "EXIT_STATUS")
	var before, memory note
	before.read(root, statusDir, app, "")
	group := app
	if o.group != "" {
		group = o.group.Text()
	}
	memory.read(root, memoryGroups, group, "/memory.oom_control")
	// On the unified hierarchy systemd finds this out itself.
	kills, last := memory.value("oom_kill "), before.value("oom-kills=")
	if last == "" {
		last = "0"
	}
	if kills != "" && kills != last && result != "success" {
		result = "oom-kill"
	}
	var began bare.Text
	startOf(&began, root, app)
	started := began.Str().Text()
	// systemd that restarts a unit directly leaves the time of its first start: that alone does
	// not tell a run from another.
	if result == "success" && started != "" && before.value("started=") == started && before.value("runs=") == "" {
		return bare.Failure{} // recorded at its end, by recordDone
	}
	var text bare.Text
	line(&text, "result=", result)
	line(&text, "code=", code)
	line(&text, "status=", status)
	line(&text, "started=", started)
	text.Add("finished=")
	stamp(&text, sec, nsec)
	text.Add("\nruns=")
	text.AddUint(1+before.number("runs="), 1)
	text.Add("\n")
	line(&text, "oom-kills=", kills)
	if bad := replace(root, app, text.Bytes()); bad.Failed() {
		return bad
	}
	if result == "success" {
		return markStopped(root, app)
	}
	complain(app, result, code, status, o.identifier != "" && (o.errorsLog || bare.SameFile(1, 2)))
	return bare.Failure{}
}

// recordable reports whether an app may have the name. Those with dots are the directory's own.
func recordable(app string) bool {
	for i := range len(app) {
		if app[i] == '/' || app[i] == '.' || app[i] == '\n' {
			return false
		}
	}
	return app != ""
}

func variable(p bare.Process, name string) string {
	v, _ := p.Getenv(name)
	return v.Text()
}

func line(t *bare.Text, key, value string) {
	if value != "" {
		t.Add(key)
		t.Add(value)
		t.Add("\n")
	}
}

// note is the beginning of a small file; nothing if it cannot be read.
type note struct {
	b [1024]byte
	n int
}

// read reads dir/name+rest below root.
func (f *note) read(root int, dir, name, rest string) {
	var path bare.Text
	path.Add(dir)
	path.Add("/")
	path.Add(name)
	path.Add(rest)
	fd, errno := bare.OpenAt(root, path.Str(), unix.O_RDONLY|unix.O_NOFOLLOW, 0)
	if errno != 0 {
		return
	}
	if n, errno := bare.Read(fd, f.b[:]); errno == 0 {
		f.n = n
	}
	bare.Close(fd)
}

// value is the rest of the line that begins with key.
func (f *note) value(key string) string {
	for at := 0; at < f.n; {
		end := at
		for end < f.n && f.b[end] != '\n' {
			end++
		}
		if end-at >= len(key) && string(f.b[at:at+len(key)]) == key {
			rest := f.b[at+len(key) : end]
			return unsafe.String(unsafe.SliceData(rest), len(rest))
		}
		at = end + 1
	}
	return ""
}

// number is a value that is a decimal number; 0 if it is none.
func (f *note) number(key string) uint64 {
	n := uint64(0)
	for _, c := range []byte(f.value(key)) {
		if c < '0' || c > '9' || n > 1<<32 {
			return 0
		}
		n = n*10 + uint64(c-'0')
	}
	return n
}

// startOf adds when the app's present or last run began, nothing if that is not known:
// systemd makes a link at the start of each.
func startOf(t *bare.Text, root int, app string) {
	var path bare.Text
	path.Add(unitsDir + "/invocation:")
	path.Add(app)
	path.Add(".service")
	if sec, nsec, errno := bare.Modified(root, path.Str()); errno == 0 {
		stamp(t, sec, nsec)
	}
}

// replace writes the app's file, which its readers see whole or not at all.
func replace(root int, app string, text []byte) bare.Failure {
	dir, errno := bare.OpenAt(root, statusDir+"\x00", pathFlags, 0)
	if errno != 0 {
		return bare.Check("open", statusDir, errno)
	}
	var tmp, name bare.Text
	tmp.Add(".new-")
	tmp.Add(app)
	name.Add(app)
	fd, errno := bare.OpenAt(dir, tmp.Str(), unix.O_WRONLY|unix.O_CREAT|unix.O_TRUNC|unix.O_NOFOLLOW, 0o644)
	if errno == 0 {
		errno = bare.Write(fd, text)
		bare.Close(fd)
	}
	if errno == 0 {
		errno = bare.RenameAt(dir, tmp.Str(), name.Str())
	}
	bare.Close(dir)
	return bare.Check("write", app, errno)
}

// complain says how an app failed, among the app's own last words: systemd in
// the pod has nowhere to say it.
func complain(app, result, code, status string, inJournal bool) {
	var msg bare.Text
	if inJournal {
		msg.Add(journalstream.ErrorPrefix)
	}
	complaint(&msg, app, result, code, status)
	bare.Write(2, msg.Bytes())
}

func complaint(msg *bare.Text, app, result, code, status string) {
	msg.Add("raket: app ")
	msg.Add(app)
	switch code {
	case "exited":
		msg.Add(" exited with status ")
		msg.Add(status)
	case "killed", "dumped":
		msg.Add(" was killed by SIG")
		msg.Add(status)
	default:
		msg.Add(" was not started")
	}
	switch result {
	case "exit-code", "signal", "core-dump":
	default:
		msg.Add(" (")
		msg.Add(result)
		msg.Add(")")
	}
	msg.Add("\n")
}

func stamp(t *bare.Text, sec, nsec uint64) {
	t.AddUint(sec, 1)
	t.Add(".")
	t.AddUint(nsec, 9)
}
