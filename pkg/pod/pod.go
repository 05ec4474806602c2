package pod

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/raket/raket/pkg/atomicfile"
	"github.com/raket/raket/pkg/flock"
	"github.com/raket/raket/pkg/stageabi"
)

// Pod is one pod, as of its creation or its last Refresh.
type Pod struct {
	UUID  UUID
	State State

	store *Store
	in    place
	held  *flock.Lock
}

// lockPatience is how long a command waits for a lock that somebody may hold
// just to look at the pod.
const lockPatience = 100 * time.Millisecond

// Dir is the pod's directory; it changes with the pod's state.
func (p *Pod) Dir() string { return p.store.path(p.in, p.UUID) }

// Refresh looks where the pod is and whether it lives. The error wraps
// ErrNotFound if it is gone.
func (p *Pod) Refresh() error {
	// A pod only travels forward, so one that moves ahead of the search is met
	// again; it is gone if a search from its last place to the end misses it.
	for i := max(placeIndex(p.in), 0); i < len(places); i++ {
		busy, err := locked(p.store.path(places[i], p.UUID))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if errors.Is(err, fs.ErrPermission) {
			busy, err = false, nil
		}
		if err != nil {
			return err
		}
		p.in, p.State = places[i], places[i].state(busy)
		return nil
	}
	return fmt.Errorf("%s: %w", p.UUID, ErrNotFound)
}

func placeIndex(in place) int {
	for i := range places {
		if places[i] == in {
			return i
		}
	}
	return -1
}

// lock takes the pod's lock; false if another process has it or the pod moved
// away. The error wraps fs.ErrNotExist if its directory is gone.
func (p *Pod) lock() (bool, error) {
	if p.held != nil {
		return true, nil
	}
	l, err := flock.Open(p.Dir())
	if err != nil {
		return false, err
	}
	ok, err := l.TryExclusive()
	if !ok && err == nil {
		// Whoever lists pods holds each lock for an instant.
		ctx, cancel := context.WithTimeout(context.Background(), lockPatience)
		if err = l.ExclusiveContext(ctx); err == nil {
			ok = true
		} else if errors.Is(err, context.DeadlineExceeded) {
			err = nil
		}
		cancel()
	}
	if ok && err == nil {
		ok, err = l.Is(p.Dir())
	}
	if !ok || err != nil {
		return false, errors.Join(err, l.Close())
	}
	p.held = l
	return true, nil
}

// Lock takes the pod's lock for a change of state. The error wraps ErrBusy if
// another process holds it, and ErrNotFound if the pod is not where it was.
func (p *Pod) Lock() error {
	ok, err := p.lock()
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: %w", p.UUID, ErrNotFound)
	}
	if err != nil {
		return fmt.Errorf("lock pod %s: %w", p.UUID, err)
	}
	if !ok {
		return fmt.Errorf("%s: %w", p.UUID, ErrBusy)
	}
	return nil
}

// Close drops the lock, if this process holds it.
func (p *Pod) Close() error {
	if p.held == nil {
		return nil
	}
	err := p.held.Close()
	p.held = nil
	return err
}

// Hand prepares the held lock for the program executed next in place of this
// process and returns its descriptor.
func (p *Pod) Hand() (fd int, err error) {
	if p.held == nil {
		return -1, fmt.Errorf("pod %s is not locked", p.UUID)
	}
	return p.held.Fd(), p.held.Inherit()
}

func (p *Pod) move(to place) error {
	if p.held == nil {
		return fmt.Errorf("pod %s is not locked", p.UUID)
	}
	if err := os.Rename(p.Dir(), p.store.path(to, p.UUID)); err != nil {
		return err
	}
	p.in, p.State = to, to.state(true)
	return nil
}

// ToPrepared makes a filled pod a prepared one. What was written to it has to
// be on disk if durable.
func (p *Pod) ToPrepared(durable bool) error {
	if err := p.move(inPrepared); err != nil {
		return fmt.Errorf("finish pod: %w", err)
	}
	if !durable {
		return nil
	}
	return errors.Join(atomicfile.SyncDir(p.Dir()), atomicfile.SyncDir(filepath.Dir(p.Dir())))
}

// ToRun makes a prepared pod, or one just filled, a running one.
func (p *Pod) ToRun() error {
	if p.in != inPrepared && p.in != inPrepare {
		return fmt.Errorf("pod %s is %s, not prepared", p.UUID, p.State)
	}
	if err := p.move(inRun); err != nil {
		return fmt.Errorf("start pod: %w", err)
	}
	return nil
}

// ToExitedGarbage marks an exited pod for collection; the time of the mark is
// the time of its GarbageFile.
func (p *Pod) ToExitedGarbage() error {
	if err := os.WriteFile(filepath.Join(p.Dir(), stageabi.GarbageFile), nil, 0o640); err != nil {
		return fmt.Errorf("mark pod: %w", err)
	}
	return p.move(inExitedGarbage)
}

// ToGarbage begins the pod's deletion.
func (p *Pod) ToGarbage() error {
	if p.in == inGarbage {
		return nil
	}
	return p.move(inGarbage)
}

// Remove deletes a pod that is garbage.
func (p *Pod) Remove() error {
	if p.in != inGarbage || p.held == nil {
		return fmt.Errorf("pod %s is not ready to be deleted", p.UUID)
	}
	if err := os.RemoveAll(p.Dir()); err != nil {
		return fmt.Errorf("delete pod: %w", err)
	}
	return p.Close()
}

// Sandbox reads the pod's description.
func (p *Pod) Sandbox() (stageabi.Sandbox, error) { return stageabi.ReadSandbox(p.Dir()) }

// Manifest reads the pod's appc manifest, JSON.
func (p *Pod) Manifest() ([]byte, error) {
	return os.ReadFile(filepath.Join(p.Dir(), stageabi.ManifestFile))
}

// PID is the process that is the pod, 0 if it was never started. It is alive
// only while the state is Running.
func (p *Pod) PID() (int, error) {
	b, err := os.ReadFile(filepath.Join(p.Dir(), stageabi.PIDFile))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	text := strings.TrimSpace(string(b))
	if text == "" {
		return 0, nil // its writer was killed, or had no room
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0, fmt.Errorf("%s: %q is not a process ID", filepath.Join(p.Dir(), stageabi.PIDFile), b)
	}
	return n, nil
}

// Started is when the pod was started; zero if it was not.
func (p *Pod) Started() time.Time { return p.fileTime(stageabi.PIDFile) }

// Marked is when the pod was marked for collection; zero if it was not.
func (p *Pod) Marked() time.Time { return p.fileTime(stageabi.GarbageFile) }

// Exited is when the pod ended: when its exit was recorded or, if it was
// killed before that, when its last app ended. Zero if nothing is known.
func (p *Pod) Exited() time.Time {
	if st, err := os.Stat(stageabi.ExitPath(p.Dir())); err == nil {
		return st.ModTime()
	}
	return time.Time{}
}

// Changed is when the pod's directory last changed.
func (p *Pod) Changed() time.Time { return p.fileTime("") }

func (p *Pod) fileTime(name string) time.Time {
	st, err := os.Stat(filepath.Join(p.Dir(), name))
	if err != nil {
		return time.Time{}
	}
	return st.ModTime()
}
