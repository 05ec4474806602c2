package main

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxDatagram is the most that systemd reads of one (src/core/manager.c, NOTIFY_BUFFER_MAX).
const maxDatagram = 4096

// Bounds, in bytes, of the text that the host gets.
const (
	maxText    = 1024 // of one app, the only one of its pod
	maxShare   = 256  // of one of several
	maxSummary = 2048 // of all
)

// phase is what an app says of where it is.
type phase int

const (
	silent phase = iota
	ready
	reloading
	stopping
)

// said is what of a datagram is for the host, in one form or another. All else stays in the pod.
type said struct {
	phase    phase
	watchdog bool
	status   string
	spoke    bool // there is a status, "" to take it back
}

// read reads a datagram as systemd does.
func read(b []byte) said {
	var s said
	b = bytes.TrimSuffix(b, []byte{0})
	if len(b) > maxDatagram || bytes.IndexByte(b, 0) >= 0 {
		return s
	}
	for line := range strings.FieldsFuncSeq(string(b), func(r rune) bool { return r == '\n' || r == '\r' }) {
		switch line {
		case "READY=1":
			s.phase = ready // the last counts
		case "RELOADING=1":
			s.phase = reloading
		case "STOPPING=1":
			s.phase = stopping
		case "WATCHDOG=1":
			s.watchdog = true
		}
		if text, ok := strings.CutPrefix(line, "STATUS="); ok && !s.spoke && utf8.ValidString(text) {
			s.status, s.spoke = text, true
		}
	}
	return s
}

// clean is text that can be shown on a terminal, on one line, of at most that many bytes.
func clean(text string, most int) string {
	shown := func(r rune) rune {
		if !strconv.IsPrint(r) {
			return ' '
		}
		return r
	}
	return cut(strings.TrimSpace(strings.Map(shown, text)), most)
}

func cut(text string, most int) string {
	const more = "…"
	if len(text) <= most {
		return text
	}
	n := most - len(more)
	for !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n] + more
}
