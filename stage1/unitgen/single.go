package unitgen

import "github.com/raket/raket/pkg/appspec"

// single is what an app says of its life, without regard to the others.
type single struct {
	life   appspec.Life
	props  []appspec.Property
	health *appspec.Health
}

func (s single) retried() bool { return retried(s.props, s.life, s.health) }

// single returns what an app says of its life. Each app is looked at for each of the others:
// what was found is kept.
func (p Pod) single(a App) (single, error) {
	if s, ok := p.singles[a.Name]; ok {
		return s, nil
	}
	var s single
	var err error
	if s.life, err = appspec.LifeOf(a.Spec); err != nil {
		return s, err
	}
	if s.props, err = appspec.Properties(a.Spec); err != nil {
		return s, err
	}
	if s.health, err = healthOf(a, s.props, s.life); err != nil {
		return s, err
	}
	if p.singles != nil {
		p.singles[a.Name] = s
	}
	return s, nil
}
