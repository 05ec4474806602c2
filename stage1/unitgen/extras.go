package unitgen

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/raket/raket/pkg/appspec"
)

// extras tell exec what few apps have: devices, and paths that are hidden or read-only.
func extras(a App) []string {
	var args []string
	for _, d := range appspec.OwnDevices(a.Spec) {
		mode, uid, gid := uint32(0o666), uint32(0), uint32(0)
		if d.FileMode != nil {
			mode = uint32(*d.FileMode)
		}
		if d.UID != nil {
			uid = *d.UID
		}
		if d.GID != nil {
			gid = *d.GID
		}
		kind := strings.Replace(d.Type, "u", "c", 1)
		args = append(args, "-d", fmt.Sprintf("%s:%s:%d:%d:%o:%d:%d", d.Path, kind, d.Major, d.Minor, mode, uid, gid))
	}
	masked, readOnly := appspec.ExtraPaths(a.Spec)
	for _, p := range masked {
		args = append(args, "-i", p)
	}
	for _, p := range readOnly {
		args = append(args, "-q", p)
	}
	return args
}

// givesAway reports whether a device of the app's has another owner than root.
func givesAway(spec *appspec.Spec) bool {
	return slices.ContainsFunc(appspec.OwnDevices(spec), func(d appspec.Device) bool {
		return d.UID != nil && *d.UID != 0 || d.GID != nil && *d.GID != 0
	})
}

// Label is what exec has the kernel label the app with; "" for nothing.
func Label(spec *appspec.Spec) string {
	switch p := spec.Process; {
	case p.ApparmorProfile != "":
		return "apparmor:" + p.ApparmorProfile
	case p.SelinuxLabel != "":
		return "selinux:" + p.SelinuxLabel
	}
	return ""
}

// rootProperties are those of the directives for which systemd makes the app's root.
func rootProperties(set map[string]bool) []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(set)), func(name string) bool { return !needsSystemdRoot(map[string]bool{name: true}) })
}
