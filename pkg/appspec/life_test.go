package appspec_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/raket/raket/pkg/appspec"
)

func TestLivesAreKeptInAnnotations(t *testing.T) {
	want := appspec.Life{
		After: []string{"a", "b"}, Requires: []string{"c"}, BindsTo: []string{"d"},
		Timer: []appspec.Property{{Name: "OnCalendar", Value: "*:0/15"}, {Name: "OnUnitInactiveSec", Value: "5s"}},
	}
	a := appspec.New()
	if err := a.Apply(appspec.Override{Life: want}); err != nil {
		t.Fatal(err)
	}
	got, err := appspec.LifeOf(a.Spec)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func TestLivesThatAreNone(t *testing.T) {
	for name, value := range map[string]string{
		appspec.AnnotationAfter: "B", appspec.AnnotationRequires: "a.service", appspec.AnnotationBindsTo: "a--b", appspec.AnnotationInit: "maybe",
		appspec.AnnotationTimer: "OnActiveSec=1\nUnit=x.service",
	} {
		t.Run(name, func(t *testing.T) {
			err := appspec.New().Apply(appspec.Override{Annotations: map[string]string{name: value}})
			if err == nil || !strings.Contains(err.Error(), "annotation "+name) {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestAnImageHasNoSayInTheLifeOfApps(t *testing.T) {
	a, err := appspec.FromOCI([]byte(`{"config":{"Entrypoint":["/x"],"Labels":{"io.raket.init":"true","io.raket.after":"b"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	got, err := appspec.LifeOf(a.Spec)
	if diff := cmp.Diff(appspec.Life{}, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}
