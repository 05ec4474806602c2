package main

import (
	"errors"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// Bounds on what reaches the host, and on how long an answer is waited for.
const (
	pause    = 100 * time.Millisecond // between two messages
	batch    = 64                     // datagrams that are read before the host is told
	patience = time.Second
	look     = time.Second // between two looks whether an app that reloads has ended
)

// forwarder passes on datagrams.
type forwarder struct {
	pod     pod
	several bool   // the pod has other apps than these
	host    string // the socket that leads there
	texts   bool   // it takes texts alone
	dir     string
	status  string // directory of the records of ends
	// watchdog is that of the host's unit; 0 where it is not fed from here.
	watchdog time.Duration
	idle     time.Duration
	manager  int // socket to the pod's systemd
	outside  int // to the host, never waited for
	events   int // of the directory
	saved    string

	heard time.Time // the last datagram
	sent  time.Time // the last message to the host
	fed   time.Time // the host's watchdog

	text, control []byte // for receive
}

// serve returns nil when there has been nothing to do for a while.
func (f *forwarder) serve() error {
	var err error
	if f.events, err = unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK); err != nil {
		return err
	}
	if _, err := unix.InotifyAddWatch(f.events, f.dir, unix.IN_CREATE); err != nil {
		return err
	}
	f.heard = time.Now()
	if err := send(f.manager, managerSocket, []byte("READY=1"), 0, nil); err != nil {
		return err
	}
	for {
		f.look()
		again, err := f.tell()
		if err != nil {
			return err
		}
		wait, last := f.wait(again)
		fds := []unix.PollFd{{Fd: int32(f.events), Events: unix.POLLIN}}
		if f.pod.ready {
			fds[0].Fd = -1
		}
		for i := range f.pod.apps {
			fds = append(fds, unix.PollFd{Fd: int32(firstSocket + i), Events: unix.POLLIN})
		}
		n, err := unix.Poll(fds, milliseconds(wait))
		if err != nil && !errors.Is(err, unix.EINTR) {
			return err
		}
		if n == 0 && last {
			return nil
		}
		for i, a := range f.pod.apps {
			if n > 0 && fds[i+1].Revents != 0 {
				if err := f.hear(a, firstSocket+i); err != nil {
					return err
				}
			}
		}
		var names [4096]byte
		_, _ = unix.Read(f.events, names[:])
	}
}

// hear passes on what an app sends.
func (f *forwarder) hear(a *app, fd int) error {
	for range batch {
		d, err := f.receive(fd)
		if d == nil || err != nil {
			return err
		}
		f.heard = time.Now()
		s := read(d.text)
		passed := d.pass(f.manager, managerSocket)
		d.close()
		if passed {
			f.pod.hear(a, s, f.mark(a))
		}
	}
	return nil
}

// look finds out what nobody says.
func (f *forwarder) look() {
	for _, a := range f.pod.apps {
		a.renew(f.mark(a))
	}
	if !f.pod.ready {
		_, err := os.Lstat(f.dir + "/ready")
		f.pod.ready = err == nil
	}
}

// mark is which end of the app is on record: exec replaces the file with each.
func (f *forwarder) mark(a *app) string {
	var st unix.Stat_t
	if unix.Stat(f.status+"/"+a.name, &st) != nil {
		return ""
	}
	return strconv.FormatUint(st.Ino, 10) + "." + strconv.FormatInt(st.Mtim.Nano(), 10)
}

// tell tells the host what it does not know yet, and returns when to try again; 0: there is
// no need.
func (f *forwarder) tell() (time.Duration, error) {
	if f.pod.ready && !f.pod.settled {
		f.settle()
	}
	next := f.pod.now(f.several || len(f.pod.apps) > 1)
	text := f.pod.message(next, f.texts)
	if err := f.save(); err != nil {
		return 0, err
	}
	var again time.Duration
	if since := time.Since(f.sent); text != "" && since < pause {
		again, text = pause-since, ""
	}
	ping := f.watchdog > 0 && f.pod.fed(time.Since(f.fed), f.watchdog) && barrier(f.manager, managerSocket, 0, f.watchdog/4)
	if ping {
		text += "WATCHDOG=1\n"
	}
	if text == "" {
		return again, nil
	}
	var as int32
	if f.texts {
		as = initPID
	}
	err := send(f.outside, f.host, []byte(text), as, nil)
	if errors.Is(err, unix.EAGAIN) {
		return pause, nil
	}
	// Any other error is for good: nobody listens there.
	if again == 0 {
		f.pod.told, f.sent = next, time.Now()
	}
	if ping {
		f.fed = time.Now()
		f.pod.feed()
	}
	return again, f.save()
}

// settle has the host know the text again, after all that the pod's init has said of the
// start: that comes by way of nspawn, which closes what it reads.
func (f *forwarder) settle() {
	barrier(f.manager, managerSocket, 0, patience)
	if !f.texts {
		// When the second is read the first has been dealt with.
		for range 2 {
			if !barrier(f.outside, nspawnSocket, initPID, patience) {
				break
			}
		}
	}
	f.pod.settled, f.pod.told.status = true, ""
}

// nspawnSocket is where systemd-nspawn listens to the pod's init.
const nspawnSocket = "/run/host/notify"

// wait is how long to wait for something to happen, and whether it was in vain then.
func (f *forwarder) wait(again time.Duration) (wait time.Duration, last bool) {
	reloads := false
	for _, a := range f.pod.apps {
		reloads = reloads || a.reloading
	}
	wait, last = max(f.idle-time.Since(f.heard), 0), true
	if f.watchdog > 0 || !f.pod.ready || reloads {
		wait, last = time.Hour, false
	}
	if reloads {
		wait = look
	}
	if f.watchdog > 0 {
		wait = min(wait, f.watchdog/8)
	}
	if again > 0 {
		wait, last = min(wait, again), false
	}
	return wait, last
}
