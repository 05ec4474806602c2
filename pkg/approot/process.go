package approot

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// startPatience is how long a process has to become the app, once it has been started.
const startPatience = 5 * time.Second

// lookAgain is how often it is looked at meanwhile: the kernel does not tell when a process
// executes a program.
const lookAgain = 2 * time.Millisecond

// ErrGone says that a process has ended.
var ErrGone = errors.New("the process has ended")

// Process is an app's main process, held: its directory in /proc, which never is that of
// another process, though its number may be.
type Process struct{ dir *os.File }

// OpenProcess opens the process whose directory in a proc file system this is. It returns
// ErrGone if there is none.
func OpenProcess(dir string) (Process, error) {
	f, err := os.OpenFile(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if errors.Is(err, fs.ErrNotExist) {
		err = ErrGone
	}
	return Process{f}, err
}

// Dir is a path by which this process sees the other's directory, as long as that is open.
func (p Process) Dir() string { return "/proc/self/fd/" + strconv.Itoa(int(p.dir.Fd())) }

// Signal sends it a signal. It returns ErrGone if it has ended.
func (p Process) Signal(s unix.Signal) error {
	fd, err := unix.Open(p.Dir(), unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0) // of a descriptor without rights the kernel takes no signal
	if err == nil {
		err = errors.Join(unix.PidfdSendSignal(fd, s, nil, 0), unix.Close(fd))
	}
	if errors.Is(err, unix.ESRCH) || errors.Is(err, fs.ErrNotExist) {
		return ErrGone
	}
	return err
}

// Close closes it.
func (p Process) Close() error { return p.dir.Close() }

// Starters are what a process is before it is the app: programs that start apps, by the
// root they have at first.
type Starters struct {
	Root     string   // a directory, or a root in /proc
	Programs []string // paths; those that are missing do not count
}

// AwaitApp returns when the process has become the app: it has left the root that apps are
// started from, and executes none of the programs that start them, to which it does not come
// back. What is opened of it afterwards is the app's. It returns ErrGone if it ends before.
func (p Process) AwaitApp(ctx context.Context, app string, s Starters) error {
	ctx, stop := context.WithTimeout(ctx, startPatience)
	defer stop()
	programs, err := s.identify()
	if err != nil {
		return err
	}
	tick := time.NewTicker(lookAgain)
	defer tick.Stop()
	for {
		if is, err := p.isApp(s.Root, programs); is || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("app %s is still being started after %s: try again when it runs", app, startPatience)
		}
	}
}

type identity struct{ dev, ino uint64 }

func identify(path string) (identity, error) {
	var st unix.Stat_t
	err := unix.Stat(path, &st)
	if errors.Is(err, unix.ESRCH) {
		err = fs.ErrNotExist
	}
	if err != nil {
		err = &os.PathError{Op: "stat", Path: path, Err: err}
	}
	return identity{st.Dev, st.Ino}, err
}

func (s Starters) identify() (map[identity]bool, error) {
	programs := map[identity]bool{}
	for _, path := range s.Programs {
		switch id, err := identify(path); {
		case err == nil:
			programs[id] = true
		case !errors.Is(err, fs.ErrNotExist):
			return nil, err
		}
	}
	return programs, nil
}

func (p Process) isApp(from string, programs map[identity]bool) (bool, error) {
	program, err := identify(filepath.Join(p.Dir(), "exe"))
	if err == nil && programs[program] {
		return false, nil
	}
	var root, start identity
	if err == nil {
		root, err = identify(filepath.Join(p.Dir(), "root"))
	}
	if errors.Is(err, fs.ErrNotExist) {
		return false, ErrGone
	}
	if err == nil {
		start, err = identify(from)
	}
	return err == nil && root != start, err
}
