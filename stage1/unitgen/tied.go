package unitgen

import "slices"

// Tied reports whether the app has a part in what others of the pod do, or units beside
// its own and those of its sockets: it waits for others or is waited for, starts by a
// timer, or is checked. Such an app cannot be changed alone.
func Tied(p Pod, app string) (bool, error) {
	for _, a := range p.Apps {
		l, err := lifeOf(p, a)
		if err != nil {
			return false, err
		}
		if a.Name != app {
			if slices.ContainsFunc(l.before, func(n neighbour) bool { return n.name == app }) {
				return true, nil
			}
			continue
		}
		more, _, err := lifeFiles(p, a)
		if err != nil || len(more) > 0 || len(l.before) > 0 || len(l.bound) > 0 {
			return true, err
		}
	}
	return false, nil
}
