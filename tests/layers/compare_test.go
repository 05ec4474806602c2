package layers_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/raket/raket/pkg/layer/corpus"
	"github.com/raket/raket/tests/layers"
)

const document = "../../docs/layers.md"

// What came of an archive.
const (
	refused   = "refused"
	contained = "contained"
	escaped   = "**escaped**"
	hung      = "**not done in a minute**"
	endless   = "**writes 2 GiB and more**"

	tooDeep = "(deeper than any path)"
)

// contender unpacks the image layout at layout into what it returns.
type contender struct {
	name    string
	version []string
	unpack  func(ctx context.Context, layout, work string) (tree string, err error)
}

func contenders(t *testing.T) []contender {
	bin := raket(t)
	return []contender{
		{"raket", nil, func(ctx context.Context, layout, work string) (string, error) {
			err := run(ctx, bin, "--dir="+work+"/store", "--insecure-options=image", "fetch", "oci:"+layout)
			if err != nil {
				return "", err
			}
			return work + "/tree/rootfs", run(ctx, bin, "--dir="+work+"/store", "--insecure-options=image", "image", "render", "oci:"+layout, work+"/tree")
		}},
		{"skopeo, umoci", []string{"umoci", "--version"}, func(ctx context.Context, layout, work string) (string, error) {
			if err := run(ctx, "skopeo", "copy", "--quiet", "--insecure-policy", "oci:"+layout+":latest", "oci:"+work+"/copy:latest"); err != nil {
				return "", err
			}
			return work + "/bundle/rootfs", run(ctx, "umoci", "unpack", "--image", work+"/copy:latest", work+"/bundle")
		}},
		{"podman", []string{"podman", "--version"}, func(ctx context.Context, layout, work string) (string, error) {
			policy := work + "/policy.json"
			err := os.WriteFile(policy, []byte(`{"default":[{"type":"insecureAcceptAnything"}]}`), 0o644)
			if err == nil {
				err = run(ctx, "podman", "--root="+work+"/root", "--runroot="+work+"/run", "--storage-driver=vfs", "pull", "--quiet", "--signature-policy="+policy, "oci:"+layout+":latest")
			}
			if err != nil {
				return "", err
			}
			return newest(work + "/root/vfs/dir")
		}},
	}
}

// newest is the directory that was made last: a vfs layer holds those below it.
func newest(dir string) (string, error) {
	list, err := os.ReadDir(dir)
	if err != nil || len(list) == 0 {
		return "", errors.Join(errors.New("podman has no layers"), err)
	}
	var best string
	var at time.Time
	for _, e := range list {
		info, err := e.Info()
		if err != nil {
			return "", err
		}
		if st := changed(info); st.After(at) || best == "" {
			best, at = filepath.Join(dir, e.Name()), st
		}
	}
	return best, nil
}

// mostBytes is where a file is too large for the machine the comparison runs on.
const mostBytes = 2 << 30

// run runs a program that can't fill the disk.
func run(ctx context.Context, argv ...string) error {
	cmd := exec.CommandContext(ctx, "prlimit", append([]string{fmt.Sprintf("--fsize=%d", mostBytes), "--core=0", "--"}, argv...)...)
	cmd.WaitDelay = time.Second
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %.300s", argv[0], err, bytes.TrimSpace(out))
	}
	return nil
}

// arena is where one archive meets one contender.
type arena struct{ base, canary, work, layout string }

// try returns what came of an archive, and the listing of the tree.
func (a arena) try(t *testing.T, c contender) (outcome string, tree []string) {
	t.Helper()
	if err := os.Mkdir(a.work, 0o755); err != nil {
		t.Fatal(err)
	}
	before := a.snapshot(t)
	patience := time.Minute
	if !*update {
		patience *= 5 // raket is held to its outcome, on machines that do other things besides
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	dir, err := c.unpack(ctx, a.layout, a.work)
	after := a.snapshot(t)
	switch {
	case !slices.Equal(before, after):
		t.Logf("%s:\n%s", c.name, cmp.Diff(before, after))
		outcome = escaped
	case err != nil && (a.overflowed(t) || strings.Contains(err.Error(), "file too large")):
		outcome = endless
	case ctx.Err() != nil:
		outcome = hung
	case err != nil:
		outcome = refused
		t.Logf("%s: %v", c.name, err)
	default:
		outcome = contained
		tree, err = corpus.List(dir)
		if errors.Is(err, syscall.ENAMETOOLONG) {
			tree, err = []string{tooDeep}, nil
		}
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(tree)
	}
	if err := os.RemoveAll(a.work); err != nil {
		t.Fatal(err)
	}
	return outcome, tree
}

// overflowed reports a file that reached the limit.
func (a arena) overflowed(t *testing.T) bool {
	t.Helper()
	found := false
	err := filepath.WalkDir(a.work, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		var st syscall.Stat_t
		err = syscall.Lstat(path, &st)
		found = found || st.Size >= mostBytes
		return err
	})
	if err != nil && !errors.Is(err, syscall.ENAMETOOLONG) {
		t.Fatal(err)
	}
	return found
}

// snapshot is of all that an archive could reach for.
func (a arena) snapshot(t *testing.T) []string {
	t.Helper()
	lines, err := corpus.Snapshot(a.base, a.work, a.layout)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/x", "/evil", "/dev/evil", "/etc/evil"} {
		if _, err := os.Lstat(path); err == nil {
			lines = append(lines, path)
		}
	}
	return lines
}

func newArena(t *testing.T) arena {
	t.Helper()
	base := room(t) // podman wants a path in lower case
	a := arena{base, filepath.Join(base, "canary"), filepath.Join(base, "work"), filepath.Join(base, "layout")}
	if err := corpus.MakeCanary(a.canary); err != nil {
		t.Fatal(err)
	}
	return a
}

// put makes the archive the image of the arena's layout.
func (a arena) put(t *testing.T, archive corpus.Archive) {
	t.Helper()
	err := os.RemoveAll(a.layout)
	var l layers.Layout
	if err == nil {
		l, err = layers.New(a.layout)
	}
	var blobs []layers.Blob
	for _, part := range archive.Layers {
		var d layers.Descriptor
		if err == nil {
			d, err = l.Put(part.MediaType, part.Blob)
		}
		blobs = append(blobs, layers.Blob{Descriptor: d, DiffID: part.DiffID})
	}
	if err == nil {
		err = l.Finish(blobs...)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestCorpusAmongPeers sends the corpus through raket, and holds docs/layers.md
// against what came of it. With -update it sends it through the others too, and
// writes the document anew; of those that are not installed, and of archives
// that -run leaves out, the document keeps what it has.
func TestCorpusAmongPeers(t *testing.T) {
	everyone := contenders(t)
	old, err := readTable(document)
	if err != nil {
		t.Fatal(err)
	}
	table := table{columns: make([]string, len(everyone))}
	runs := make([]bool, len(everyone))
	for i, c := range everyone {
		table.columns[i], runs[i] = c.title(t)
		// What others do changes with their versions, and takes minutes to find out.
		if i > 0 && !*update {
			runs[i] = false
			if i < len(old.columns) {
				table.columns[i] = old.columns[i]
			}
		}
	}
	a := newArena(t)
	for _, archive := range slices.Concat(corpus.Archives(a.canary), corpus.Bombs()) {
		row := row{archive: archive, cells: make([]string, len(everyone))}
		for i := range row.cells { // for what -run leaves out
			row.cells[i] = strings.TrimSuffix(old.cell(archive.Name, i), ": "+archive.Note)
		}
		t.Run(archive.Name, func(t *testing.T) {
			a.put(t, archive)
			var ours []string
			for i, c := range everyone {
				if !runs[i] {
					continue
				}
				outcome, tree := a.try(t, c)
				if i == 0 {
					ours = tree
					if outcome != string(archive.Want) {
						t.Errorf("raket: %s, want %s", outcome, archive.Want)
					}
				}
				row.cells[i] = outcome + a.difference(outcome, ours, tree, row.cells[0])
			}
		})
		table.rows = append(table.rows, row)
	}
	if t.Failed() {
		return
	}
	if *update {
		if err := table.write(document); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(old.text, table.String()); diff != "" {
		t.Errorf("docs/layers.md is out of date: go test ./tests/layers -run Peers -update\n%s", diff)
	}
}

// title is the contender's name with its version, and whether it is here.
func (c contender) title(t *testing.T) (string, bool) {
	if c.version == nil {
		return c.name, true
	}
	out, err := exec.CommandContext(t.Context(), c.version[0], c.version[1:]...).Output()
	if err != nil {
		return c.name, false
	}
	fields := strings.Fields(string(out))
	version, _, _ := strings.Cut(fields[len(fields)-1], "+")
	return c.name + " " + version, true
}

// difference says where another's tree is unlike raket's.
func (a arena) difference(outcome string, ours, theirs []string, our string) string {
	if len(theirs) == 1 && theirs[0] == tooDeep {
		return ", with " + code(a.short(theirs[0]))
	}
	if outcome != contained || our != contained || slices.Equal(ours, theirs) {
		return ""
	}
	for _, line := range theirs {
		if !slices.Contains(ours, line) {
			return ", with " + code(a.short(line))
		}
	}
	for _, line := range ours {
		if !slices.Contains(theirs, line) {
			return ", without " + code(a.short(line))
		}
	}
	return ""
}

func (a arena) short(line string) string {
	line = strings.ReplaceAll(line, strings.TrimPrefix(a.canary, "/"), "CANARY")
	line = strings.ReplaceAll(line, "/CANARY", "CANARY")
	if len(line) > 60 {
		line = line[:60] + "…"
	}
	return line
}

func code(s string) string {
	quoted := strings.Trim(fmt.Sprintf("%q", strings.TrimSpace(s)), `"`)
	return "`" + strings.NewReplacer("|", `\|`, "`", "'", `\u2026`, "…").Replace(quoted) + "`"
}

var update = flag.Bool("update", false, "write docs/layers.md anew")
