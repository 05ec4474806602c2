package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/raket/raket/pkg/appspec"
	"github.com/raket/raket/pkg/cgroup"
	"github.com/raket/raket/pkg/sd"
	"github.com/raket/raket/stage1/unitgen"
)

// limits are what the pod and its apps are held to, and by whom: on the unified
// hierarchy by the pod's systemd, on the legacy ones by groups of the host's
// (docs/adr/0012-limits.md).
type limits struct {
	pod *appspec.Resources
	// groups are, of the legacy hierarchies, the pod's directory by controller.
	groups map[string]string
	// apps are the controllers of each app, in the order of sandbox.Apps.
	apps [][]string
	// bandwidth is what each app's network bandwidth is limited to, by the pod; 0 for no limit.
	bandwidth []int64
}

// limit finds out how the limits can be kept, and makes what that takes on the
// host. A limit that cannot be is an error: nobody would know.
func (p *pod) limit() error {
	r, err := appspec.ParseResources(p.sandbox.Resources)
	if err != nil {
		return fmt.Errorf("the pod's %w", err)
	}
	p.limits.pod = r
	for i, a := range p.sandbox.Apps {
		if ignored := p.specs[i].Annotations[appspec.AnnotationIgnoredIsolators]; ignored != "" && !p.quiet {
			fmt.Fprintf(os.Stderr, "raket: app %s: not limited as its image asks, by %s\n", a.Name, ignored)
		}
	}
	if err := p.limitBandwidth(); err != nil {
		return err
	}
	if err := p.limitDisk(); err != nil {
		return err
	}
	if cgroup.Unified() {
		return p.checkControllers()
	}
	return p.makeGroups()
}

// limitDisk finds the device that limits are for which name none: what the pod's files are on.
func (p *pod) limitDisk() error {
	var limited []*appspec.Resources
	var whose []string
	note := func(who string, r *appspec.Resources) {
		if appspec.LimitsDisk(r) {
			limited, whose = append(limited, r), append(whose, who)
		}
	}
	note("the pod", p.limits.pod)
	for i, a := range p.sandbox.Apps {
		note("app "+a.Name, p.resources(i))
	}
	if len(limited) == 0 {
		return nil
	}
	device, err := cgroup.Disk(".")
	switch {
	case err == nil:
	case !errors.Is(err, cgroup.ErrNoDisk):
		return err
	case !p.quiet:
		fmt.Fprintf(os.Stderr, "raket: not limited as asked, by isolators of block devices: %s: %s: %v\n", strings.Join(whose, ", "), p.dir, err)
	}
	for _, r := range limited {
		appspec.SetDisk(r, device)
	}
	return nil
}

func (p *pod) resources(i int) *appspec.Resources {
	if l := p.specs[i].Linux; l != nil {
		return l.Resources
	}
	return nil
}

// checkControllers sees to it that the pod's systemd has what the limits take.
func (p *pod) checkControllers() error {
	g, err := p.group()
	if err != nil {
		return err
	}
	have, err := g.Controllers()
	if err != nil {
		return err
	}
	check := func(who string, r *appspec.Resources) error {
		for _, c := range appspec.Controllers(r) {
			if !slices.Contains(have, c) {
				return fmt.Errorf("%s has a limit that nobody would keep: the pod's control group has no controller %s (Delegate=yes in the pod's unit gives it what the host has)", who, c)
			}
		}
		return nil
	}
	if err := check("the pod", p.limits.pod); err != nil {
		return err
	}
	for i, a := range p.sandbox.Apps {
		if err := check("app "+a.Name, p.resources(i)); err != nil {
			return err
		}
	}
	return nil
}

// makeGroups makes the groups of the legacy hierarchies: in each that a limit
// needs, one for the pod and in it one for each app. Nothing is in the pod's own
// group; it bounds those below it.
func (p *pod) makeGroups() error {
	whole, apps, err := p.groupFiles()
	if err != nil {
		return err
	}
	all := slices.Concat(p.limits.apps...)
	slices.Sort(all)
	if all = slices.Compact(all); len(all) == 0 {
		return nil
	}
	if err := p.placeGroups(all); err != nil {
		return fmt.Errorf("limit the pod: %w", err)
	}
	for _, c := range all {
		if err := makeGroup(p.limits.groups[c], c, whole); err != nil {
			return fmt.Errorf("limit the pod: %w", err)
		}
	}
	for i, a := range p.sandbox.Apps {
		for _, c := range p.limits.apps[i] {
			dir := filepath.Join(p.limits.groups[c], groupName(a))
			err := makeGroup(dir, c, apps[i])
			if err == nil {
				// The app's own user, where systemd enters its root, has to enter the
				// group; the helper's root has no rights over files of others.
				tasks := filepath.Join(dir, "tasks")
				err = errors.Join(p.chown(tasks, p.specs[i].Process.User.UID, 0), os.Chmod(tasks, 0o664))
			}
			if err != nil {
				return fmt.Errorf("limit app %s: %w", a.Name, err)
			}
		}
	}
	return nil
}

// groupFiles are what is written to the groups of the pod and of its apps; it notes the
// controllers of each app.
func (p *pod) groupFiles() (whole []appspec.GroupFile, apps [][]appspec.GroupFile, err error) {
	if whole, err = appspec.LegacyFiles(p.limits.pod); err != nil {
		return nil, nil, fmt.Errorf("limit the pod: %w", err)
	}
	apps = make([][]appspec.GroupFile, len(p.specs))
	p.limits.apps = make([][]string, len(p.specs))
	for i, a := range p.sandbox.Apps {
		r, lost, err := appspec.LegacyResources(p.specs[i])
		if err == nil {
			apps[i], err = appspec.LegacyFiles(r)
		}
		if err != nil {
			return nil, nil, fmt.Errorf("limit app %s: %w", a.Name, err)
		}
		if len(lost) > 0 && !p.quiet {
			fmt.Fprintf(os.Stderr, "raket: app %s: without effect on this host's control groups (cgroup v1): %s\n", a.Name, strings.Join(lost, ", "))
		}
		p.limits.apps[i] = controllers(whole, apps[i])
	}
	return whole, apps, nil
}

// countGroups finds out which groups the apps of a running pod are in, and makes none.
func (p *pod) countGroups() (err error) {
	if p.limits.pod, err = appspec.ParseResources(p.sandbox.Resources); err != nil {
		return fmt.Errorf("the pod's %w", err)
	}
	if err := p.limitBandwidth(); err != nil {
		return err
	}
	if err := p.limitDisk(); err != nil || cgroup.Unified() {
		return err
	}
	_, _, err = p.groupFiles()
	return err
}

// group is the pod's group.
func (p *pod) group() (cgroup.Group, error) {
	if p.leader == 0 {
		return cgroup.Current()
	}
	g, err := cgroup.Of(p.leader)
	return g.Above(), err // the init's own is below it
}

// placeGroups decides where the pod's groups are, and notes it for gc before one
// is made. Of a running pod some are there.
func (p *pod) placeGroups(controllers []string) error {
	l, err := p.legacyPlace()
	if err != nil {
		return err
	}
	noted, err := notedGroups()
	if err != nil {
		return err
	}
	p.limits.groups = map[string]string{}
	var note strings.Builder
	for _, c := range controllers {
		dir, err := l.Dir(c, "rkt-"+p.sandbox.UUID, sd.Booted())
		if err != nil {
			return err
		}
		p.limits.groups[c] = dir
		if !slices.Contains(noted, dir) {
			note.WriteString(dir + "\n")
		}
	}
	f, err := os.OpenFile(groupsFile, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteString(note.String())
	return errors.Join(err, f.Close())
}

func (p *pod) legacyPlace() (cgroup.Legacy, error) {
	if p.leader == 0 {
		return cgroup.CurrentLegacy()
	}
	return cgroup.LegacyOf(p.leader, payloadGroups)
}

// payloadGroups is how many groups deep the pod's init is in the pod's own, in the hierarchy
// that systemd uses: nspawn makes "payload", and the init "init.scope" in it.
const payloadGroups = 2

// notedGroups are the directories in groupsFile.
func notedGroups() ([]string, error) {
	b, err := os.ReadFile(groupsFile)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return strings.FieldsFunc(string(b), func(r rune) bool { return r == '\n' }), err
}

func makeGroup(dir, controller string, files []appspec.GroupFile) error {
	if err := cgroup.Make(dir); err != nil {
		return err
	}
	for _, f := range files {
		if f.Controller != controller || f.Name == "devices.deny" && isClosed(dir) {
			continue
		}
		err := os.WriteFile(filepath.Join(dir, f.Name), []byte(f.Value), 0)
		if f.IfThere && errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if errors.Is(err, fs.ErrPermission) && controller == "devices" {
			return fmt.Errorf("device rule %q: the unit that the pod is in allows less (DevicePolicy=, DeviceAllow=): %w", f.Value, err)
		}
		if err != nil {
			return fmt.Errorf("set %s to %s: %w", f.Name, f.Value, err)
		}
	}
	return nil
}

// controllers are those of the files, sorted.
func controllers(lists ...[]appspec.GroupFile) []string {
	var names []string
	for _, f := range slices.Concat(lists...) {
		names = append(names, f.Controller)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// mountGroups brings the pod's groups into its root, one mount a hierarchy. Roots of
// apps do not have them.
func (p *pod) mountGroups() error {
	for c, dir := range p.limits.groups {
		target := filepath.Join(unitgen.GroupsPath, c)
		if err := os.MkdirAll(filepath.Join(rootDir, target), 0o755); err != nil {
			return err
		}
		if err := (bind{dir, target, false}).mount(); err != nil {
			return err
		}
	}
	return nil
}
