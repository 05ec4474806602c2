package unitgen

import "github.com/raket/raket/pkg/stageabi"

// HoldUnit keeps a pod while it runs, though none of its apps does: one is about to be
// started in the place of another. HoldPath is a file that whoever
// is at it has locked; the unit ends when nobody has any more.
const (
	HoldUnit = "raket.hold.service"
	HoldPath = "/raket/hold"
)

// Hold returns the unit HoldUnit, or nil where an app's end does not end the pod.
func Hold(policy stageabi.ExitPolicy) ([]byte, error) {
	if policy == stageabi.ExitNone {
		return nil, nil
	}
	f := newUnit("Change of an app")
	f.Words("Conflicts", "shutdown.target")
	f.Words("Before", "shutdown.target")
	f.Words("Wants", "apps.target")
	f.Section("Service")
	f.Set("Type", "exec")
	f.Exec("ExecStart", "", []string{ExecPath, "-L", HoldPath})
	return f.Bytes()
}
