package prepare

import (
	"fmt"

	"github.com/raket/raket/pkg/appspec"
	"github.com/raket/raket/pkg/podmanifest"
	"github.com/raket/raket/pkg/stageabi"
)

// idMap is the option by which a stage1 shows a volume's files under the pod's own IDs:
// those of the pod's own volumes always, the host's where that was asked for.
func (r Request) idMap(m podmanifest.Mount, om appspec.Mount) ([]string, error) {
	users := r.Pod.Users.Range.Count > 0
	switch {
	case m.IDMap && !users:
		return nil, fmt.Errorf("volume %s: idmap=true is for pods that have user IDs of their own (--private-users)", m.Volume)
	case m.IDMap && m.Recursive:
		return []string{stageabi.MountIDMapRecursive}, nil
	case m.IDMap, users && m.Kind == podmanifest.KindEmpty && om.Source != stageabi.RootfsDir+om.Destination:
		return []string{stageabi.MountIDMap}, nil
	}
	return nil, nil
}

// checkUser refuses an app that would run as a user the pod has not.
func (r Request) checkUser(spec *appspec.Spec) error {
	count := r.Pod.Users.Range.Count
	if count == 0 || spec.Process == nil {
		return nil
	}
	u := spec.Process.User
	for _, id := range append([]uint32{u.UID, u.GID}, u.AdditionalGids...) {
		if id >= count {
			return fmt.Errorf("it runs as user or group %d, and the pod has %d IDs: --private-users=BASE:COUNT says how many", id, count)
		}
	}
	return nil
}
