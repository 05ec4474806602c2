package complaint

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"github.com/raket/raket/pkg/journalstream"
)

// Line writes one line, without its end, to w. It is the last that can be said: an error
// in saying it is told nobody.
func Line(w io.Writer, line string) {
	if f, ok := w.(*os.File); ok && ToJournal(f) {
		line = journalstream.ErrorPrefix + line
	}
	fmt.Fprintln(w, line)
}

// ToJournal reports whether f is the stream to the journal that this process was started
// with: $JOURNAL_STREAM has its device and inode (systemd.exec(5)).
func ToJournal(f *os.File) bool {
	stream := os.Getenv("JOURNAL_STREAM")
	if stream == "" {
		return false
	}
	var st unix.Stat_t
	return unix.Fstat(int(f.Fd()), &st) == nil && stream == fmt.Sprintf("%d:%d", st.Dev, st.Ino)
}
