package journalstream

// SocketPath is where journald listens.
const SocketPath = "/run/systemd/journal/stdout"

// Header is what a connection begins with: identifier, unit, priority (6,
// informational), whether lines may have a "<N>" prefix with their own (yes), and
// the switches for forwarding to syslog, the kernel's log and the console, a
// line each (systemd, src/journal/journald-stream.c).
//
// journald names the unit of an entry by the control group of the process that
// wrote it, and falls back to the header's when that process is gone already.
func Header(identifier, unit string) string {
	return identifier + "\n" + unit + "\n6\n1\n0\n0\n0\n"
}
