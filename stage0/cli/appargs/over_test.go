package appargs

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/raket/raket/pkg/podmanifest"
)

// What is said of an app that replaces another is said over what was said of that.
func TestOver(t *testing.T) {
	for name, tt := range map[string]struct{ was, now, want []string }{
		"what is not said again holds": {
			was:  []string{"--device=/dev/kvm:rw", "--security-opt=mask=/home", "--security-opt=apparmor=web", "--sysctl=kernel.shmmax=1", "--user=app", "--memory=1M"},
			want: []string{"--device=/dev/kvm:rw", "--security-opt=mask=/home", "--security-opt=apparmor=web", "--sysctl=kernel.shmmax=1", "--user=app", "--memory=1M"},
		},
		"devices take the place of those before": {
			was: []string{"--device=/dev/kvm", "--device=/dev/fuse"}, now: []string{"--device=/dev/fuse:r"},
			want: []string{"--device=/dev/fuse:r"},
		},
		"none takes them away": {was: []string{"--device=/dev/kvm"}, now: []string{"--device=none"}, want: []string{"--device=none"}},
		"paths of a kind take the place of those before": {
			was: []string{"--security-opt=mask=/home:/root", "--security-opt=readonly=/etc"}, now: []string{"--security-opt=mask=/srv"},
			want: []string{"--security-opt=mask=/srv", "--security-opt=readonly=/etc"},
		},
		"a part of a label takes the place of its like": {
			was: []string{"--security-opt=label=type:web_t", "--security-opt=label=level:s0"}, now: []string{"--security-opt=label=level:s0:c1"},
			want: []string{"--security-opt=label=type:web_t", "--security-opt=label=level:s0:c1"},
		},
		"a signature is of one image": {was: []string{"--signature=/a.asc", "--user=app"}, now: []string{"--group=app"}, want: []string{"--user=app", "--group=app"}},
		"a mount takes the place of the one at its target": {
			was: []string{"--mount=volume=a,target=/x", "--mount=volume=b,target=/y"}, now: []string{"--mount=volume=c,target=/y"},
			want: []string{"--mount=volume=a,target=/x", "--mount=volume=c,target=/y"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			said := func(flags []string) App {
				p, err := Parse(append([]string{"uuid", "app", "img"}, flags...), Options{Verb: Update})
				if err != nil {
					t.Fatal(err)
				}
				return p.Apps[0]
			}
			was := said(tt.was)
			if diff := cmp.Diff(said(tt.want), said(tt.now).Over(was), cmpopts.EquateEmpty(), cmp.AllowUnexported(podmanifest.MountFlag{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(said(tt.was), was, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("what was said before has changed (-want +got):\n%s", diff)
			}
		})
	}
}

// A flag of an app's before the image would be one of a pod that is there already.
func TestFlagsOfAnAppFollowTheImageThatIsAdded(t *testing.T) {
	for _, flag := range []string{"--memory=1M", "--sysctl=kernel.shmmax=1", "--annotation=a=b", "--device=/dev/kvm", "--security-opt=mask=/x"} {
		for verb, words := range map[Verb][]string{Add: {"uuid"}, Update: {"uuid", "app"}} {
			if _, err := Parse(append(append([]string{flag}, words...), "img"), Options{Verb: verb}); err == nil {
				t.Errorf("%s is taken before the image", flag)
			}
			if _, err := Parse(append(words, "img", flag), Options{Verb: verb}); err != nil {
				t.Error(err)
			}
		}
	}
}
