package unitgen

import (
	"strings"

	"github.com/raket/raket/pkg/appspec"
	"github.com/raket/raket/pkg/unitfile"
)

// EnvironmentFile is the file, in the pod's root, of an app for which Environment
// returns anything.
func EnvironmentFile(app string) string { return EnvironmentPath + "/" + app }

// innerEnvironment is where it is bound to in a root that systemd enters.
const innerEnvironment = "/.raket/environment"

// Environment is what exec reads from a file: names that systemd does not take, and values
// that no unit can hold. Each is followed by a NUL byte. It is not on exec's command line,
// which everybody can read.
func Environment(spec *appspec.Spec) []byte {
	var b strings.Builder
	for _, e := range spec.Process.Env {
		if name, value, _ := strings.Cut(e, "="); unitfile.EnvError(name, value) != nil {
			b.WriteString(e + "\x00")
		}
	}
	return []byte(b.String())
}
