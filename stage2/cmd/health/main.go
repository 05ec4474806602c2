package main

import (
	"os"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/raket/raket/pkg/journalstream"
	"github.com/raket/raket/stage2/bare"
)

const exitUsage = 2

func main() {
	// A process dies with the thread that started it.
	runtime.LockOSThread()
	o, err := parse(os.Args[1:])
	if err != nil {
		fail(exitUsage, err.Error())
	}
	if o.identifier != "" {
		journal := os.Stdout
		if o.onErrors {
			journal = os.Stderr
		}
		if _, err := journal.WriteString(journalstream.Header(o.identifier, o.unit)); err != nil {
			fail(1, "connect to the journal: "+err.Error())
		}
	}
	if o.inApp {
		if err := leaveApp(); err != nil {
			fail(1, "health of app "+o.app+": "+err.Error())
		}
	}
	if o.start {
		err = o.begin()
	} else {
		err = o.once()
	}
	if err != nil {
		fail(1, "health of app "+o.app+": "+err.Error())
	}
}

// begin writes that the app starts and, where its start is to wait for health, waits.
func (o options) begin() error {
	r := record{status: starting, began: time.Now()}
	r.main, _ = strconv.Atoi(os.Getenv("MAINPID"))
	if err := r.write(o.app); err != nil || o.until == 0 {
		return err
	}
	const firstPause = 100 * time.Millisecond
	for pause := min(firstPause, o.interval); ; pause = min(2*pause, o.interval) {
		time.Sleep(pause) // between two questions, as the user has it
		res, err := o.check(r)
		if err != nil {
			return err
		}
		r.exit, r.output, r.checked = res.exit, res.output, time.Now()
		switch {
		case !res.asked:
		case res.exit == 0:
			r.status = healthy
			return r.write(o.app)
		case time.Since(r.began) > o.until:
			r.status, r.failing = unhealthy, r.failing+1
			if err := r.write(o.app); err != nil {
				return err
			}
			say(2, o.grave(2), complaint(o.app, r))
			unix.Exit(1)
		}
		if err := r.write(o.app); err != nil {
			return err
		}
	}
}

// once checks, and does what follows.
func (o options) once() error {
	r, err := read(o.app)
	if err != nil || time.Since(r.began) < o.delay {
		return err
	}
	res, err := o.check(r)
	if err != nil || !res.asked {
		return err
	}
	before := r.status
	r.judge(o, res)
	if err := r.write(o.app); err != nil {
		return err
	}
	switch {
	case r.status == before:
		return nil
	case r.status == healthy && before == unhealthy:
		say(1, "", "app "+o.app+" is healthy again")
	case r.status == unhealthy:
		say(1, o.grave(1), complaint(o.app, r))
		return o.act(r)
	}
	return nil
}

// act does what is said of an app that has become unhealthy.
func (o options) act(r record) error {
	const systemctl = "/bin/systemctl"
	switch o.action {
	case "kill":
		pid, err := mainProcess(o.app, r.main)
		if err != nil {
			return err
		}
		return unix.Kill(pid, unix.SIGKILL)
	case "restart", "stop":
		argv := []string{systemctl, "--no-block", "--quiet", o.action, o.app + ".service"}
		return wrap("execute "+systemctl, syscall.Exec(systemctl, argv, os.Environ()))
	}
	return nil
}

// complaint is a line; the output is the app's, and may hold anything.
func complaint(app string, r record) string {
	line := r.output
	for i := range len(line) {
		if line[i] == '\n' {
			line = line[:i]
			break
		}
	}
	const longest = 200
	if len(line) > longest {
		line = line[:longest]
	}
	msg := "app " + app + " is unhealthy"
	if r.exit == timedOut {
		msg += ": the check took too long"
	} else {
		msg += ": the check exited with status " + strconv.Itoa(r.exit)
	}
	if line != "" {
		msg += ": " + strconv.Quote(line)
	}
	return msg
}

// grave is what makes a line on a descriptor an error, if the journal is there.
func (o options) grave(fd int) string {
	journal := 1
	if o.onErrors {
		journal = 2
	}
	if o.identifier == "" || !bare.SameFile(journal, fd) {
		return ""
	}
	return journalstream.ErrorPrefix
}

func say(fd int, prefix, msg string) {
	_, _ = unix.Write(fd, []byte(prefix+"raket: "+msg+"\n"))
}

func fail(code int, msg string) {
	say(2, "", msg)
	unix.Exit(code)
}

// stepError says which step failed. The fmt package is left out on purpose.
type stepError struct {
	step string
	err  error
}

func (e *stepError) Error() string { return e.step + ": " + e.err.Error() }
func (e *stepError) Unwrap() error { return e.err }

func wrap(step string, err error) error {
	if err == nil {
		return nil
	}
	return &stepError{step, err}
}
