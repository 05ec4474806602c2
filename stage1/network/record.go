package network

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/raket/raket/pkg/atomicfile"
	"github.com/raket/raket/pkg/boundedfile"
	"github.com/raket/raket/pkg/cgroup"
	"github.com/raket/raket/pkg/flock"
	"github.com/raket/raket/pkg/stageabi"
)

// What is in Network.StateDir.
const (
	recordsDir = "pods" // a record for each pod, by its UUID
	unfinished = ".new-"
	// joinLock is held, shared, by pods that join their networks, and alone by who has
	// plugins collect what belongs to nobody.
	joinLock = "lock"
)

// What is in a record.
const (
	recordFile = "record.json"
	resultsDir = "cni"  // libcni's cache
	outputsDir = "out"  // what each plugin said to ADD, as it came
	busyFile   = "busy" // locked by plugins that add
)

// record is what undoes a pod's attachments.
type record struct {
	UUID string `json:"uuid"`
	// Unit of the host's systemd is where the pod runs; "" for none.
	Unit string `json:"unit,omitempty"`
	// Boot is the ID of the boot in which the pod joined.
	Boot string `json:"boot"`
	// Joined says that all networks have been joined, and no plugin is at work.
	Joined bool `json:"joined"`
	// Namespace is where the pod's network namespace is to be had while it lives.
	Namespace string `json:"namespace"`
	// Network has those attachments that are not undone yet.
	Network stageabi.Network `json:"network"`

	dir  string
	held *flock.Lock
}

// makeRecord writes a record and holds its lock.
func makeRecord(uuid string, n stageabi.Network) (*record, error) {
	dir := filepath.Join(n.StateDir, recordsDir)
	boot, err := bootID()
	if err != nil {
		return nil, err
	}
	// Locked before it has its name: nobody takes it for a dead pod's.
	tmp, held, err := lockedDir(dir)
	if err != nil {
		return nil, err
	}
	unit, err := cgroup.Unit()
	if err != nil {
		unit = "" // a host without systemd, or a shell that no unit has
	}
	r := &record{UUID: uuid, Unit: unit, Boot: boot, Network: n, dir: tmp, held: held}
	err = func() error {
		if err := r.write(); err != nil {
			return err
		}
		final := filepath.Join(dir, uuid)
		if err := os.Rename(tmp, final); err != nil {
			return err
		}
		r.dir = final
		return nil
	}()
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(tmp), r.held.Close())
	}
	return r, nil
}

// lockedDir makes a directory and locks it. Whoever looks at the records in between takes it
// for a leftover and removes it; then another is made.
func lockedDir(in string) (string, *flock.Lock, error) {
	for {
		dir, err := os.MkdirTemp(in, unfinished)
		if err != nil {
			return "", nil, err
		}
		l, err := flock.Open(dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", nil, errors.Join(err, os.RemoveAll(dir))
		}
		ok, err := l.TryExclusive()
		if ok && err == nil {
			ok, err = l.Is(dir)
		}
		if ok && err == nil {
			return dir, l, nil
		}
		if err := errors.Join(err, l.Close()); err != nil {
			return "", nil, err
		}
	}
}

// openRecord reads the record of a pod whose lock is held here.
func openRecord(dir string, held *flock.Lock) (*record, error) {
	r := &record{dir: dir, held: held}
	text, err := boundedfile.Read(filepath.Join(dir, recordFile), maxRecordBytes)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, r); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, recordFile), err)
	}
	return r, nil
}

const maxRecordBytes = 16 << 20

// write brings the record to the disk: what a plugin keeps there outlasts a power loss,
// as must what undoes it.
func (r *record) write() error {
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return atomicfile.WriteFile(filepath.Join(r.dir, recordFile), append(text, '\n'), 0o600)
}

// remove ends the record.
func (r *record) remove() error {
	// In one step: half a record would be undone again.
	gone := filepath.Join(filepath.Dir(r.dir), unfinished+"gone-"+r.UUID)
	if err := os.Rename(r.dir, gone); err != nil {
		return err
	}
	return errors.Join(os.RemoveAll(gone), r.held.Close())
}

// records are the pods that have one, whatever their state. It removes what was left
// half made or half removed.
func records(stateDir string) ([]string, error) {
	dir := filepath.Join(stateDir, recordsDir)
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var uuids []string
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), unfinished) {
			uuids = append(uuids, e.Name())
			continue
		}
		path := filepath.Join(dir, e.Name())
		l, err := flock.Open(path)
		if err != nil {
			continue
		}
		if ok, err := l.TryExclusive(); ok && err == nil {
			_ = os.RemoveAll(path)
		}
		_ = l.Close()
	}
	return uuids, nil
}

func bootID() (string, error) {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(b)), err
}
