package network

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/containernetworking/cni/libcni"
	"github.com/containernetworking/cni/pkg/types"

	"github.com/raket/raket/pkg/boundedfile"
	"github.com/raket/raket/pkg/flock"
	"github.com/raket/raket/pkg/stageabi"
)

// patience is how long a plugin that outlived its pod's start may take to finish, and
// how long one that undoes is waited for.
const (
	busyPatience = 10 * time.Second
	undoPatience = time.Minute
)

// Leave has an ended pod leave its networks, if it has not: those that it joined, and those
// that it was joining when it was killed. It waits for another process that is at it,
// and fails where the pod still lives.
func Leave(ctx context.Context, stateDir, uuid string) error {
	ctx, cancel := context.WithTimeout(ctx, undoPatience)
	defer cancel()
	_, err := leave(ctx, stateDir, uuid, true)
	return err
}

// Sweep has all pods that have ended leave their networks. It leaves those to others that
// others are at, goes on after an error, and lets plugins collect what is nobody's
// where a pod may have left something that nobody knows of. Pods of the unit ended are waited for:
// systemd may say that it ends while they still do. "" is no unit.
func Sweep(ctx context.Context, stateDir, ended string) error {
	uuids, err := records(stateDir)
	if err != nil {
		return fmt.Errorf("look for networks of ended pods: %w", err)
	}
	var errs []error
	var unsure []*attachment
	for _, uuid := range uuids {
		ctx, cancel := context.WithTimeout(ctx, undoPatience)
		left, err := leave(ctx, stateDir, uuid, ended != "" && unitOf(stateDir, uuid) == ended)
		cancel()
		if err != nil {
			errs = append(errs, err)
		}
		if left != nil {
			unsure = append(unsure, left.unsure()...)
		}
	}
	if len(unsure) > 0 {
		errs = append(errs, collect(ctx, stateDir, unsure))
	}
	return errors.Join(errs...)
}

// unitOf is the unit in which a pod runs or ran.
func unitOf(stateDir, uuid string) string {
	r, err := openRecord(filepath.Join(stateDir, recordsDir, uuid), nil)
	if err != nil {
		return "" // it is being undone
	}
	return r.Unit
}

// leave undoes a dead pod's record, and returns it as it was if this process did so.
func leave(ctx context.Context, stateDir, uuid string, wait bool) (*left, error) {
	dir := filepath.Join(stateDir, recordsDir, uuid)
	held, err := flock.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	ok, err := held.TryExclusive()
	if wait && !ok && err == nil {
		if err = held.ExclusiveContext(ctx); err == nil {
			ok = true
		}
	}
	if ok && err == nil {
		ok, err = held.Is(dir) // another one has undone it
	}
	if !ok || err != nil {
		return nil, errors.Join(err, held.Close())
	}
	r, err := openRecord(dir, held)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("undo the networks of pod %s: %w", uuid, err), held.Close())
	}
	was := &left{*r}
	was.Network.Attachments = slices.Clone(r.Network.Attachments)
	if !r.Joined {
		if err := awaitPlugins(ctx, dir); err != nil {
			return nil, errors.Join(err, held.Close())
		}
	}
	if err := r.leave(ctx, ""); err != nil {
		return nil, errors.Join(err, held.Close())
	}
	return was, nil
}

// left is a record that was undone.
type left struct{ record }

// unsure are networks in which something may be left: a plugin was killed while it added,
// or the host has been started again.
func (l *left) unsure() []*attachment {
	if boot, err := bootID(); l.Joined && (err != nil || boot == l.Boot) {
		return nil
	}
	var lists []*attachment
	for _, a := range l.Network.Attachments {
		if at, err := l.attachment(a, ""); err == nil {
			lists = append(lists, at)
		}
	}
	return lists
}

// awaitPlugins returns when no plugin adds any more for the pod that started it, and died.
// One that leaves something behind that runs on holds nobody up for ever.
func awaitPlugins(ctx context.Context, dir string) error {
	l, err := flock.Create(filepath.Join(dir, busyFile))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, busyPatience)
	defer cancel()
	if err := l.ExclusiveContext(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return errors.Join(err, l.Close())
	}
	return l.Close()
}

// leave asks the plugins to undo, the last network first. nsPath is the pod's
// namespace, "" if it is gone. What is done is struck from the record; the record goes with
// its last network, and stays where a plugin fails.
func (r *record) leave(ctx context.Context, nsPath string) error {
	var errs []error
	for _, a := range slices.Backward(r.Network.Attachments) {
		at, err := r.attachment(a, nsPath)
		if err == nil && at.begun() {
			err = at.leave(ctx)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("pod %s: leave network %s: %w", r.UUID, a.Name, err))
			continue
		}
		if len(r.Network.Attachments) == 1 {
			r.Network.Attachments = nil
			break
		}
		i := slices.IndexFunc(r.Network.Attachments, func(o stageabi.Attachment) bool { return o.IfName == a.IfName })
		r.Network.Attachments = slices.Delete(r.Network.Attachments, i, i+1)
		errs = append(errs, r.write())
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return r.remove()
}

// leave undoes one attachment. A plugin that fails keeps none of its chain from undoing
// their own: what they did goes, and what they said stays for when it is tried again.
func (a *attachment) leave(ctx context.Context) (err error) {
	res := a.recall()
	if a.rt.NetNS == "" && madeVeth(res) {
		ns, err := standIn(a.IfName, addressesOf(res))
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, ns.close()) }()
		a.rt.NetNS = ns.path()
	}
	result, err := boundedfile.Read(a.cached(), maxAnswerBytes)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	undo := undoing{plugins: &plugins{}}
	if err := a.cni(&undo).DelNetworkList(ctx, a.list, &a.rt); err != nil {
		return err
	}
	if undo.failed != nil && result != nil {
		undo.failed = append(undo.failed, os.WriteFile(a.cached(), result, 0o600)) // libcni has removed it
	}
	return errors.Join(undo.failed...)
}

// undoing executes plugins, and lets libcni go on to the next when one fails.
type undoing struct {
	*plugins
	failed []error
}

// ExecPlugin implements invoke.Exec.
func (u *undoing) ExecPlugin(ctx context.Context, path string, stdin []byte, env []string) ([]byte, error) {
	if path == "" {
		return nil, nil
	}
	answer, err := u.plugins.ExecPlugin(ctx, path, stdin, env)
	if err != nil {
		u.failed = append(u.failed, fmt.Errorf("plugin %s: %w", filepath.Base(path), err))
	}
	return answer, nil
}

// FindInPath implements invoke.Exec.
func (u *undoing) FindInPath(plugin string, dirs []string) (string, error) {
	path, err := u.plugins.FindInPath(plugin, dirs)
	if err != nil {
		u.failed = append(u.failed, err)
	}
	return path, nil
}

// collect has plugins remove what belongs to no pod: CNI's GC, which those that have it do
// for networks of version 1.1 and later. It is left out while pods join.
func collect(ctx context.Context, stateDir string, lists []*attachment) error {
	lock, err := flock.Create(filepath.Join(stateDir, joinLock))
	if err != nil {
		return err
	}
	defer lock.Close()
	if ok, err := lock.TryExclusive(); !ok || err != nil {
		return err
	}
	uuids, err := records(stateDir)
	if err != nil {
		return err
	}
	valid := map[string][]types.GCAttachment{}
	for _, uuid := range uuids {
		r, err := openRecord(filepath.Join(stateDir, recordsDir, uuid), nil)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return err // whose networks are not known
		}
		for _, a := range r.Network.Attachments {
			valid[a.Name] = append(valid[a.Name], types.GCAttachment{ContainerID: r.UUID, IfName: a.IfName})
		}
	}
	seen := map[string]bool{}
	for _, of := range lists {
		if seen[of.Name] {
			continue
		}
		seen[of.Name] = true
		attachments := valid[of.Name]
		if attachments == nil {
			attachments = []types.GCAttachment{}
		}
		// Most plugins know no GC, and say so.
		_ = of.cni(&plugins{}).GCNetworkList(ctx, of.list, &libcni.GCArgs{ValidAttachments: attachments})
	}
	return nil
}

func tooOldToCheck(err error) bool {
	return errors.Is(err, libcni.ErrorCheckNotSupp) || strings.Contains(err.Error(), "does not allow CHECK")
}
