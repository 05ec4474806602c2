package main

import (
	"strings"
	"time"
)

// app is what is known of one app.
type app struct {
	name     string
	watchdog bool
	mark     string
	// Since the mark:
	up        bool // it said that it is ready, or pinged
	reloading bool
	status    string
	pinged    bool // since the host's watchdog was fed last
}

// pod is what the host is to know, and what it does.
type pod struct {
	apps  []*app
	ready bool // and so is the pod, to the host
	// settled: the host got the text after it got all that the pod's init had to say of its start.
	settled bool
	told    told
}

// told is what the host was told last.
type told struct {
	status    string
	reloading bool
}

// hear takes in what an app has said.
func (p *pod) hear(a *app, s said, mark string) {
	a.renew(mark)
	switch s.phase {
	case ready:
		a.up, a.reloading = true, false
	case reloading:
		a.reloading = true
	case stopping:
		a.up, a.reloading = false, false
	}
	if s.watchdog {
		a.up, a.pinged = true, true
	}
	if s.spoke {
		most := maxShare
		if len(p.apps) == 1 {
			most = maxText
		}
		a.status = clean(s.status, most)
	}
}

// renew forgets what an app has said that has ended since.
func (a *app) renew(mark string) {
	if mark != a.mark {
		*a = app{name: a.name, watchdog: a.watchdog, mark: mark}
	}
}

// now is what the host is to be told. Nothing is said of reloads before the host knows that
// the pod is ready: their end is the message that says just that.
func (p *pod) now(several bool) told {
	var t told
	var texts []string
	for _, a := range p.apps {
		t.reloading = t.reloading || a.reloading && p.ready
		switch {
		case a.status == "":
		case several:
			texts = append(texts, a.name+": "+a.status)
		default:
			texts = append(texts, a.status)
		}
	}
	t.status = cut(strings.Join(texts, "; "), maxSummary)
	return t
}

// message is what makes the host know t, "" for nothing.
func (p *pod) message(t told, texts bool) string {
	var b strings.Builder
	switch {
	case texts || t.reloading == p.told.reloading:
	case t.reloading:
		b.WriteString("RELOADING=1\nMONOTONIC_USEC=" + monotonic() + "\n")
	default:
		b.WriteString("READY=1\n")
	}
	if t.status != p.told.status {
		b.WriteString("STATUS=" + t.status + "\n")
	}
	return b.String()
}

// fed reports whether the host's watchdog is to be fed: when each app that runs and has a
// watchdog has pinged since it was last, or, where none does, every half of its time.
func (p *pod) fed(since, watchdog time.Duration) bool {
	running := false
	for _, a := range p.apps {
		if a.watchdog && a.up {
			running = true
			if !a.pinged {
				return false
			}
		}
	}
	if running {
		return since >= watchdog/8
	}
	return since >= watchdog/2
}

// feed begins the next round.
func (p *pod) feed() {
	for _, a := range p.apps {
		a.pinged = false
	}
}
