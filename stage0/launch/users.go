package launch

import (
	"context"

	"github.com/raket/raket/pkg/stageabi"
	"github.com/raket/raket/pkg/uidrange"
)

// takeUsers gives a pod that wants user IDs of its own some that are free, and writes them
// into its description.
func takeUsers(ctx context.Context, s *stageabi.Sandbox) (*uidrange.Held, error) {
	if s.Users == nil {
		return &uidrange.Held{}, nil
	}
	u := *s.Users
	w := uidrange.Wish{Pick: u.Pick, Range: uidrange.Range{Base: u.Base, Count: u.Count}}
	r, held, err := uidrange.Host{}.Take(ctx, w, "rkt-"+s.UUID)
	if err != nil {
		return nil, err
	}
	u.Base, u.Count = r.Base, r.Count
	s.Users = &u
	return held, nil
}
