package podsocket

import (
	"fmt"

	"github.com/raket/raket/pkg/stageabi"
)

// Added returns the sockets of an app that is added to a running pod: those that the
// pod's init opens. The host's are handed over when a pod starts, and never after.
func Added(a stageabi.App) ([]stageabi.Socket, error) {
	wishes, _, err := read([]stageabi.App{a})
	if err != nil {
		return nil, err
	}
	for _, w := range wishes {
		if w.own == nil {
			return nil, &mismatch{
				fmt.Sprintf("app %s: the host's socket %q cannot reach a pod that runs: it is handed over when the pod starts", a.Name, w.text),
				"--socket=listen:… has the pod open one",
			}
		}
	}
	return Assign([]stageabi.App{a}, nil)
}
