package cli

import (
	"fmt"

	"github.com/raket/raket/pkg/appcredential"
	"github.com/raket/raket/stage0/cli/appargs"
)

// findCredentials finds the credentials of each app, in the apps' order; nil if none of
// them has any.
func findCredentials(p appargs.Pod, from appcredential.Sources) ([][]appcredential.Credential, error) {
	found := make([][]appcredential.Credential, len(p.Apps))
	some := false
	for i, a := range p.Apps {
		var err error
		if found[i], err = from.Find(a.Credentials, a.CredentialValues); err != nil {
			return nil, fmt.Errorf("image %q: %w", a.Image, err)
		}
		some = some || len(a.Credentials) > 0
	}
	if !some {
		return nil, nil
	}
	return found, nil
}

// checkKept refuses, for a pod that is started later, credentials that would have to be
// kept until then.
func checkKept(p appargs.Pod) error {
	for _, a := range p.Apps {
		for _, w := range a.Credentials {
			switch {
			case w.Kind == appcredential.Set:
				return fmt.Errorf("credential %s of %q would be on disk until the pod starts: use --load-credential, which is read then", w.ID, a.Image)
			case w.From == appcredential.Stdin:
				return fmt.Errorf("credential %s of %q cannot be read from standard input now: credentials are read when the pod starts", w.ID, a.Image)
			}
		}
	}
	return nil
}
