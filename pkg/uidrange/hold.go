package uidrange

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// The range of ranges that systemd has for containers (uid-gid.md).
const (
	firstBase = 524288
	lastBase  = 1878982656
	slots     = (lastBase-firstBase)/Size + 1
)

// Host is where a host says which IDs are taken. The zero value is this host.
type Host struct {
	Locks string // default: /run/systemd/nspawn-uid
	Etc   string // default: /etc
}

func (h Host) locks() string {
	if h.Locks != "" {
		return h.Locks
	}
	return "/run/systemd/nspawn-uid"
}

func (h Host) etc() string {
	if h.Etc != "" {
		return h.Etc
	}
	return "/etc"
}

// Held are the locks of a range.
type Held struct{ files []*os.File }

// Inherit leaves the locks to the program that is executed next.
func (h *Held) Inherit() error {
	for _, f := range h.files {
		if _, err := unix.FcntlInt(f.Fd(), unix.F_SETFD, 0); err != nil {
			return err
		}
	}
	return nil
}

// Close drops the locks.
func (h *Held) Close() error {
	var errs []error
	for _, f := range h.files {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}

// tries is how many ranges are looked at before the host counts as full.
const tries = 100

// Take gives a pod its range and locks it. name is what the first choice is made of, so
// that the same name gets the same range while that is free. A range that was said may be
// shared by those who say the same; one that was picked is the pod's alone.
func (h Host) Take(ctx context.Context, w Wish, name string) (Range, *Held, error) {
	if err := os.MkdirAll(h.locks(), 0o755); err != nil {
		return Range{}, nil, fmt.Errorf("lock user IDs: %w", err)
	}
	if !w.Pick {
		held, err := h.hold(w.Range, unix.F_RDLCK)
		if errors.Is(err, errBusy) {
			err = fmt.Errorf("the user IDs %d to %d are another container's; --private-users=pick finds others", w.Range.Base, w.Range.Base+w.Range.Count-1)
		}
		return w.Range, held, err
	}
	users, err := taken(h.etc())
	if err != nil {
		return Range{}, nil, fmt.Errorf("find out which user IDs are taken: %w", err)
	}
	elsewhere := asksElsewhere(h.etc())
	for i := range tries {
		r := candidate(name, i)
		if met(users, r) {
			continue
		}
		held, err := h.hold(r, unix.F_WRLCK)
		if errors.Is(err, errBusy) {
			continue
		}
		if err != nil {
			return Range{}, nil, err
		}
		if elsewhere {
			used, err := known(ctx, r)
			if err != nil {
				return Range{}, nil, errors.Join(err, held.Close())
			}
			if used {
				if err := held.Close(); err != nil {
					return Range{}, nil, err
				}
				continue
			}
		}
		return r, held, nil
	}
	return Range{}, nil, fmt.Errorf("no free range of user IDs was found in %d to %d; --private-users=BASE:COUNT says one", firstBase, lastBase+Size-1)
}

// candidate is the n-th choice for a name.
func candidate(name string, n int) Range {
	sum := sha256.Sum256([]byte(name + "\x00" + strconv.Itoa(n)))
	return Range{firstBase + uint32(binary.BigEndian.Uint64(sum[:8])%slots)*Size, Size}
}

func met(spans []span, r Range) bool {
	for _, s := range spans {
		if s.meets(r) {
			return true
		}
	}
	return false
}

var errBusy = errors.New("in use")

// hold locks each range of systemd's convention that r has a part of.
func (h Host) hold(r Range, kind int16) (_ *Held, err error) {
	held := &Held{}
	defer func() {
		if err != nil {
			err = errors.Join(err, held.Close())
		}
	}()
	for base := uint64(r.Base) / Size * Size; base < uint64(r.Base)+uint64(r.Count); base += Size {
		f, err := lock(h.lockPath(base), kind)
		if err != nil {
			return nil, err
		}
		held.files = append(held.files, f)
	}
	return held, nil
}

func (h Host) lockPath(base uint64) string {
	return filepath.Join(h.locks(), strconv.FormatUint(base, 10))
}

// lock locks a file as systemd does (src/basic/lock-util.c): by an open file description
// lock; and whoever drops one may have removed the file.
func lock(path string, kind int16) (*os.File, error) {
	for {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
		if err != nil {
			return nil, fmt.Errorf("lock user IDs: %w", err)
		}
		l := unix.Flock_t{Type: kind}
		err = unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &l)
		if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) {
			return nil, errors.Join(errBusy, f.Close())
		}
		var st unix.Stat_t
		if err == nil {
			err = unix.Fstat(int(f.Fd()), &st)
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("lock user IDs %s: %w", path, err), f.Close())
		}
		if st.Nlink > 0 {
			return f, nil
		}
		if err := f.Close(); err != nil {
			return nil, err
		}
	}
}

// Forget removes the files of locks that nobody holds any more.
func (h Host) Forget(r Range) error {
	var errs []error
	for base := uint64(r.Base) / Size * Size; r.Count > 0 && base < uint64(r.Base)+uint64(r.Count); base += Size {
		path := h.lockPath(base)
		if _, err := os.Lstat(path); errors.Is(err, os.ErrNotExist) {
			continue
		}
		f, err := lock(path, unix.F_WRLCK)
		if errors.Is(err, errBusy) {
			continue
		}
		if err == nil {
			err = errors.Join(os.Remove(path), f.Close())
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
