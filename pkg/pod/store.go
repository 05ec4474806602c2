package pod

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/raket/raket/pkg/flock"
)

// Errors that callers branch on.
var (
	ErrNotFound  = errors.New("no such pod")
	ErrAmbiguous = errors.New("more than one pod")
	ErrBusy      = errors.New("the pod is in use by another command")
)

// Store is the pods under one directory.
type Store struct{ dir string }

// Open opens the pods below dataDir, the directory of raket's state, making the
// directories that are missing. Without the right to make them, or room, it opens
// what is there to be read.
func Open(dataDir string) (*Store, error) {
	s := &Store{dir: filepath.Join(dataDir, "pods")}
	if err := s.makePlaces(); err != nil && !readable(err) {
		return nil, fmt.Errorf("open pods: %w", err)
	}
	return s, nil
}

// DataDir is the directory of raket's state.
func (s *Store) DataDir() string { return filepath.Dir(s.dir) }

func (s *Store) makePlaces() error {
	for _, p := range places {
		err := os.MkdirAll(filepath.Join(s.dir, string(p)), 0o750)
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return nil
}

// readable reports whether err is no obstacle to whoever only looks.
func readable(err error) bool {
	for _, e := range [...]error{fs.ErrPermission, syscall.EROFS, syscall.ENOSPC, syscall.EDQUOT} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

func (s *Store) path(p place, u UUID) string { return filepath.Join(s.dir, string(p), string(u)) }

// Create makes a pod, in the prepare state, locked by this process.
func (s *Store) Create() (*Pod, error) {
	if err := s.makePlaces(); err != nil {
		return nil, fmt.Errorf("create pod: %w", err)
	}
	for {
		u := NewUUID()
		dir := s.path(inEmbryo, u)
		if err := os.Mkdir(dir, 0o750); err != nil {
			return nil, fmt.Errorf("create pod: %w", err)
		}
		p := &Pod{store: s, UUID: u, in: inEmbryo}
		if ok, err := p.lock(); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("create pod: %w", errors.Join(err, os.Remove(dir)))
		} else if !ok {
			continue // a collector was faster than the lock
		}
		if err := p.move(inPrepare); err != nil {
			return nil, fmt.Errorf("create pod: %w", err)
		}
		return p, nil
	}
}

// List returns all pods, those that are being deleted included, without
// locking any. The order is that of the states, and of UUIDs in each.
func (s *Store) List() ([]*Pod, error) {
	var pods []*Pod
	seen := map[UUID]bool{}
	for _, in := range places {
		entries, err := os.ReadDir(filepath.Join(s.dir, string(in)))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			u, err := ParseUUID(e.Name())
			if err != nil || seen[u] {
				continue
			}
			p := &Pod{store: s, UUID: u, in: in}
			if err := p.Refresh(); errors.Is(err, ErrNotFound) {
				continue // collected meanwhile
			} else if err != nil {
				return nil, err
			}
			seen[u] = true
			pods = append(pods, p)
		}
	}
	return pods, nil
}

// Find returns the pod whose UUID begins with prefix. The error wraps
// ErrNotFound or ErrAmbiguous.
func (s *Store) Find(prefix string) (*Pod, error) {
	if !isPrefix(prefix) {
		return nil, fmt.Errorf("%q is not the beginning of a pod's UUID: %w", prefix, ErrNotFound)
	}
	var found *Pod
	for _, in := range places {
		var names []string
		if len(prefix) == 36 {
			names = []string{prefix}
		} else {
			entries, err := os.ReadDir(filepath.Join(s.dir, string(in)))
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return nil, fmt.Errorf("find pod: %w", err)
			}
			for _, e := range entries {
				names = append(names, e.Name())
			}
		}
		for _, name := range names {
			u, err := ParseUUID(name)
			if err != nil || !strings.HasPrefix(name, prefix) || found != nil && found.UUID == u {
				continue
			}
			p := &Pod{store: s, UUID: u, in: in}
			if err := p.Refresh(); errors.Is(err, ErrNotFound) {
				continue
			} else if err != nil {
				return nil, fmt.Errorf("find pod: %w", err)
			}
			if found != nil {
				return nil, fmt.Errorf("%q begins the UUIDs of %s and %s: %w", prefix, found.UUID, u, ErrAmbiguous)
			}
			found = p
		}
	}
	if found == nil {
		return nil, fmt.Errorf("%s: %w", prefix, ErrNotFound)
	}
	return found, nil
}

// locked reports whether some process holds the lock of dir. The error wraps
// fs.ErrNotExist if dir is not there, or not any more: a pod that moves on while
// it is looked at has dropped its lock for that.
func locked(dir string) (bool, error) {
	l, err := flock.Open(dir)
	if err != nil {
		return false, err
	}
	free, err := l.TryShared()
	if err == nil {
		var here bool
		if here, err = l.Is(dir); err == nil && !here {
			err = fs.ErrNotExist
		}
	}
	return !free, errors.Join(err, l.Close())
}
