package imagestore

import (
	"os"

	"golang.org/x/sys/unix"
)

// writeback writes to a file and sends what was written to the disk every few
// megabytes, so that the sync at the end waits for little.
type writeback struct {
	f         *os.File
	off, sent int64
}

const writebackBytes = 8 << 20

func (w *writeback) Write(p []byte) (int, error) {
	n, err := w.f.Write(p)
	w.off += int64(n)
	if w.off-w.sent >= writebackBytes {
		// Advice: where there is no such thing nothing is lost.
		_ = unix.SyncFileRange(int(w.f.Fd()), w.sent, w.off-w.sent, unix.SYNC_FILE_RANGE_WRITE)
		w.sent = w.off
	}
	return n, err
}
