package main

import (
	"errors"
	"os"
	"os/signal"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/raket/raket/pkg/journalstream"
	"github.com/raket/raket/pkg/streamwire"
)

type options struct {
	dir              string
	modes            streamwire.Modes
	uid              int // -1 for this process's
	logs             int
	identifier, unit string // of journald; empty: none
	owner            string
}

func main() {
	o, err := parse(os.Args[1:])
	if err == nil {
		err = run(o)
	}
	if err != nil {
		_, _ = unix.Write(2, []byte("raket: hold the app's streams: "+err.Error()+"\n"))
		os.Exit(1)
	}
}

// parse reads the command line, which stage1 wrote; it is not made for people.
func parse(args []string) (options, error) {
	o := options{uid: -1}
	for len(args) > 0 {
		if len(args) < 2 {
			return o, errors.New(args[0] + " needs a value")
		}
		name, value := args[0], args[1]
		args = args[2:]
		var err error
		switch name {
		case "-d":
			o.dir = value
		case "-m":
			o.modes, err = streamwire.ParseModes(value)
		case "-i":
			o.uid, err = strconv.Atoi(value)
		case "-l":
			if o.logs, err = strconv.Atoi(value); err == nil && (o.logs < 0 || o.logs > 2) {
				err = errors.New("not a number of logs: " + value)
			}
		case "-h":
			o.identifier = value
		case "-u":
			o.unit = value
		case "-o":
			o.owner = value
		default:
			err = errors.New("unknown option " + strconv.Quote(name))
		}
		if err != nil {
			return o, err
		}
	}
	if o.dir == "" || !o.modes.Held() {
		return o, errors.New("want -d and -m with a stream to hold")
	}
	return o, nil
}

func run(o options) error {
	// What nobody reads any more is an error of the write.
	signal.Ignore(unix.SIGPIPE)
	end, err := onTerm()
	if err != nil {
		return err
	}
	if o.identifier != "" {
		if err := writeAll(1, []byte(journalstream.Header(o.identifier, o.unit))); err != nil {
			return wrap("connect to the journal", err)
		}
	}
	m := newMux(o, end)
	m.restore()
	if err := m.makePipes(); err != nil {
		return err
	}
	if err := m.listen(); err != nil {
		return err
	}
	return m.loop()
}

// onTerm returns a descriptor that can be read once the process is asked to end.
func onTerm() (int, error) {
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
		return -1, err
	}
	c := make(chan os.Signal, 1)
	signal.Notify(c, unix.SIGTERM, unix.SIGINT)
	go func() {
		<-c
		_ = unix.Close(p[1])
	}()
	return p[0], nil
}

func writeAll(fd int, b []byte) error {
	for len(b) > 0 {
		n, err := unix.Write(fd, b)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
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
