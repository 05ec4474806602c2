package approot

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/raket/raket/pkg/appspec"
	"github.com/raket/raket/pkg/stageabi"
)

// Ended is the root of an app that runs no more, put together again to be read. It is in
// a mount namespace that no process is in.
type Ended struct {
	View
	// Gone are volumes whose sources are not there any more, as the app knew them.
	Gone []string
	ns   *os.File
}

// Close undoes all of it.
func (e *Ended) Close() error { return errors.Join(e.View.Close(), e.ns.Close()) }

// OpenEnded opens the root of an app of the ended pod in dir, an absolute path: what the
// image has and what the app has written, with its volumes, and nothing to be written to.
func OpenEnded(dir, app string) (*Ended, error) {
	s, err := stageabi.ReadSandbox(dir)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(s.Apps, func(a stageabi.App) bool { return a.Name == app })
	if i < 0 {
		return nil, fmt.Errorf("the pod has no app %q", app)
	}
	spec, err := ReadSpec(dir, app)
	if err != nil {
		return nil, err
	}
	type result struct {
		e   *Ended
		err error
	}
	done := make(chan result)
	go func() {
		// Never unlocked: the thread ends with the goroutine, and leaves its namespace.
		runtime.LockOSThread()
		e, err := assembleEnded(dir, s, s.Apps[i], spec)
		done <- result{e, err}
	}()
	r := <-done
	if r.err != nil {
		return nil, fmt.Errorf("put the root of app %s together: %w", app, r.err)
	}
	return r.e, nil
}

func assembleEnded(dir string, s stageabi.Sandbox, a stageabi.App, spec *appspec.Spec) (*Ended, error) {
	if err := Isolate(); err != nil {
		return nil, err
	}
	r := ForApp(dir, s, a, spec)
	target, err := r.mountEnded()
	if err != nil {
		return nil, err
	}
	e := &Ended{}
	if e.View, err = OpenView(target); err != nil {
		return nil, err
	}
	for _, b := range r.Binds {
		if b.Self {
			continue // it is where it is
		}
		b.ReadOnly = true
		err := b.mount(e.fd, nil)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			e.Gone = append(e.Gone, b.Target)
		case err != nil:
			return nil, errors.Join(fmt.Errorf("mount %s on %s: %w", b.Source, b.Target, err), e.View.Close())
		}
	}
	// Mounts below the root stay connected to it as long as there is the namespace.
	if e.ns, err = os.Open("/proc/thread-self/ns/mnt"); err != nil {
		return nil, errors.Join(err, e.View.Close())
	}
	return e, nil
}

// mountEnded mounts the root without what is mounted in it, and returns where.
func (r Root) mountEnded() (string, error) {
	if len(r.Lowers) == 0 {
		if err := unix.Mount(r.Target, r.Target, "", unix.MS_BIND, ""); err != nil {
			return "", err
		}
		return r.Target, unix.Mount("", r.Target, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY|unix.MS_NODEV|unix.MS_NOSUID, "")
	}
	// The work directory serves nobody who only reads.
	if err := unix.Mount("raket", r.Work, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=700,size=4m"); err != nil {
		return "", err
	}
	target, common := filepath.Join(r.Work, "root"), filepath.Join(r.Work, "common")
	if err := os.Mkdir(target, 0o700); err != nil {
		return "", err
	}
	if err := WriteCommon(common, r.Files, nil); err != nil {
		return "", err
	}
	if err := r.UseCommon(common); err != nil {
		return "", err
	}
	lowers, closeAll, err := descriptors(append([]string{r.Upper}, r.Lowers...))
	if err != nil {
		return "", err
	}
	defer closeAll()
	options := "lowerdir=" + strings.Join(lowers, ":")
	if len(options) >= os.Getpagesize() {
		return "", fmt.Errorf("too many layers (%d)", len(r.Lowers))
	}
	return target, unix.Mount("overlay", target, "overlay", unix.MS_RDONLY|unix.MS_NODEV|unix.MS_NOSUID, options)
}
