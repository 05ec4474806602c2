package main

import (
	"errors"
	"os"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/raket/raket/pkg/journalstream"
	"github.com/raket/raket/pkg/netlimit"
	"github.com/raket/raket/pkg/nftables"
	"github.com/raket/raket/stage2/podview"
)

// Exit statuses: of a command line that stage1 would not write, and of an app that cannot be
// limited, as of others that are not started.
const (
	exitUsage      = 2
	exitNotStarted = 254
)

func main() {
	// What it asks about itself is asked of the thread.
	runtime.LockOSThread()
	o, err := parse(os.Args[1:])
	if err != nil {
		o.fail(exitUsage, err.Error())
	}
	if o.remove {
		if err := nftables.DropTable(table(o.app)); err != nil {
			o.fail(1, "app "+o.app+": its network bandwidth stays limited: "+err.Error())
		}
		return
	}
	if o.identifier != "" {
		if _, err := o.journal().WriteString(journalstream.Header(o.identifier, o.unit)); err != nil {
			o.fail(1, "connect to the journal: "+err.Error())
		}
	}
	if err := o.limit(); err != nil {
		o.fail(exitNotStarted, "app "+o.app+" has a limit that nobody would keep, of its network bandwidth: "+err.Error())
	}
}

// table is the name of the app's in nf_tables.
func table(app string) string { return "raket-bandwidth-" + app }

func (o options) limit() error {
	if o.inApp {
		if err := leaveApp(); err != nil {
			return err
		}
	}
	g, err := netlimit.Own()
	if err != nil {
		return err
	}
	if !g.OfUnit(o.app + ".service") {
		return errors.New("the pod's systemd has no control group of its own for it")
	}
	level, err := netlimit.Prove(table(o.app), g)
	if err != nil {
		return err
	}
	return netlimit.SetGroup(table(o.app), g, level, o.bytes)
}

// leaveApp moves this process from an app's root, which systemd has entered, to the pod's.
func leaveApp() error {
	root := -1
	proc, err := podview.Processes()
	if err == nil {
		root, err = unix.Openat(proc, "1/root", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	}
	if err == nil {
		err = unix.Fchdir(root)
	}
	if err == nil {
		err = unix.Chroot(".")
	}
	return os.NewSyscallError("enter the pod's root", err)
}
