package main

import (
	"github.com/raket/raket/pkg/journalstream"
	"github.com/raket/raket/stage2/bare"
)

// journalHeader opens journald's stream protocol on descriptor 1, or on 2 where
// that alone is the log. systemd in
// the pod would write the name of the pod's unit there, which the host has
// never heard of; this header carries the host's.
func journalHeader(o options) bare.Failure {
	var header [512]byte
	n, ok := journalstream.PutHeader(header[:], o.identifier.Text(), o.unit.Text())
	if !ok {
		return bare.Failure{Step: "connect to the journal", What: o.identifier.Text(), Why: "the name is too long"}
	}
	fd := 1
	if o.errorsLog {
		fd = 2
	}
	return bare.Check("connect to the journal", "", bare.Write(fd, header[:n]))
}
