package launch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/raket/raket/pkg/pod"
	"github.com/raket/raket/pkg/stageabi"
)

// leaveNetworks has a pod that has ended leave its networks, if it has joined any and
// nobody has done it. The pod itself stays.
func leaveNetworks(ctx context.Context, p *pod.Pod) error {
	s, err := p.Sandbox()
	if errors.Is(err, fs.ErrNotExist) && p.Refresh() == nil {
		s, err = p.Sandbox() // it has moved on meanwhile
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil // somebody has removed it, with all that it left
	}
	if err != nil || s.Network.Mode != stageabi.NetCNI || s.Stage1.Entrypoints[stageabi.GC] == "" {
		return err
	}
	if _, err := capture(ctx, p, stageabi.GC, string(p.UUID)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("it has ended: %w", err)
	}
	return nil
}

// Verify fails where a running pod's networks are not as they were made.
func Verify(ctx context.Context, p *pod.Pod) error {
	if p.State != pod.Running {
		return fmt.Errorf("%w: it is %s", ErrNotRunning, p.State)
	}
	s, err := p.Sandbox()
	if err != nil || s.Network.Mode != stageabi.NetCNI {
		return err
	}
	_, err = capture(ctx, p, stageabi.Status, "--verify", string(p.UUID))
	return err
}
