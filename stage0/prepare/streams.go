package prepare

import (
	"fmt"

	"github.com/raket/raket/pkg/appspec"
	"github.com/raket/raket/pkg/stageabi"
)

// checkStreams refuses streams that nobody could attach to.
func (r Request) checkStreams(spec *appspec.Spec) error {
	s, err := appspec.StreamsOf(spec)
	if err != nil || s.Usual() {
		return err
	}
	if _, ok := r.Stage1.Entrypoints[stageabi.Attach]; !ok {
		return fmt.Errorf("the flavour %q has no streams to attach to: leave out --stdin, --stdout and --stderr", r.Stage1.Name)
	}
	return nil
}
