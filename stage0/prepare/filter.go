package prepare

import (
	"fmt"

	"github.com/raket/raket/pkg/appspec"
)

// callFilter is the system call filter of --seccomp-profile: nil if it was not
// given.
func callFilter(asked string) (*appspec.CallFilter, error) {
	switch asked {
	case "":
		return nil, nil
	case "unconfined":
		return &appspec.CallFilter{Kind: appspec.FilterNone}, nil
	case "default":
		return &appspec.CallFilter{Kind: appspec.FilterDefault}, nil
	}
	text, err := readLimited(asked, appspec.MaxProfileBytes)
	if err != nil {
		return nil, fmt.Errorf("--seccomp-profile: %w", err)
	}
	if err := appspec.CheckProfile(text); err != nil {
		return nil, fmt.Errorf("--seccomp-profile: %s: %w", asked, err)
	}
	return &appspec.CallFilter{Kind: appspec.FilterProfile, Profile: text}, nil
}
