package prepare

import (
	"fmt"
	"maps"
	"slices"

	"github.com/raket/raket/pkg/approot"
	"github.com/raket/raket/pkg/appspec"
	"github.com/raket/raket/pkg/pod"
	"github.com/raket/raket/pkg/stageabi"
)

// lives are the apps of a pod, and how they depend on each other.
func lives(p *pod.Pod, box stageabi.Sandbox) ([]appspec.Ordered, error) {
	var apps []appspec.Ordered
	for _, a := range box.Apps {
		spec, err := approot.ReadSpec(p.Dir(), a.Name)
		if err != nil {
			return nil, err
		}
		life, err := appspec.LifeOf(spec)
		if err != nil {
			return nil, err
		}
		apps = append(apps, appspec.Ordered{Name: a.Name, Life: life})
	}
	return apps, nil
}

// checkOrder says what is wrong with how the app depends on those of the pod, and they on it.
func (a *Addition) checkOrder(p *pod.Pod, box stageabi.Sandbox) error {
	apps, err := lives(p, box)
	if err != nil {
		return err
	}
	own := appspec.Ordered{Name: a.name}
	if own.Life, err = appspec.LifeOf(a.spec); err != nil {
		return err
	}
	if i := slices.IndexFunc(apps, func(o appspec.Ordered) bool { return o.Name == a.name }); i >= 0 {
		apps[i] = own
	} else {
		apps = append(apps, own)
	}
	// Those that need others may come after an init app.
	onlyInit := !slices.ContainsFunc(apps, func(o appspec.Ordered) bool { return !o.Init })
	return appspec.CheckOrder(apps, onlyInit)
}

// checkSysctls says which kernel parameters an app asks for that its pod does not have. They are of
// the pod's namespaces: to set one now would change it for the apps that run.
func checkSysctls(have, asked map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(asked)) {
		value, ok := have[name]
		switch {
		case !ok:
			return fmt.Errorf("sysctl %s is to be %q, and the pod was started without it: a pod's apps share it, so start the pod with --sysctl=%s=%s", name, asked[name], name, asked[name])
		case value != asked[name]:
			return fmt.Errorf("sysctl %s is to be %q, and the pod was started with %q: a pod's apps share it", name, asked[name], value)
		}
	}
	return nil
}

// NeededBy is an app of the pod that does not start without another, "" for none.
func NeededBy(p *pod.Pod, box stageabi.Sandbox, app string) (string, error) {
	apps, err := lives(p, box)
	for _, o := range apps {
		if o.Name != app && (slices.Contains(o.Requires, app) || slices.Contains(o.BindsTo, app)) {
			return o.Name, err
		}
	}
	return "", err
}
