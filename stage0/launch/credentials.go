package launch

import (
	"fmt"
	"os"

	"github.com/raket/raket/pkg/appcredential"
	"github.com/raket/raket/pkg/approot"
	"github.com/raket/raket/pkg/pod"
)

// credentials puts the apps' credentials where a stage1 takes them from; nil if none of
// them asks for any.
func credentials(p *pod.Pod, found [][]appcredential.Credential) (*os.File, error) {
	s, err := p.Sandbox()
	if err != nil {
		return nil, err
	}
	apps := map[string][]appcredential.Credential{}
	for i, a := range s.Apps {
		if len(a.Credentials) == 0 {
			continue
		}
		if found != nil {
			apps[a.Name] = found[i]
			continue
		}
		wishes, err := appcredential.ParseAll(a.Credentials)
		if err == nil {
			apps[a.Name], err = appcredential.HostSources().Find(wishes, nil)
		}
		if err != nil {
			return nil, fmt.Errorf("app %s: %w", a.Name, err)
		}
	}
	if len(apps) == 0 {
		return nil, nil
	}
	return approot.NewCredentials(apps)
}
