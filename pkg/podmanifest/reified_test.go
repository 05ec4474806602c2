package podmanifest_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/raket/raket/pkg/podmanifest"
)

func TestAnnotationsOfAppsAreTheImagesUnderTheManifests(t *testing.T) {
	id := "sha512-" + strings.Repeat("ab", 64)
	m, err := podmanifest.New(podmanifest.Config{Apps: []podmanifest.AppConfig{{Name: "web", ImageID: id, Annotations: map[string]string{"b": "pod", "c": "new"}}}})
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct{ config, want string }{
		"an ACI's, in their order": {`{"annotations":[{"name":"z","value":"1"},{"name":"b","value":"2"}]}`, `[{"name":"z","value":"1"},{"name":"b","value":"pod"},{"name":"c","value":"new"}]`},
		"an OCI image's labels":    {`{"config":{"Labels":{"org.example.a":"1","B C":"2"}}}`, `[{"name":"org.example.a","value":"1"},{"name":"b","value":"pod"},{"name":"c","value":"new"}]`},
		"none":                     {`{}`, `[{"name":"b","value":"pod"},{"name":"c","value":"new"}]`},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := podmanifest.AppAnnotations(m, "web", []byte(tc.config))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, string(got)); diff != "" {
				t.Error("(-want +got):\n" + diff)
			}
		})
	}
	if _, err := podmanifest.AppAnnotations(m, "web", []byte("no JSON")); err == nil {
		t.Error("no error of an image that is none")
	}
	if got := podmanifest.ImageID(m, "web"); got != id {
		t.Errorf("image ID %s", got)
	}
	text, annotations, err := podmanifest.Reified(m)
	if err != nil || string(annotations) != "[]" || !strings.Contains(string(text), `"annotations": []`) {
		t.Errorf("annotations of the pod: %s, %v\n%s", annotations, err, text)
	}
}
