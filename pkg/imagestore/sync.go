package imagestore

import (
	"fmt"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// syncer brings everything written so far in some directories to the disk, by
// syncfs(2). Callers that come while a sync runs share the next one: a sync
// covers whoever was waiting before it began.
type syncer struct {
	mu      sync.Mutex
	next    *syncRun
	running bool
}

type syncRun struct {
	done chan struct{}
	err  error
}

func (s *syncer) sync(dirs ...string) error {
	s.mu.Lock()
	if s.next == nil {
		s.next = &syncRun{done: make(chan struct{})}
	}
	run := s.next
	if s.running {
		s.mu.Unlock()
		<-run.done
		return run.err
	}
	s.running = true
	// This caller syncs for all, until nobody has come meanwhile.
	for s.next != nil {
		cur := s.next
		s.next = nil
		s.mu.Unlock()
		cur.err = syncDirs(dirs)
		close(cur.done)
		s.mu.Lock()
	}
	s.running = false
	s.mu.Unlock()
	return run.err
}

// syncDirs syncs the file systems of dirs, each once.
func syncDirs(dirs []string) error {
	seen := map[uint64]bool{}
	for _, dir := range dirs {
		f, err := os.Open(dir)
		if err != nil {
			return fmt.Errorf("sync file system: %w", err)
		}
		var st unix.Stat_t
		err = unix.Fstat(int(f.Fd()), &st)
		if err == nil && !seen[st.Dev] {
			seen[st.Dev] = true
			err = unix.Syncfs(int(f.Fd()))
		}
		f.Close()
		if err != nil {
			return fmt.Errorf("sync file system of %s: %w", dir, err)
		}
	}
	return nil
}
