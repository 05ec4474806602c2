package fetch

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestPick(t *testing.T) {
	const index = `[
		{"digest":"unknown","platform":{"os":"unknown","architecture":"unknown"}},
		{"digest":"v6","platform":{"os":"linux","architecture":"arm","variant":"v6"}},
		{"digest":"v7","platform":{"os":"linux","architecture":"arm","variant":"v7"}},
		{"digest":"amd64-v3","platform":{"os":"linux","architecture":"amd64","variant":"v3"}},
		{"digest":"amd64","platform":{"os":"linux","architecture":"amd64"}},
		{"digest":"arm64","platform":{"os":"linux","architecture":"arm64","variant":"v8"}},
		{"digest":"nested","mediaType":"application/vnd.oci.image.index.v1+json","platform":{"os":"linux","architecture":"riscv64"}}]`
	for _, tc := range []struct{ index, platform, want, wantErr string }{
		{index, "linux/amd64", "amd64", ""},
		{index, "linux/amd64/v3", "amd64-v3", ""},
		{index, "linux/arm64", "arm64", ""},
		{index, "linux/arm/v7", "v7", ""},
		{index, "linux/arm", "v6", ""},
		{index, "linux/arm/v5", "", "nothing for linux/arm/v5, only for"},
		{index, "linux/riscv64", "", "another index"},
		{`[{"digest":"one"}]`, "linux/amd64", "one", ""},
		{`[{"digest":"one"},{"digest":"two"}]`, "linux/amd64", "", "nothing for linux/amd64"},
		{`[]`, "linux/amd64", "", "nothing for linux/amd64"},
	} {
		t.Run(tc.platform, func(t *testing.T) {
			entries, isIndex, err := parseIndex([]byte(`{"schemaVersion":2,"manifests":` + tc.index + `}`))
			if err != nil || !isIndex {
				t.Fatal(isIndex, err)
			}
			p, err := parsePlatform(tc.platform)
			if err != nil {
				t.Fatal(err)
			}
			got, err := pick(entries, p)
			if tc.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), tc.wantErr) {
					t.Fatalf("error %v, want one that says %q", err, tc.wantErr)
				}
				return
			}
			if err != nil || got.String() != tc.want {
				t.Errorf("%s, %v, want %s", got, err, tc.want)
			}
		})
	}
}

// FuzzIndex: no index makes it panic, and what it picks was in the index.
func FuzzIndex(f *testing.F) {
	f.Add([]byte(`{"manifests":[{"digest":"sha256:00","platform":{"os":"linux","architecture":"amd64"}}]}`))
	f.Add([]byte(`{"manifests":null}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		entries, isIndex, err := parseIndex(raw)
		if err != nil || !isIndex {
			return
		}
		d, err := pick(entries, platform{os: "linux", arch: "amd64"})
		if err != nil {
			return
		}
		for _, e := range entries {
			if e.Digest == d.String() {
				return
			}
		}
		out, _ := json.Marshal(entries)
		t.Errorf("picked %q of %s", d, out)
	})
}
