// Package journalstream speaks the protocol of journald's stream socket: a
// connection begins with a header, and every line after it is an entry.
//
// It imports nothing, for the same reason as package capset.
package journalstream
