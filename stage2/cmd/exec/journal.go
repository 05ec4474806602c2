package main

import (
	"golang.org/x/sys/unix"

	"github.com/raket/raket/pkg/journalstream"
)

// journalHeader opens journald's stream protocol on descriptor 1. systemd in
// the pod would write the name of the pod's unit there, which the host has
// never heard of; this header carries the host's.
func journalHeader(identifier, unit string) error {
	h := journalstream.Header(identifier, unit)
	for len(h) > 0 {
		n, err := unix.Write(1, []byte(h))
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return err
		}
		h = h[n:]
	}
	return nil
}
