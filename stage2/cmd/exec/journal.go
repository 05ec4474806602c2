package main

import (
	"github.com/raket/raket/pkg/journalstream"
	"github.com/raket/raket/stage2/bare"
)

// journalHeader opens journald's stream protocol on descriptor 1. systemd in
// the pod would write the name of the pod's unit there, which the host has
// never heard of; this header carries the host's.
func journalHeader(identifier, unit bare.Str) bare.Failure {
	var header [512]byte
	n, ok := journalstream.PutHeader(header[:], identifier.Text(), unit.Text())
	if !ok {
		return bare.Failure{Step: "connect to the journal", What: identifier.Text(), Why: "the name is too long"}
	}
	return bare.Check("connect to the journal", "", bare.Write(1, header[:n]))
}
