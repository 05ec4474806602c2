package appspec_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/raket/raket/pkg/appspec"
)

// guarded is an image that asks for protections of its own.
const guarded = `{"acKind":"ImageManifest","acVersion":"0.8.11","name":"example.com/a","app":{"exec":["/bin/a"],"user":"0","group":"0","isolators":[
 {"name":"os/linux/capabilities-retain-set","value":{"set":["CAP_CHOWN"]}},
 {"name":"os/linux/seccomp-retain-set","value":{"set":["read","write"]}}]}}`

func TestLoosen(t *testing.T) {
	type left struct {
		caps            int
		masked, seccomp bool
	}
	resolve := func(t *testing.T, l appspec.Loose, o appspec.Override) (left, error) {
		t.Helper()
		a, err := appspec.FromAppc([]byte(guarded))
		if err != nil {
			t.Fatal(err)
		}
		a.Loosen(l)
		if err := a.Apply(o); err != nil {
			t.Fatal(err)
		}
		s, err := a.Resolve(appspec.Root{})
		if err != nil {
			return left{}, err
		}
		linux := s.Linux
		return left{
			caps: len(s.Process.Capabilities.Effective), seccomp: linux.Seccomp != nil,
			masked: len(linux.MaskedPaths) > 0 || len(linux.ReadonlyPaths) > 0,
		}, nil
	}
	const all = 41 // capabilities, as of Linux 5.9
	for name, tt := range map[string]struct {
		loose    appspec.Loose
		override appspec.Override
		want     left
	}{
		"a filter, be it the image's, may be left out": {appspec.Loose{Seccomp: true}, appspec.Override{}, left{1, true, false}},
		"capabilities beyond the image's set":          {appspec.Loose{Seccomp: true, Capabilities: true}, appspec.Override{}, left{all, true, false}},
		"but for those that were named to go":          {appspec.Loose{Seccomp: true, Capabilities: true}, appspec.Override{CapsRemove: []string{"CAP_SYS_BOOT"}}, left{all - 1, true, false}},
		"nor beyond a set that was named":              {appspec.Loose{Seccomp: true, Capabilities: true}, appspec.Override{CapsRetain: []string{"CAP_KILL"}}, left{1, true, false}},
		"the kernel's files":                           {appspec.Loose{Seccomp: true, Paths: true}, appspec.Override{}, left{1, false, false}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := resolve(t, tt.loose, tt.override)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(left{})); diff != "" {
				t.Errorf("left (-want +got):\n%s", diff)
			}
		})
	}
	t.Run("the other words leave the filter", func(t *testing.T) {
		if got, err := resolve(t, appspec.Loose{Capabilities: true, Paths: true}, appspec.Override{}); err != nil || !got.seccomp {
			t.Errorf("%+v, %v", got, err)
		}
	})
}
