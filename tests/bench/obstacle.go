package main

import (
	"os/exec"
	"strings"
)

// obstacle is why a contender can't run here; the zero value is that it can.
type obstacle struct {
	why string
	// broken: it should have run, so the benchmark as a whole has failed. Otherwise its rows are merely left out.
	broken bool
}

func broken(err error) obstacle { return obstacle{err.Error(), true} }

func (o obstacle) stands() bool { return o.why != "" }

// row is how the obstacle shows in a table.
func (o obstacle) row(subject string) row {
	switch {
	case o.broken:
		return row{Subject: subject, Note: "failed: " + o.why, Failed: true}
	case o.stands():
		return row{Subject: subject, Note: "skipped: " + o.why}
	}
	return row{Subject: subject}
}

// lookFor says which of the commands are missing.
func lookFor(names ...string) obstacle {
	var missing []string
	for _, name := range names {
		if _, err := exec.LookPath(name); err != nil {
			missing = append(missing, name)
		}
	}
	if len(missing) == 0 {
		return obstacle{}
	}
	return obstacle{why: "not installed: " + strings.Join(missing, ", ")}
}
