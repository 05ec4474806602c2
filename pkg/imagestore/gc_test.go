package imagestore_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"github.com/raket/raket/pkg/imagestore"
	"github.com/raket/raket/pkg/imagestore/imagetest"
)

func TestCollectToASize(t *testing.T) {
	needRoot(t)
	const bodyBytes = 100_000
	for name, tc := range map[string]struct {
		opts imagestore.GCOptions
		want []string
	}{
		"all beyond their grace":                {imagestore.GCOptions{Grace: 90 * time.Minute}, []string{"3h", "2h"}},
		"all without grace":                     {imagestore.GCOptions{}, []string{"3h", "2h", "1h", "0h"}},
		"the least recently used until it fits": {imagestore.GCOptions{TargetBytes: 4.5 * bodyBytes}, []string{"3h"}},
		"two of them":                           {imagestore.GCOptions{TargetBytes: 3.5 * bodyBytes}, []string{"3h", "2h"}},
		"none where it fits":                    {imagestore.GCOptions{TargetBytes: 9 * bodyBytes}, nil},
		"no more than grace allows":             {imagestore.GCOptions{TargetBytes: 1, Grace: 150 * time.Minute}, []string{"3h"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s, err := imagestore.Open(dir)
			must(t, err)
			var used digest.Digest
			for age := range 5 {
				body := strings.Repeat(string(rune('a'+age)), bodyBytes) // compresses well: trees count
				img := imagetest.New(t, []imagetest.File{{Name: "f", Body: body}}).Add(t, s, "docker://r.example/"+string(rune('0'+age))+"h:1")
				when := time.Now().Add(-time.Duration(age) * time.Hour)
				record := filepath.Join(dir, "images/records", img.ID.Encoded()+".json")
				raw, err := os.ReadFile(record)
				must(t, err)
				// The last use is never before the import.
				imported := `"imported":"` + img.Imported.Format(time.RFC3339Nano)
				raw = []byte(strings.Replace(string(raw), imported, `"imported":"2020-01-01T00:00:00Z`, 1))
				must(t, os.WriteFile(record, raw, 0o640))
				must(t, os.Chtimes(record, when, when))
				if age == 4 {
					used = img.ID
				}
			}
			must(t, os.RemoveAll(filepath.Join(dir, "images/records/.list")))
			tc.opts.InUse = func() (map[digest.Digest][]string, error) { return map[digest.Digest][]string{used: {"uuid-1"}}, nil }
			tc.opts.DryRun = true
			would, err := s.GC(tc.opts)
			must(t, err)
			tc.opts.DryRun = false
			done, err := s.GC(tc.opts)
			must(t, err)
			for what, c := range map[string]imagestore.Collected{"would": would, "did": done} {
				var got []string
				for _, img := range c.Images {
					got = append(got, strings.TrimSuffix(strings.TrimPrefix(img.Name(), "docker://r.example/"), ":1"))
				}
				if diff := cmp.Diff(tc.want, got); diff != "" {
					t.Errorf("%s remove (-want +got):\n%s", what, diff)
				}
				if c.TreeBytes != int64(len(tc.want)*bodyBytes) {
					t.Errorf("%s free %d bytes of trees, want %d", what, c.TreeBytes, len(tc.want)*bodyBytes)
				}
			}
			if would.SizeBytes != done.SizeBytes {
				t.Errorf("would free %d bytes of blobs, and freed %d", would.SizeBytes, done.SizeBytes)
			}
		})
	}
}

func TestRemoveByName(t *testing.T) {
	needRoot(t)
	s := open(t)
	img := one(t, "x").Add(t, s, "docker://r.example/app:1")
	one(t, "x").Add(t, s, "docker://r.example/app:2")
	one(t, "x").Add(t, s, "oci-archive:/x.tar")
	inUse := func() (map[digest.Digest][]string, error) { return map[digest.Digest][]string{img.ID: {"uuid-1"}}, nil }
	names := func() []string {
		got, err := s.Lookup(parse(t, img.ID.String()))
		must(t, err)
		return got.Names
	}
	if gone, err := s.RemoveName("docker://r.example/app:1", inUse); gone || err != nil {
		t.Fatalf("gone is %v, %v", gone, err)
	}
	if diff := cmp.Diff([]string{"docker://r.example/app:2", "oci-archive:/x.tar"}, names()); diff != "" {
		t.Fatalf("names (-want +got):\n%s", diff)
	}
	if _, err := s.RemoveName("docker://r.example/app:1", nil); err == nil {
		t.Error("a name that is not there was removed")
	}
	// Its last name goes with it: that of a file is none.
	if gone, err := s.RemoveName("docker://r.example/app:2", inUse); gone || err == nil || !strings.Contains(err.Error(), "uuid-1") {
		t.Errorf("gone is %v, %v, want an error with the pod", gone, err)
	}
	if gone, err := s.RemoveName("docker://r.example/app:2", nil); !gone || err != nil {
		t.Errorf("gone is %v, %v", gone, err)
	}
	if images, err := s.List(); err != nil || len(images) > 0 {
		t.Errorf("left %v, %v", images, err)
	}
}

func TestAddNames(t *testing.T) {
	needRoot(t)
	s := open(t)
	a := one(t, "a").Add(t, s, "docker://r.example/app:1")
	b := one(t, "b").Add(t, s, "oci-archive:/x.tar")
	must(t, s.AddNames(b, []string{"docker://r.example/app:1", "docker://r.example/app:2"}))
	got, err := s.Lookup(parse(t, "r.example/app:1"))
	if err != nil || got.ID != b.ID {
		t.Errorf("found %v, %v", got.Names, err)
	}
	if want := []string{"docker://r.example/app:1", "docker://r.example/app:2", "oci-archive:/x.tar"}; !slices.Equal(got.Names, want) {
		t.Errorf("names are %q, want %q", got.Names, want)
	}
	if got, err = s.Lookup(parse(t, a.ID.String())); err != nil || len(got.Names) > 0 {
		t.Errorf("the image that had the name has %q, %v", got.Names, err)
	}
	must(t, s.Remove(a, nil))
	if err := s.AddNames(a, []string{"x"}); err == nil {
		t.Error("an image that is not there was named")
	}
}
