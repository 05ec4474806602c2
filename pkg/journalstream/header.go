package journalstream

// SocketPath is where journald listens.
const SocketPath = "/run/systemd/journal/stdout"

// ErrorPrefix begins a line that is an error (sd-daemon(3), SD_ERR).
const ErrorPrefix = "<3>"

// Header is what a connection begins with: identifier, unit, priority (6,
// informational), whether lines may have a "<N>" prefix with their own (yes), and
// the switches for forwarding to syslog, the kernel's log and the console, a
// line each (systemd, src/journal/journald-stream.c).
//
// journald names the unit of an entry by the control group of the process that
// wrote it, and falls back to the header's when that process is gone already.
func Header(identifier, unit string) string {
	return identifier + "\n" + unit + headerEnd
}

const headerEnd = "\n6\n1\n0\n0\n0\n"

// PutHeader writes the header to b and returns its length. It reports whether it
// fits, and is for programs that run without Go's runtime.
func PutHeader(b []byte, identifier, unit string) (n int, ok bool) {
	for _, part := range [...]string{identifier, "\n", unit, headerEnd} {
		if len(b)-n < len(part) {
			return 0, false
		}
		n += copy(b[n:], part)
	}
	return n, true
}
