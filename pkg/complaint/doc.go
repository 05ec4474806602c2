// Package complaint writes errors so that they are found: on a terminal as lines, and in
// the journal as errors, which `journalctl -p err` shows, and not as the information that
// everything else on standard error is there.
//
// It imports package journalstream.
package complaint
