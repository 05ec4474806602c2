package unitgen

import (
	"strings"

	"github.com/raket/raket/pkg/appspec"
	"github.com/raket/raket/pkg/capset"
)

// Confinement is what a command that joins a running app is held to, as the app's unit
// holds the app.
type Confinement struct {
	Bounding, Ambient uint64
	// OwnCapabilities: directives of the app's set the capabilities instead.
	OwnCapabilities bool
	NoNewPrivileges bool
	Umask           uint32
	// Filters are directives of the app's by which systemd filters its system calls.
	// No other program can do the same.
	Filters []string
}

// Confine returns what the app's unit does to the app.
func Confine(a App) (Confinement, error) {
	props, err := appspec.Properties(a.Spec)
	if err != nil {
		return Confinement{}, err
	}
	set := propertySet(props)
	bounding, ambient := appCapabilities(a, needsSystemdRoot(set))
	c := Confinement{
		Bounding: capset.Mask(bounding), Ambient: capset.Mask(ambient), OwnCapabilities: ownCapabilities(set),
		NoNewPrivileges: a.Spec.Process.NoNewPrivileges, Umask: 0o022,
	}
	if u := a.Spec.Process.User.Umask; u != nil {
		c.Umask = *u
	}
	for _, p := range props {
		if filters(p.Name) && (len(c.Filters) == 0 || c.Filters[len(c.Filters)-1] != p.Name) {
			c.Filters = append(c.Filters, p.Name)
		}
	}
	return c, nil
}

// filters reports whether systemd filters system calls for a directive
// (systemd.exec(5), "implies NoNewPrivileges=").
func filters(name string) bool {
	switch name {
	case "LockPersonality", "MemoryDenyWriteExecute", "PrivateDevices", "ProtectClock", "ProtectHostname", "ProtectKernelModules", "ProtectKernelLogs":
		return true
	}
	return strings.HasPrefix(name, "SystemCall") || strings.HasPrefix(name, "Restrict")
}
