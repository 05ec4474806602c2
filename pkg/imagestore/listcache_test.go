package imagestore

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"github.com/raket/raket/pkg/image"
)

func listed() []image.Image {
	return []image.Image{
		{ID: "sha256:01", Kind: image.OCI, Names: []string{}, Config: "sha256:02", Layers: []image.Layer{}, Imported: time.Unix(1, 5).UTC()},
		{
			ID: "sha256:03", Kind: image.Appc, Names: []string{"a\tb", ""}, Config: "sha256:04", AppcID: "sha512-05", Origin: "o\n", OS: "linux",
			Arch: "amd64", SizeBytes: 1 << 40, Evidence: []image.Evidence{{Kind: image.Sigstore, Key: "sha256:00", Signed: time.Unix(7, 0).UTC()}}, Imported: time.Unix(-1, 0).UTC(),
			Layers:       []image.Layer{{Digest: "sha256:06", DiffID: "sha256:07", MediaType: "m", SizeBytes: -1}},
			Dependencies: []digest.Digest{"sha256:08", "sha256:09"}, Whitelisted: true,
		},
	}
}

func TestListCacheKeepsEverything(t *testing.T) {
	raw := encodeList("x", listed())
	got, ok := decodeList(raw, "x")
	if !ok {
		t.Fatal("not read back")
	}
	if diff := cmp.Diff(listed(), got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, ok := decodeList(raw, "y"); ok {
		t.Error("the list of another index was taken")
	}
	for i := range raw {
		if _, ok := decodeList(raw[:i], "x"); ok {
			t.Errorf("the first %d bytes were taken", i)
		}
		bad := append([]byte{}, raw...)
		bad[i] ^= 4
		if _, ok := decodeList(bad, "x"); ok {
			t.Errorf("a list with byte %d damaged was taken", i)
		}
	}
}

// FuzzListCache: what is taken was written by encodeList, whatever the CRC.
func FuzzListCache(f *testing.F) {
	f.Add(encodeList("x", listed()))
	f.Fuzz(func(t *testing.T, raw []byte) {
		images, ok := decodeList(raw, "x")
		if !ok {
			return
		}
		again, ok := decodeList(encodeList("x", images), "x")
		if !ok {
			t.Fatal("not read back")
		}
		if diff := cmp.Diff(images, again); diff != "" {
			t.Errorf("(-first +again):\n%s", diff)
		}
	})
}

// FuzzRecord: a record that parses prints to one that parses to the same.
func FuzzRecord(f *testing.F) {
	for _, i := range listed() {
		raw, err := json.Marshal(i)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		img, err := parseRecord(raw)
		if err != nil {
			return
		}
		out, err := json.Marshal(img)
		if err != nil {
			return // a time that JSON can't hold
		}
		again, err := parseRecord(out)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(img, again); diff != "" {
			t.Errorf("(-first +again):\n%s", diff)
		}
	})
}
