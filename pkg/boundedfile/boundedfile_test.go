package boundedfile_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/raket/raket/pkg/boundedfile"
)

func TestRead(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	if err := os.WriteFile(path, make([]byte, 2048), 0o600); err != nil {
		t.Fatal(err)
	}
	if raw, err := boundedfile.Read(path, 2048); err != nil || len(raw) != 2048 {
		t.Errorf("a file of just that size: %d bytes, %v", len(raw), err)
	}
	_, err := boundedfile.Read(path, 2047)
	if !errors.Is(err, boundedfile.ErrTooLarge) || !strings.Contains(err.Error(), path+" is larger than 1 KiB") {
		t.Errorf("one byte too many: %v", err)
	}
	if _, err := boundedfile.Read(filepath.Join(dir, "none"), 1); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	if _, err := boundedfile.Read(dir, 1); err == nil || !strings.Contains(err.Error(), dir) {
		t.Errorf("a directory: %v", err)
	}
}
