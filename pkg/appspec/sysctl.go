package appspec

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
)

// CheckSysctl says what is wrong with a kernel parameter NAME=value of a pod: one that is not of
// a namespace of its own would be the host's.
func CheckSysctl(name, value string) error {
	name = SysctlName(name)
	switch {
	case !isSysctl(name) || len(name) > 255 || !isBelow(sysctlSwap(name)):
		return fmt.Errorf("sysctl %q: not the name of one", name)
	case len(value) > 4096 || strings.ContainsFunc(value, func(r rune) bool { return isControl(r) && r != '\t' }):
		return fmt.Errorf("sysctl %s: value %q is not one line", name, value)
	case ofNetwork(name), strings.HasPrefix(name, "fs.mqueue."), name == "kernel.sem",
		strings.HasPrefix(name, "kernel.shm"), strings.HasPrefix(name, "kernel.msg"):
		return nil
	}
	return fmt.Errorf("sysctl %s: it is the host's: a pod has kernel.shm*, kernel.msg*, kernel.sem, fs.mqueue.* and, with a network of its own, net.*", name)
}

// SysctlPath is where a parameter is below /proc/sys.
func SysctlPath(name string) string { return sysctlSwap(SysctlName(name)) }

// sysctlSwap makes a path of a name with dots, and the other way round: a dot in a name, as of a
// network interface, is a slash in the other form.
func sysctlSwap(s string) string { return strings.NewReplacer("/", ".", ".", "/").Replace(s) }

// isBelow reports whether a path stays below where it begins.
func isBelow(p string) bool {
	return path.Clean(p) == p && !path.IsAbs(p) && p != ".." && !strings.HasPrefix(p, "../")
}

// SysctlName is a parameter's name with dots, as sysctl(8) takes it with slashes too.
func SysctlName(name string) string {
	if first := strings.IndexAny(name, "./"); first >= 0 && name[first] == '/' {
		return sysctlSwap(name)
	}
	return name
}

func ofNetwork(name string) bool { return strings.HasPrefix(name, "net.") }

// NetworkSysctl is the first of the parameters that a network has; "" if none is.
func NetworkSysctl(sysctls map[string]string) string {
	for _, name := range slices.Sorted(maps.Keys(sysctls)) {
		if ofNetwork(name) {
			return name
		}
	}
	return ""
}

// MergeSysctls adds parameters to those of a pod, whose apps share them: two values for one are an
// error.
func MergeSysctls(into, from map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(from)) {
		full := SysctlName(name)
		if err := CheckSysctl(full, from[name]); err != nil {
			return err
		}
		if have, ok := into[full]; ok && have != from[name] {
			return fmt.Errorf("sysctl %s is to be both %q and %q: a pod has one", full, have, from[name])
		}
		into[full] = from[name]
	}
	return nil
}

// AddSysctls adds parameters to those that the app's image asks for; what is said of the app wins.
func (a *App) AddSysctls(sysctls map[string]string) error {
	if len(sysctls) == 0 {
		return nil
	}
	all := map[string]string{}
	if err := MergeSysctls(all, sysctls); err != nil {
		return err
	}
	for name, value := range a.Spec.Linux.Sysctl {
		if _, said := all[SysctlName(name)]; !said {
			all[SysctlName(name)] = value
		}
	}
	a.Spec.Linux.Sysctl = all
	return nil
}
