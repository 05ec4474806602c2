package network

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	types100 "github.com/containernetworking/cni/pkg/types/100"
	"golang.org/x/sys/unix"

	"github.com/raket/raket/pkg/flock"
	"github.com/raket/raket/pkg/stageabi"
)

// Joined is a pod that has joined its networks. Its two descriptors must stay open as
// long as the pod lives.
type Joined struct {
	Status stageabi.NetworkStatus
	ns     *namespace
	record *record
}

// Join makes a network namespace and has it join the pod's networks, in order, after
// those of pods that have ended have been left. say gets lines about what the host's
// administrator should know. After an error nothing is left of it; a process that is
// killed meanwhile leaves a record.
func Join(ctx context.Context, uuid string, n stageabi.Network, say func(string)) (_ *Joined, err error) {
	if n.StateDir == "" || !filepath.IsAbs(n.StateDir) || uuid == "" || filepath.Base(uuid) != uuid {
		return nil, fmt.Errorf("join networks: state directory %q, pod %q", n.StateDir, uuid)
	}
	if err := os.MkdirAll(filepath.Join(n.StateDir, recordsDir), 0o700); err != nil {
		return nil, fmt.Errorf("join networks: %w", err)
	}
	// Their addresses and ports may be the ones that this pod wants.
	if err := Sweep(ctx, n.StateDir, ""); err != nil {
		say(err.Error())
	}
	if err := Leave(ctx, n.StateDir, uuid); err != nil {
		return nil, err
	}
	lock, err := flock.Create(filepath.Join(n.StateDir, joinLock))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	if err := lock.SharedContext(ctx); err != nil {
		return nil, err
	}
	j := &Joined{}
	if j.record, err = makeRecord(uuid, n); err != nil {
		return nil, fmt.Errorf("record the pod's networks: %w", err)
	}
	if j.ns, err = newNamespace(); err != nil {
		return nil, errors.Join(err, j.record.remove())
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, j.Undo())
		}
	}()
	j.record.Namespace = j.ns.path()
	before := forwarding()
	if err := j.join(ctx, say); err != nil {
		return nil, err
	}
	for _, line := range before.changes() {
		say(line)
	}
	j.record.Joined = true
	j.Status.Ports = n.Ports
	return j, j.record.write()
}

// join asks the plugins of each network.
func (j *Joined) join(ctx context.Context, say func(string)) error {
	r := j.record
	if err := errors.Join(os.Mkdir(filepath.Join(r.dir, outputsDir), 0o700), os.MkdirAll(filepath.Join(r.dir, resultsDir), 0o700)); err != nil {
		return err
	}
	busy, err := lockBusy(r.dir)
	if err != nil {
		return err
	}
	defer busy.Close()
	for _, a := range r.Network.Attachments {
		at, err := r.attachment(a, j.ns.path())
		if err != nil {
			return err
		}
		result, err := at.cni(&plugins{output: at.output(), busy: busy, say: say}).AddNetworkList(ctx, at.list, &at.rt)
		if err != nil {
			return fmt.Errorf("join network %s: %w", a.Name, at.explain(ctx, err))
		}
		res, err := types100.NewResultFromResult(result)
		if err != nil {
			return fmt.Errorf("join network %s: %w", a.Name, err)
		}
		attached, err := describe(a, res)
		if err != nil {
			return err
		}
		if attached.Result, err = json.Marshal(result); err != nil {
			return err
		}
		if err := vouchForGateways(attached); err != nil {
			return fmt.Errorf("join network %s: %w", a.Name, err)
		}
		j.Status.Attachments = append(j.Status.Attachments, attached)
	}
	return nil
}

// lockBusy makes and locks the file that plugins inherit: while one of them, or what it has
// started, is at work, a record is not undone although its pod is dead.
func lockBusy(dir string) (*os.File, error) {
	path := filepath.Join(dir, busyFile)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	l, err := flock.FromFd(int(f.Fd()), path)
	if err == nil {
		var ok bool
		if ok, err = l.TryExclusive(); err == nil && !ok {
			err = fmt.Errorf("lock %s: it is locked", path)
		}
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// Within calls f on a thread in the pod's network namespace, which ends with that.
func (j *Joined) Within(f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		err := unix.Setns(j.ns.fd, unix.CLONE_NEWNET)
		if err == nil {
			err = f()
		}
		done <- err
	}()
	return <-done
}

// Undo has the pod leave the networks that it has joined so far.
func (j *Joined) Undo() error {
	err := j.record.leave(context.Background(), j.ns.path())
	return errors.Join(err, j.ns.close())
}

// Hand keeps both descriptors for the program that is executed next in place of this
// process, and returns that of the namespace.
func (j *Joined) Hand() (fd int, err error) {
	if err := inherit(j.ns.fd); err != nil {
		return -1, err
	}
	return j.ns.fd, j.record.held.Inherit()
}

// Check asks the plugins whether a running pod's networks are as they made them, and whether
// they are able to keep them so. The error is of the first that is not, or wraps
// fs.ErrNotExist for a pod that has joined none.
func Check(ctx context.Context, stateDir, uuid string) error {
	dir := filepath.Join(stateDir, recordsDir, uuid)
	r, err := openRecord(dir, nil)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("pod %s has no networks to check: %w", uuid, fs.ErrNotExist)
	}
	if err != nil {
		return err
	}
	for _, a := range r.Network.Attachments {
		at, err := r.attachment(a, r.Namespace)
		if err != nil {
			return err
		}
		if at.recall() == nil {
			return fmt.Errorf("network %s: nothing is known of how it was joined", a.Name)
		}
		if err := at.cni(&plugins{}).CheckNetworkList(ctx, at.list, &at.rt); err != nil && !tooOldToCheck(err) {
			return fmt.Errorf("network %s: %w", a.Name, at.explain(ctx, err))
		}
		var not *notReady
		if err := at.status(ctx); errors.As(err, &not) && not.said.Code == limited {
			return fmt.Errorf("network %s: %w", a.Name, err)
		}
	}
	return nil
}
