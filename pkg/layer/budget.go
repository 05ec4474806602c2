package layer

import (
	"context"
	"sync"
)

// Budget bounds the memory that the decompressors of several layers hold at a
// time. One that needs more than is left waits until others have ended. A nil
// Budget bounds nothing.
type Budget struct {
	mu      sync.Mutex
	left    int64
	waiting []*claim // in order of arrival: nobody is overtaken for ever
}

type claim struct {
	bytes int64
	ready chan struct{}
}

// DefaultBudgetBytes is room for one stream with the largest window allowed, or
// for four of the usual 8 MiB.
const DefaultBudgetBytes = maxWindow

// NewBudget returns a budget of bytes; DefaultBudgetBytes if that is less than
// the largest single need.
func NewBudget(bytes int64) *Budget { return &Budget{left: max(bytes, DefaultBudgetBytes)} }

// acquire waits for bytes, at most DefaultBudgetBytes, and returns what gives
// them back, to be called once.
func (b *Budget) acquire(ctx context.Context, bytes int64) (release func(), err error) {
	if b == nil || bytes <= 0 {
		return func() {}, nil
	}
	b.mu.Lock()
	if len(b.waiting) == 0 && b.left >= bytes {
		b.left -= bytes
		b.mu.Unlock()
		return func() { b.release(bytes) }, nil
	}
	c := &claim{bytes: bytes, ready: make(chan struct{})}
	b.waiting = append(b.waiting, c)
	b.mu.Unlock()
	select {
	case <-c.ready:
		return func() { b.release(bytes) }, nil
	case <-ctx.Done():
		b.abandon(c)
		return nil, ctx.Err()
	}
}

func (b *Budget) release(bytes int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.left += bytes
	b.serve()
}

// abandon takes a claim back, granted or not.
func (b *Budget) abandon(c *claim) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, other := range b.waiting {
		if other == c {
			b.waiting = append(b.waiting[:i], b.waiting[i+1:]...)
			b.serve()
			return
		}
	}
	b.left += c.bytes
	b.serve()
}

func (b *Budget) serve() {
	for len(b.waiting) > 0 && b.left >= b.waiting[0].bytes {
		b.left -= b.waiting[0].bytes
		close(b.waiting[0].ready)
		b.waiting = b.waiting[1:]
	}
}
