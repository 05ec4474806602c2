package appc_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/raket/raket/pkg/imagestore"
)

// TestWhatIsMadeOfSeveralImagesIsVerified changes a file of a dependency, which the
// merged tree shares, and one that only the merged tree has.
func TestWhatIsMadeOfSeveralImagesIsVerified(t *testing.T) {
	f := newFetcher(t)
	images{
		"a": {needs: needs("b"), files: files("a=a"), whitelist: []string{"/a", "/b"}},
		"b": {files: files("b=b", "c=c")},
	}.publish(t, f)
	img := f.fetch(t, "example.com/a")
	lowers, err := f.store.Render(t.Context(), img)
	if err != nil {
		t.Fatal(err)
	}
	merged := lowers[0]
	if !strings.Contains(merged, "/render-") {
		t.Fatalf("the image is made of %q", lowers)
	}
	check := func(repair bool) []string {
		t.Helper()
		done, err := f.store.Check(t.Context(), img, imagestore.CheckOptions{Repair: repair})
		if err != nil {
			t.Fatal(err)
		}
		var found []string
		for _, d := range done.Differences {
			kind, _, _ := strings.Cut(d.Name, "-")
			found = append(found, kind+" "+d.Path+" "+d.How)
		}
		return found
	}
	if found := check(false); found != nil {
		t.Fatalf("differences in what was just made: %q", found)
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.WriteFile(filepath.Join(merged, "b"), []byte("changed"), 0o644))
	want := []string{"aci b content", "aci b time", "render b content", "render b time"}
	if diff := cmp.Diff(want, check(true)); diff != "" {
		t.Errorf("a shared file (-want +got):\n%s", diff)
	}
	if found := check(false); found != nil {
		t.Errorf("after repair: %q", found)
	}
	must(os.WriteFile(filepath.Join(merged, "more"), nil, 0o644))
	if diff := cmp.Diff([]string{"render more extra"}, check(true)); diff != "" {
		t.Errorf("a file too many (-want +got):\n%s", diff)
	}
	if found := check(false); found != nil {
		t.Errorf("after repair: %q", found)
	}
}
