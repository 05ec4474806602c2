package pod

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/raket/raket/pkg/flock"
)

// Keep keeps an ended pod from being collected, removed or marked until the lock is closed;
// others may keep it too. The error wraps ErrNotFound if the pod is gone, and ErrBusy if
// another process changes it.
func (p *Pod) Keep(ctx context.Context) (*flock.Lock, error) {
	// A pod moves at most once through each place, as in Refresh.
	for range places {
		l, err := p.share(ctx)
		if l != nil || err != nil {
			return l, err
		}
		if err := p.Refresh(); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("%s: %w", p.UUID, ErrBusy)
}

// share takes a shared lock; none if the pod has moved away.
func (p *Pod) share(ctx context.Context) (*flock.Lock, error) {
	l, err := flock.Open(p.Dir())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("lock pod %s: %w", p.UUID, err)
	}
	patience, cancel := context.WithTimeout(ctx, lockPatience)
	defer cancel()
	err = l.SharedContext(patience)
	here := false
	switch {
	case err == nil:
		here, err = l.Is(p.Dir())
	case errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil:
		err = ErrBusy
	}
	if here && err == nil {
		return l, nil
	}
	if err != nil {
		err = fmt.Errorf("lock pod %s: %w", p.UUID, err)
	}
	return nil, errors.Join(err, l.Close())
}
