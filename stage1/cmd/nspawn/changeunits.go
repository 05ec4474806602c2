package main

import (
	"slices"

	"github.com/raket/raket/pkg/stageabi"
	"github.com/raket/raket/stage1/unitgen"
)

// units makes the app's units, and those of others that change with it.
func (c *change) units() error {
	if c.plan.Verb == removeVerb {
		var err error
		c.plan.Units, _, err = generate(c.whole, c.plan.App)
		return err
	}
	c.pod.quiet = c.plan.Verb != addVerb || c.plan.Restore
	in, err := c.around(c.pod)
	if err != nil {
		return err
	}
	if c.plan.Units, c.plan.Starts, err = generate(in, c.plan.App); err != nil {
		return err
	}
	if c.plan.Dependents, err = unitgen.Dependents(in, c.plan.App); err != nil {
		return err
	}
	if c.plan.Calm, err = c.calm(in, c.plan.Dependents); err != nil {
		return err
	}
	app := in.Apps[slices.IndexFunc(in.Apps, func(a unitgen.App) bool { return a.Name == c.plan.App })]
	if c.plan.Proof, err = unitgen.ProofOf(in, app); err != nil {
		return err
	}
	c.plan.Given = unitgen.GivenSockets(c.pod.forUnits())
	if c.plan.Waiting, err = c.waiting(in, c.plan.Calm); err != nil {
		return err
	}
	if c.plan.Hold, err = unitgen.Hold(c.pod.sandbox.ExitPolicy); err != nil || c.old == nil {
		return err
	}
	old, err := c.around(c.old)
	if err != nil {
		return err
	}
	if c.plan.Old, c.plan.OldStarts, err = generate(old, c.plan.App); err != nil {
		return err
	}
	if c.plan.OldCalm, err = c.calm(old, c.plan.Dependents); err != nil {
		return err
	}
	c.plan.OldWaiting, err = c.waiting(old, c.plan.OldCalm)
	return err
}

// waiting makes calm units anew, with one that does not start for now, where nobody can
// keep connections from asking for it: those of the host's sockets.
func (c *change) waiting(in unitgen.Pod, calm map[string][]byte) (map[string][]byte, error) {
	if len(c.plan.Given) == 0 {
		return calm, nil
	}
	in.Waiting = c.plan.App
	return c.calm(in, c.plan.Dependents)
}

// around is all of the pod, with the only app of one in the place of the one of its name, or
// after the others.
func (c *change) around(one *pod) (unitgen.Pod, error) {
	if err := one.limit(); err != nil {
		return unitgen.Pod{}, err
	}
	in, app := c.whole, one.forUnits().Apps[0]
	one.quiet = true
	in.Apps = slices.Clone(in.Apps)
	if i := slices.IndexFunc(in.Apps, func(a unitgen.App) bool { return a.Name == app.Name }); i >= 0 {
		in.Apps[i] = app
	} else {
		in.Apps = append(in.Apps, app)
	}
	in.Sockets = append(slices.DeleteFunc(slices.Clone(in.Sockets), func(s stageabi.Socket) bool { return s.App == app.Name }), one.sandbox.Sockets...)
	return in, nil
}

// calm makes the units as they are while the app is stopped or replaced: its failure ends
// nothing, nor does that of apps that are stopped with it. Those that require one that is
// replaced do without it meanwhile.
func (c *change) calm(in unitgen.Pod, dependents []string) (map[string][]byte, error) {
	in.Calm = append([]string{c.plan.App}, dependents...)
	if c.plan.Replace || c.plan.Restore {
		in.Loose = c.plan.App
	}
	units, _, err := generate(in, c.plan.App)
	return units, err
}

// generate makes the units of all apps, and says which of them start one.
func generate(in unitgen.Pod, app string) (units map[string][]byte, starts []string, err error) {
	units = map[string][]byte{}
	all, err := unitgen.GenerateApps(in, units)
	for _, name := range all {
		if unitgen.Besides(app, name) {
			starts = append(starts, name)
		}
	}
	return units, starts, err
}
