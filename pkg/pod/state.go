package pod

// State is what a pod is doing. The values are those that rkt prints.
type State string

// The states, in the order of a pod's life.
const (
	Embryo         State = "embryo"
	Preparing      State = "preparing"
	AbortedPrepare State = "aborted prepare"
	Prepared       State = "prepared"
	Running        State = "running"
	Exited         State = "exited"
	ExitedGarbage  State = "exited garbage"
	Garbage        State = "garbage"
	Deleting       State = "deleting"
)

// Ended reports whether no process of the pod runs, nor will.
func (s State) Ended() bool {
	switch s {
	case AbortedPrepare, Exited, ExitedGarbage, Garbage, Deleting:
		return true
	}
	return false
}

// place is a directory under pods/.
type place string

const (
	inEmbryo        place = "embryo"
	inPrepare       place = "prepare"
	inPrepared      place = "prepared"
	inRun           place = "run"
	inExitedGarbage place = "exited-garbage"
	inGarbage       place = "garbage"
)

// places is in the order in which pods travel, so that a pod that moves during
// a search in this order is met at least once.
var places = [...]place{inEmbryo, inPrepare, inPrepared, inRun, inExitedGarbage, inGarbage}

// state is what being in a place means for a pod whose lock is held or not.
func (p place) state(locked bool) State {
	switch p {
	case inEmbryo:
		return Embryo
	case inPrepare:
		if locked {
			return Preparing
		}
		return AbortedPrepare
	case inPrepared:
		return Prepared
	case inRun:
		if locked {
			return Running
		}
		return Exited
	case inExitedGarbage:
		if locked {
			return Deleting
		}
		return ExitedGarbage
	default:
		if locked {
			return Deleting
		}
		return Garbage
	}
}
