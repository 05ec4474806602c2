package unitgen

import (
	"slices"
	"strings"
)

// Dependents returns the apps that are stopped when an app is, and not started without it:
// those that require it or are bound to it, and those that need them in turn.
func Dependents(p Pod, app string) ([]string, error) {
	p.singles = make(map[string]single, len(p.Apps))
	needs := map[string][]string{}
	for _, a := range p.Apps {
		l, err := lifeOf(p, a)
		if err != nil {
			return nil, err
		}
		for _, n := range l.before {
			if n.required || n.bound {
				needs[n.name] = append(needs[n.name], a.Name)
			}
		}
	}
	var found []string
	for next := []string{app}; len(next) > 0; next = next[1:] {
		for _, name := range needs[next[0]] {
			if name != app && !slices.Contains(found, name) {
				found = append(found, name)
				next = append(next, name)
			}
		}
	}
	return found, nil
}

// Proof is what shows that an app that was started is good.
type Proof int

const (
	// ProofNone: nothing, so it has to run for a while.
	ProofNone Proof = iota
	// ProofStart: that its start has succeeded. It says so itself, or has run to its end.
	ProofStart
	// ProofHealth: a check of its health.
	ProofHealth
)

// ProofOf says what shows that an app is good.
func ProofOf(p Pod, a App) (Proof, error) {
	l, err := lifeOf(p, a)
	switch t := appType(l.props, l.Life); {
	case err != nil:
		return 0, err
	case l.health != nil:
		return ProofHealth, nil
	case t == "simple", t == "exec", t == "idle":
		return ProofNone, nil
	}
	return ProofStart, nil
}

// Besides reports whether a unit's name is that of an app's own unit or of one beside it:
// its sockets', its timer, the checks of its health.
func Besides(app, unit string) bool {
	switch unit {
	case unitName(app), upUnit(app), lostUnit(app), timerUnit(app), MuxUnit(app), healthUnit(app) + ".service", healthUnit(app) + ".timer":
		return true
	}
	return isSocketUnit(app, unit)
}

// calm reports whether the app's failure is to end nothing.
func (p Pod) calm(a App) bool { return slices.Contains(p.Calm, a.Name) }

// isSocketUnit knows the names that socketUnits gives.
func isSocketUnit(app, unit string) bool {
	number, kind, _ := strings.Cut(strings.TrimPrefix(unit, app+"."), ".")
	return strings.HasPrefix(unit, app+".") && number != "" && strings.Trim(number, "0123456789") == "" && (kind == "socket" || kind == "service")
}
