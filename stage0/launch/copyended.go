package launch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"

	"github.com/raket/raket/pkg/approot"
	"github.com/raket/raket/pkg/pod"
)

// copyEnded copies out of an app of a pod that has ended. Its root is in no namespace that
// anybody else sees, and gone afterwards.
func copyEnded(ctx context.Context, p *pod.Pod, o CopyOptions) (err error) {
	lock, err := p.Keep(ctx)
	if errors.Is(err, pod.ErrNotFound) {
		return errors.New("the pod was collected meanwhile")
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	s, err := p.Sandbox()
	if err != nil {
		return err
	}
	if o.App, err = oneApp(s, o.App); err != nil {
		return err
	}
	root, err := approot.OpenEnded(p.Dir(), o.App)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	for _, path := range root.Gone {
		if wanted := "/" + strings.Trim(o.Path, "/"); strings.HasPrefix(path+"/", wanted+"/") || strings.HasPrefix(wanted, path+"/") {
			if _, err := fmt.Fprintf(o.Stderr, "raket: the volume on %s is not there any more\n", path); err != nil {
				return err
			}
		}
	}
	left, err := o.send(ctx, root.View)
	if err != nil {
		return err
	}
	return approot.ReportLeft(o.Stderr, left)
}

// send copies out of a root, to the host or to Stdout.
func (o CopyOptions) send(ctx context.Context, root approot.View) (left []string, err error) {
	if o.Local == "" {
		return root.Send(ctx, o.Stdout, o.Path)
	}
	host, err := approot.OpenView("/")
	if err != nil {
		return nil, err
	}
	defer host.Close()
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	sent := make(chan error, 1)
	go func() {
		var err error
		left, err = root.Send(ctx, w, o.Path)
		sent <- errors.Join(err, w.Close())
	}()
	received := host.Receive(ctx, r, o.Local, true)
	_ = r.Close()
	if err := <-sent; err != nil && !errors.Is(err, os.ErrClosed) && (received == nil || !broken(err)) {
		return nil, err // the other end's error is its echo
	}
	return left, received
}

// broken reports whether an error says that the other end of a pipe was closed.
func broken(err error) bool { return errors.Is(err, syscall.EPIPE) }
