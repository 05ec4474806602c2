package main

import (
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// firstSocket is the first descriptor that systemd passes (sd_listen_fds(3)).
const firstSocket = 3

// idle is how long the program waits for a word before it ends.
const idle = 5 * time.Second

func main() {
	err := run(os.Args[1:])
	if err != nil {
		_, _ = unix.Write(2, []byte("raket: forward: "+err.Error()+"\n"))
		unix.Exit(1)
	}
}

func run(args []string) error {
	f, err := parse(args)
	if err != nil {
		return err
	}
	for _, fd := range []*int{&f.manager, &f.outside} {
		if *fd, err = unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0); err != nil {
			return err
		}
	}
	if err := unix.SetNonblock(f.outside, true); err != nil {
		return err
	}
	f.load()
	return f.serve()
}

func parse(args []string) (*forwarder, error) {
	f := &forwarder{idle: idle, text: make([]byte, maxDatagram+1), control: make([]byte, roomForControl)}
	for len(args) > 1 && strings.HasPrefix(args[0], "-") {
		switch args[0] {
		case "-s":
			f.several = true
			args = args[1:]
			continue
		case "-d":
			f.host = args[1]
		case "-i":
			f.host, f.texts = args[1], true
		case "-w":
			us, err := strconv.ParseInt(args[1], 10, 64)
			if err != nil || us < 1 || us > int64(time.Duration(1<<62)/time.Microsecond) {
				return nil, errorText("-w: want microseconds")
			}
			f.watchdog = time.Duration(us) * time.Microsecond
		default:
			return nil, errorText("unknown option " + args[0])
		}
		args = args[2:]
	}
	if len(args) < 3 || f.host == "" {
		return nil, errorText("want -d or -i, DIR STATUS APP...")
	}
	f.dir, f.status = args[0], args[1]
	for _, name := range args[2:] {
		a := &app{}
		a.name, a.watchdog = strings.CutPrefix(name, "+")
		f.pod.apps = append(f.pod.apps, a)
	}
	return f, nil
}

// errorText is an error. The fmt package is left out on purpose.
type errorText string

func (e errorText) Error() string { return string(e) }
