package appargs

import (
	"errors"
	"strings"

	"github.com/raket/raket/pkg/appspec"
)

// hardenFlags are about devices, kernel parameters and confinement.
func hardenFlags() []flag {
	f := func(name, arg, usage string, set func(*App, string) error) flag {
		return flag{Flag: Flag{Name: name, Arg: arg, Usage: usage, Scope: ForApp}, app: set}
	}
	sysctl := f("sysctl", "NAME=VALUE", "set a kernel parameter of the pod's own namespaces: kernel.shm*, kernel.msg*, kernel.sem, fs.mqueue.*, net.*",
		func(a *App, v string) error { return setSysctl(&a.Sysctls, v) })
	sysctl.added = "have a kernel parameter of the pod's, which the pod has to have been started with"
	sysctl.pod = func(p *Pod, v string) error { return setSysctl(&p.Sysctls, v) }
	return []flag{
		f("device", "/DEV[:/DEV][:rwm]|VENDOR/CLASS=NAME|none", "give the app a device of the host's, or of the Container Device Interface",
			addDevice),
		f("security-opt", "WHAT=VALUE", "confine the app: apparmor=PROFILE, label=type:TYPE, mask=PATH:…, readonly=PATH:…",
			func(a *App, v string) error { return a.Security.ParseSecurity(v) }),
		sysctl,
	}
}

// addDevice takes "none" too, for an update that takes away the devices that an app had.
func addDevice(a *App, v string) error {
	if v == "none" {
		a.Devices = []string{}
		return nil
	}
	return appendWord(&a.Devices, v)
}

func setSysctl(into *map[string]string, v string) error {
	name, value, ok := strings.Cut(v, "=")
	if !ok {
		return errors.New("must be NAME=VALUE")
	}
	if *into == nil {
		*into = map[string]string{}
	}
	return appspec.MergeSysctls(*into, map[string]string{name: value})
}
