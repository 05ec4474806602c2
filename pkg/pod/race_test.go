package pod

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
)

// envStep makes the test binary a process that takes a pod of the store in the
// directory it names to the step in envUntil, and stays there.
const (
	envStep  = "RAKET_TEST_POD_DIR"
	envUntil = "RAKET_TEST_POD_STEP"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(envStep); dir != "" {
		if err := walk(dir, os.Getenv(envUntil)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// steps are the ways of a pod, in their order.
var steps = []string{"created", "filled", "prepared", "running", "marked", "garbage", "half deleted"}

func walk(dir, until string) error {
	s, err := Open(dir)
	if err != nil {
		return err
	}
	p, err := s.Create()
	if err != nil {
		return err
	}
	take := map[string]func() error{
		"created": func() error { return nil },
		"filled": func() error {
			return errors.Join(os.Mkdir(filepath.Join(p.Dir(), "apps"), 0o755), os.WriteFile(filepath.Join(p.Dir(), "apps/x"), nil, 0o644))
		},
		"prepared":     func() error { return p.ToPrepared(false) },
		"running":      p.ToRun,
		"marked":       p.ToExitedGarbage,
		"garbage":      p.ToGarbage,
		"half deleted": func() error { return os.RemoveAll(filepath.Join(p.Dir(), "apps")) },
	}
	for _, step := range steps {
		if err := take[step](); err != nil {
			return err
		}
		if step == until {
			break
		}
	}
	fmt.Println(p.UUID)
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

func TestAKilledProcessLeavesWhatCanBeCollected(t *testing.T) {
	want := map[string][2]State{
		"created": {Preparing, AbortedPrepare}, "filled": {Preparing, AbortedPrepare}, "prepared": {Prepared, Prepared}, "running": {Running, Exited},
		"marked": {Deleting, ExitedGarbage}, "garbage": {Deleting, Garbage}, "half deleted": {Deleting, Garbage},
	}
	for _, step := range steps {
		t.Run(step, func(t *testing.T) {
			dir := t.TempDir()
			s, err := Open(dir)
			must(t, err)
			cmd := exec.CommandContext(t.Context(), "/proc/self/exe")
			cmd.Env = append(os.Environ(), envStep+"="+dir, envUntil+"="+step)
			cmd.Stderr = os.Stderr
			stdin, err := cmd.StdinPipe()
			must(t, err)
			defer stdin.Close()
			out, err := cmd.StdoutPipe()
			must(t, err, cmd.Start())
			line, err := bufio.NewReader(out).ReadString('\n')
			must(t, err)
			p, err := s.Find(line[:36])
			must(t, err)
			alive := p.State
			if err := p.Lock(); !errors.Is(err, ErrBusy) {
				t.Errorf("lock of a pod in use: %v", err)
			}
			must(t, cmd.Process.Kill())
			_ = cmd.Wait()
			must(t, p.Refresh())
			if got := [2]State{alive, p.State}; got != want[step] {
				t.Errorf("%v, want %v", got, want[step])
			}
			must(t, p.Lock(), p.ToGarbage(), p.Remove())
			if pods, err := s.List(); err != nil || len(pods) != 0 {
				t.Errorf("left: %v, %v", pods, err)
			}
		})
	}
}

func TestAnEmbryoThatNobodyHoldsIsCollected(t *testing.T) {
	s := open(t)
	u := NewUUID()
	s.place(t, inEmbryo, u)
	p, err := s.Find(string(u))
	must(t, err, p.Lock(), p.ToGarbage(), p.Remove())
}

func TestAnInheritedLockKeepsAPodAlive(t *testing.T) {
	s := open(t)
	p := create(t, s)
	must(t, p.ToRun())
	fd, err := p.Hand()
	must(t, err)
	// Inherited by plain execve(2), as by stage1: not through ExtraFiles.
	cmd := exec.CommandContext(t.Context(), "/bin/cat")
	stdin, err := cmd.StdinPipe()
	must(t, err, cmd.Start(), p.Close())
	seen, err := s.Find(string(p.UUID))
	must(t, err)
	if seen.State != Running {
		t.Errorf("with descriptor %d in another process: %s", fd, seen.State)
	}
	must(t, stdin.Close(), cmd.Wait(), seen.Refresh())
	if seen.State != Exited {
		t.Errorf("without any process: %s", seen.State)
	}
}

// A pod that moves forward is never missed, and never seen in a state that it
// was not in.
func TestAMovingPodIsNeverMissed(t *testing.T) {
	s := open(t)
	rounds := 300
	if testing.Short() {
		rounds = 30
	}
	var current atomic.Pointer[UUID]
	var done atomic.Bool
	var lookers sync.WaitGroup
	for i := range 4 {
		lookers.Go(func() {
			for !done.Load() {
				u := current.Load()
				if u == nil {
					continue
				}
				if err := look(s, *u, i%2 == 0); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for range rounds {
		p, err := s.Create()
		must(t, err)
		current.Store(&p.UUID)
		must(t, p.ToPrepared(false), p.ToRun(), p.ToExitedGarbage(), p.ToGarbage(), p.Close())
		if t.Failed() {
			break
		}
	}
	done.Store(true)
	lookers.Wait()
}

// look finds a pod whose holder takes it from creation to garbage in one go.
func look(s *Store, u UUID, find bool) error {
	var state State
	if find {
		p, err := s.Find(string(u))
		if err != nil {
			return err
		}
		state = p.State
	} else {
		pods, err := s.List()
		if err != nil {
			return err
		}
		for _, p := range pods {
			if p.UUID == u {
				state = p.State
			}
		}
	}
	switch state {
	case Preparing, Prepared, Running, Deleting, Garbage:
		return nil
	case "":
		return fmt.Errorf("%s was missed", u)
	}
	return fmt.Errorf("%s was seen as %s", u, state)
}

func TestManyCreateListAndCollectAtOnce(t *testing.T) {
	s := open(t)
	var made, collected atomic.Int32
	var creators, collectors sync.WaitGroup
	var stop atomic.Bool
	for range 10 {
		creators.Go(func() {
			for range 10 {
				p, err := s.Create()
				if err != nil {
					t.Error(err)
					return
				}
				made.Add(1)
				if err := errors.Join(p.ToPrepared(false), p.ToRun(), p.Close()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 10 {
		collectors.Go(func() {
			for !stop.Load() {
				n, err := collect(s)
				if err != nil {
					t.Error(err)
					return
				}
				collected.Add(n)
			}
		})
	}
	creators.Wait()
	stop.Store(true)
	collectors.Wait()
	// What is left was busy when the others came by.
	n, err := collect(s)
	must(t, err)
	pods, err := s.List()
	must(t, err)
	var deleted int32
	if deleted = collected.Load() + n; deleted != made.Load() || len(pods) != 0 {
		t.Errorf("made %d, deleted %d, left %d", made.Load(), deleted, len(pods))
	}
}

// collect deletes the pods that nobody uses, embryos included, and says how many
// pods those were that had been made.
func collect(s *Store) (n int32, err error) {
	pods, err := s.List()
	if err != nil {
		return 0, err
	}
	for _, p := range pods {
		if p.State == Preparing || p.State == Running || p.State == Prepared || p.State == Deleting {
			continue
		}
		embryo := p.State == Embryo
		if err := p.Lock(); errors.Is(err, ErrBusy) || errors.Is(err, ErrNotFound) {
			continue
		} else if err != nil {
			return n, err
		}
		if p.State == AbortedPrepare {
			return n, fmt.Errorf("%s was seen as aborted while its maker held it", p.UUID)
		}
		if err := errors.Join(p.ToGarbage(), p.Remove()); err != nil {
			return n, err
		}
		if !embryo {
			n++
		}
	}
	return n, nil
}
