package atomicfile_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/raket/raket/pkg/atomicfile"
)

func TestWrite(t *testing.T) {
	for _, tc := range []struct {
		name    string
		before  string
		opts    atomicfile.Options
		want    string
		wantErr error
	}{
		{name: "a new file is made", want: "new"},
		{name: "an old file is replaced", before: "old", want: "new"},
		{name: "without syncing it is replaced too", before: "old", opts: atomicfile.Options{NoSync: true}, want: "new"},
		{name: "exclusive makes a new file", opts: atomicfile.Options{Exclusive: true}, want: "new"},
		{
			name: "exclusive leaves an old file alone", before: "old",
			opts: atomicfile.Options{Exclusive: true}, want: "old", wantErr: fs.ErrExist,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "f")
			if tc.before != "" {
				if err := os.WriteFile(path, []byte(tc.before), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			err := atomicfile.Write(path, []byte("new"), 0o640, tc.opts)
			if !errors.Is(err, tc.wantErr) {
				t.Fatalf("error %v, want %v", err, tc.wantErr)
			}
			got, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, string(got)); diff != "" {
				t.Errorf("content (-want +got):\n%s", diff)
			}
			entries, err := os.ReadDir(dir)
			if err != nil {
				t.Fatal(err)
			}
			if len(entries) != 1 {
				t.Errorf("%d entries left in the directory, want 1", len(entries))
			}
			if tc.wantErr == nil {
				fi, err := os.Stat(path)
				if err != nil {
					t.Fatal(err)
				}
				if fi.Mode().Perm() != 0o640 {
					t.Errorf("mode %v, want 0640", fi.Mode())
				}
			}
		})
	}
}

func TestWriteFileInMissingDirectoryFails(t *testing.T) {
	err := atomicfile.WriteFile(filepath.Join(t.TempDir(), "no", "f"), nil, 0o600)
	if !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("error %v, want fs.ErrNotExist", err)
	}
}
