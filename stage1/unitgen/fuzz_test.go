package unitgen_test

import (
	"strings"
	"testing"

	"github.com/raket/raket/pkg/appspec"
	"github.com/raket/raket/stage1/unitgen"
)

// annotated makes the units of an app with these annotations, after its spec was written and
// read as a pod's is.
func annotated(notes map[string]string) (map[string][]byte, error) {
	spec := func(program string) (*appspec.Spec, error) {
		return appspec.Parse([]byte(`{"ociVersion":"1.0.2","root":{"path":"rootfs"},"process":{"args":["` + program + `"],"cwd":"/","user":{"uid":0,"gid":0}}}`))
	}
	a, err := spec("/bin/app")
	if err != nil {
		return nil, err
	}
	a.Annotations = notes
	text, err := appspec.Marshal(a)
	if err != nil {
		return nil, err
	}
	if a, err = appspec.Parse(text); err != nil {
		return nil, err
	}
	pod := oneApp(unitgen.App{Name: "a", Spec: a})
	for _, name := range []string{"b", "c"} {
		other, err := spec("/bin/" + name)
		if err != nil {
			return nil, err
		}
		pod.Apps = append(pod.Apps, unitgen.App{Name: name, Spec: other})
	}
	return unitgen.Generate(pod)
}

// The fuzz target is worth something only if what is good is taken.
func TestGoodAnnotationsMakeUnits(t *testing.T) {
	units, err := annotated(map[string]string{
		appspec.AnnotationAfter: "b c", appspec.AnnotationRequires: "b", appspec.AnnotationTimer: "OnActiveSec=5\nOnUnitActiveSec=1h",
		appspec.AnnotationPostStop: `[["/bin/true","x"]]`, appspec.AnnotationHealthcheck: `{"Test":["CMD-SHELL","exit 1"],"Interval":1000000000}`,
		appspec.AnnotationHealthOnFailure: "restart", appspec.AnnotationStreams + "stdin": "stream",
	})
	if err != nil || len(units["a.service"]) == 0 || len(units["a.timer"]) == 0 {
		t.Errorf("got %d units, %v", len(units), err)
	}
}

// FuzzAnnotations holds whatever is said in annotations, and taken, to units whose lines are
// theirs: each command line is one, and none is a directive that no annotation sets.
func FuzzAnnotations(f *testing.F) {
	f.Add("b", "b", "b", "true", "OnCalendar=daily", "false", `[["/bin/true","x"]]`, `{"Test":["CMD","/bin/true"]}`, "kill", "true", "tty")
	f.Add("b c", "b", "", "", "OnActiveSec=5\nOnUnitActiveSec=1h", "", `[]`, `{"Test":["CMD-SHELL","exit 1"],"Interval":1000000000}`, "restart", "", "stream")
	f.Add("b\nExecStart=/x", "../b", "b.service", "yes", "OnCalendar=\n[Service]", "1", `[["a\n%n$A;"]]`, `{"Test":["CMD","a\nb","%n"]}`, "x", "x", "x")
	f.Fuzz(func(t *testing.T, after, requires, binds, initial, timer, notify, stop, check, failure, ready, stdin string) {
		notes := map[string]string{}
		for name, text := range map[string]string{
			appspec.AnnotationAfter: after, appspec.AnnotationRequires: requires, appspec.AnnotationBindsTo: binds, appspec.AnnotationInit: initial,
			appspec.AnnotationTimer: timer, appspec.AnnotationNotifyHost: notify, appspec.AnnotationPostStop: stop, appspec.AnnotationHealthcheck: check,
			appspec.AnnotationHealthOnFailure: failure, appspec.AnnotationHealthReady: ready, appspec.AnnotationStreams + "stdin": stdin,
		} {
			if text != "" {
				notes[name] = text
			}
		}
		units, err := annotated(notes)
		if err != nil {
			return
		}
		for name, unit := range units {
			starts := 0
			for line := range strings.Lines(string(unit)) {
				line = strings.TrimSuffix(line, "\n")
				directive, _, is := strings.Cut(line, "=")
				switch {
				case strings.ContainsAny(line, "\r\x00"):
					t.Errorf("%s has the line %q", name, line)
				case line == "", strings.HasPrefix(line, "#"), !is && strings.HasPrefix(line, "[") && strings.HasSuffix(line, "]"):
				case !is, strings.TrimFunc(directive, func(r rune) bool { return r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' }) != "":
					t.Errorf("%s has the line %q", name, line)
				}
				if directive == "ExecStart" {
					starts++
				}
			}
			if name == "a.service" && starts != 1 {
				t.Errorf("%s has %d commands:\n%s", name, starts, unit)
			}
		}
	})
}
