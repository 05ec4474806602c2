package layers_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/raket/raket/tests/layers"
)

func TestMain(m *testing.M) {
	if status, asked := layers.MeasureIfAsked(); asked {
		os.Exit(status)
	}
	os.Exit(m.Run())
}

// memoryLimit is what fetching may take, whatever the image.
const memoryLimit = 64 << 20

// raket is the built program, or the one that $RAKET_BIN names.
func raket(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("unpacking sets owners and trusted attributes: needs root")
	}
	bin := os.Getenv("RAKET_BIN")
	if bin == "" {
		bin = "../../bin/raket"
	}
	bin, err := filepath.Abs(bin)
	if err == nil {
		_, err = os.Stat(bin)
	}
	if err != nil {
		t.Skipf("no bin/raket to test (make build): %v", err)
	}
	return bin
}

// image makes an image layout of layers of one packing.
func image(t *testing.T, p layers.Packing, writes ...func(io.Writer) error) string {
	t.Helper()
	l, err := layers.New(filepath.Join(room(t), "layout"))
	var blobs []layers.Blob
	for _, write := range writes {
		if err == nil {
			var b layers.Blob
			b, err = l.PutLayer(p, write)
			blobs = append(blobs, b)
		}
	}
	if err == nil {
		err = l.Finish(blobs...)
	}
	if err != nil {
		t.Fatal(err)
	}
	return "oci:" + l.Dir
}

// aci makes an ACI of layers' tars, packed by a program.
func aci(t *testing.T, write func(io.Writer) error, program ...string) string {
	t.Helper()
	if _, err := exec.LookPath(program[0]); err != nil {
		t.Skipf("no %s to compress with: %v", program[0], err)
	}
	path := filepath.Join(room(t), "image.aci")
	out, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	reader, writer := io.Pipe()
	cmd := exec.CommandContext(t.Context(), program[0], program[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = reader, out, os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		tw := tar.NewWriter(writer)
		manifest := `{"acKind":"ImageManifest","acVersion":"0.8.11","name":"example.com/large","labels":[{"name":"os","value":"linux"},{"name":"arch","value":"amd64"}]}`
		err := tw.WriteHeader(&tar.Header{Name: "manifest", Mode: 0o644, Size: int64(len(manifest))})
		if err == nil {
			_, err = io.WriteString(tw, manifest)
		}
		if err == nil {
			err = tw.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: "rootfs/", Mode: 0o755})
		}
		if err == nil {
			err = copyInto(tw, write)
		}
		writer.CloseWithError(errors.Join(err, tw.Close()))
	}()
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	return path
}

// copyInto copies the entries that write writes below rootfs.
func copyInto(tw *tar.Writer, write func(io.Writer) error) error {
	reader, writer := io.Pipe()
	go func() { writer.CloseWithError(write(writer)) }()
	for tr := tar.NewReader(reader); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			h.Name = "rootfs/" + h.Name
			err = tw.WriteHeader(h)
		}
		if err == nil {
			_, err = io.Copy(tw, tr)
		}
		if err != nil {
			return err
		}
	}
}

// room is a directory in memory where there is one: disks take long for many files.
func room(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "raket-layers-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// fetch fetches an image into a new store and returns the most memory that took.
func fetch(t *testing.T, name string) int64 {
	t.Helper()
	var stderr bytes.Buffer
	used, err := layers.Peak(t.Context(), io.Discard, &stderr, raket(t), "--dir="+room(t), "fetch", "--insecure-options=image", name)
	if err != nil {
		t.Fatalf("fetch: %v: %.600s", err, stderr.String())
	}
	return used
}

func TestMemoryOfFetching(t *testing.T) {
	raket(t)
	for _, tc := range []struct {
		name  string
		image func(t *testing.T) string
	}{
		{"four layers of 100 MiB", func(t *testing.T) string {
			return image(t, layers.Gzip(), layers.Blocks(1, 100), layers.Blocks(2, 100), layers.Blocks(3, 100), layers.Blocks(4, 100))
		}},
		{"four zstd layers with the usual window", func(t *testing.T) string {
			return image(t, layers.Zstd(8<<20), layers.Blocks(1, 60), layers.Blocks(2, 60), layers.Blocks(3, 60), layers.Blocks(4, 60))
		}},
		{"four zstd layers with the largest window", func(t *testing.T) string {
			return image(t, layers.Zstd(32<<20), layers.Blocks(1, 60), layers.Blocks(2, 60), layers.Blocks(3, 60), layers.Blocks(4, 60))
		}},
		{"a layer with the largest window beside three of many files", func(t *testing.T) string {
			l, err := layers.New(filepath.Join(room(t), "layout"))
			if err != nil {
				t.Fatal(err)
			}
			large, err := l.PutLayer(layers.Zstd(32<<20), layers.Blocks(1, 200))
			blobs := []layers.Blob{large}
			for i := range 3 {
				var b layers.Blob
				if err == nil {
					b, err = l.PutLayer(layers.Gzip(), layers.ManyFiles(50_000+i))
				}
				blobs = append(blobs, b)
			}
			if err := errors.Join(err, l.Finish(blobs...)); err != nil {
				t.Fatal(err)
			}
			return "oci:" + l.Dir
		}},
		{"xz with the largest dictionary", func(t *testing.T) string {
			return aci(t, layers.Blocks(1, 40), "xz", "-T1", "--lzma2=preset=0,dict=32MiB")
		}},
		{"xz in blocks with the largest dictionary", func(t *testing.T) string {
			return aci(t, layers.Blocks(1, 40), "xz", "-T1", "--block-size=15MiB", "--lzma2=preset=0,dict=32MiB")
		}},
		{"bzip2", func(t *testing.T) string { return aci(t, layers.Blocks(1, 20), "bzip2", "-9") }},
		{"a layer of 300,000 files", func(t *testing.T) string { return image(t, layers.Gzip(), layers.ManyFiles(300_000)) }},
		{"a layer of 200,000 hard links with long names", func(t *testing.T) string { return image(t, layers.Gzip(), layers.ManyLinks(200_000)) }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			used := fetch(t, tc.image(t))
			t.Logf("%.1f MiB", float64(used)/(1<<20))
			if used > memoryLimit {
				t.Errorf("fetching took %.1f MiB, more than %d", float64(used)/(1<<20), memoryLimit>>20)
			}
		})
	}
}

func TestWindowsThatAreTooLarge(t *testing.T) {
	bin := raket(t)
	for _, tc := range []struct {
		name, want string
		image      func(t *testing.T) string
	}{
		{"zstd", "zstd window of 64 MiB is larger", func(t *testing.T) string { return image(t, layers.Zstd(64<<20), layers.Blocks(1, 2)) }},
		{"xz", "xz dictionary of 64 MiB is larger", func(t *testing.T) string { return aci(t, layers.Blocks(1, 2), "xz", "-9", "-T1") }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			name := tc.image(t)
			out, err := exec.CommandContext(t.Context(), bin, "--dir="+t.TempDir(), "fetch", "--insecure-options=image", name).CombinedOutput()
			if err == nil || !strings.Contains(string(out), tc.want) {
				t.Errorf("%v: %s, want %q", err, out, tc.want)
			}
		})
	}
}
