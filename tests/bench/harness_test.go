package main

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestChosen(t *testing.T) {
	tests := map[string]struct {
		only string
		want []string
		bad  bool
	}{
		"nothing named is everything":          {"", scenarioNames(), false},
		"the order is the user's":              {"fetch,version", []string{scFetch, scVersion}, false},
		"an unknown scenario is named in full": {"version,frob", nil, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			picked, err := chosen(tt.only)
			if (err != nil) != tt.bad {
				t.Fatalf("chosen(%q): %v", tt.only, err)
			}
			if tt.bad && !strings.Contains(err.Error(), `"frob"`) {
				t.Errorf("the error does not name what was typed: %v", err)
			}
			var got []string
			for _, s := range picked {
				got = append(got, s.name)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("scenarios (-want +got):\n%s", diff)
			}
		})
	}
}

func TestIsIdleApp(t *testing.T) {
	tests := map[string]struct {
		cmdline string
		want    bool
	}{
		"the idle command is an app":                {"/bin/sleep\x00infinity\x00", true},
		"podman's pause container is a helper":      {"/bin/sleep\x00100000000\x00", false},
		"a helper that names the command is not it": {"/usr/bin/conmon\x00/bin/sleep\x00infinity\x00", false},
		"an empty command line is none":             {"", false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := isIdleApp([]byte(tt.cmdline)); got != tt.want {
				t.Errorf("isIdleApp(%q) = %t", tt.cmdline, got)
			}
		})
	}
}

func TestHasLine(t *testing.T) {
	if !hasLine([]byte("STATUS=up\nREADY=1"), "READY=1") || hasLine([]byte("NOTREADY=1\nREADY=10"), "READY=1") {
		t.Error("READY=1 counts as a whole line only")
	}
}

func TestMountPoints(t *testing.T) {
	const info = "22 1 0:1 / / rw - ext4 a rw\n23 22 0:2 / /tmp/b rw - tmpfs b rw\n24 23 0:3 / /tmp/b/graph rw shared:1 - overlay c rw\n25 22 0:4 / /tmp/bc/x rw - tmpfs d rw\n"
	if diff := cmp.Diff([]string{"/tmp/b/graph"}, mountPoints(info, "/tmp/b")); diff != "" {
		t.Errorf("mount points (-want +got):\n%s", diff)
	}
}

func TestOwnProcessHasFigures(t *testing.T) {
	pid := []int{os.Getpid()}
	if kib, err := pssKiB(pid); err != nil || kib <= 0 {
		t.Errorf("pssKiB = %d, %v", kib, err)
	}
	if n, err := wakeUps(pid); err != nil || n <= 0 {
		t.Errorf("wakeUps = %d, %v", n, err)
	}
}

func TestWriteLayoutIsReproducibleAndOfTheSizeAsked(t *testing.T) {
	var digests []string
	for range 2 {
		l, err := writeLayout(filepath.Join(t.TempDir(), "l"), idleCommand(), bigLayers(8e6)...)
		if err != nil {
			t.Fatal(err)
		}
		if l.UncompressedBytes < 8e6 || l.UncompressedBytes > 16e6 {
			t.Errorf("%d bytes unpacked, asked for 8 MB", l.UncompressedBytes)
		}
		if part := float64(l.CompressedBytes) / float64(l.UncompressedBytes); part < 0.35 || part > 0.6 {
			t.Errorf("compresses to %.2f of its size, which is unlike real images", part)
		}
		index, err := os.ReadFile(filepath.Join(l.Dir, "index.json"))
		if err != nil {
			t.Fatal(err)
		}
		digests = append(digests, string(index))
	}
	if diff := cmp.Diff(digests[0], digests[1]); diff != "" {
		t.Errorf("two layouts of the same size differ:\n%s", diff)
	}
}

func TestCopyPodReplacesTheUUIDEverywhere(t *testing.T) {
	from, to := filepath.Join(t.TempDir(), "OLD"), filepath.Join(t.TempDir(), "NEW")
	when := time.Unix(1000, 0)
	err := os.MkdirAll(filepath.Join(from, "apps"), 0o755)
	for name, text := range map[string]string{"pod": "id OLD\n", "apps/OLD.json": "{}"} {
		if err == nil {
			err = os.WriteFile(filepath.Join(from, name), []byte(text), 0o640)
		}
	}
	if err == nil {
		err = os.Symlink("../OLD/pod", filepath.Join(from, "link"))
	}
	if err == nil {
		err = os.Chtimes(filepath.Join(from, "pod"), when, when)
	}
	if err == nil {
		err = copyPod(from, to, strings.NewReplacer("OLD", "NEW"))
	}
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(to, "pod"))
	if err != nil || string(text) != "id NEW\n" {
		t.Errorf("pod = %q, %v", text, err)
	}
	if link, err := os.Readlink(filepath.Join(to, "link")); err != nil || link != "../NEW/pod" {
		t.Errorf("link = %q, %v", link, err)
	}
	if _, err := os.Stat(filepath.Join(to, "apps", "NEW.json")); err != nil {
		t.Error(err)
	}
	if info, err := os.Stat(filepath.Join(to, "pod")); err != nil || !info.ModTime().Equal(when) || info.Mode().Perm() != 0o640 {
		t.Errorf("time or mode were not kept: %v, %v", info, err)
	}
}

func TestRaketRunArgs(t *testing.T) {
	k := &raket{idle: "docker://h/i:1"}
	want := []string{"run", "--net=none", "docker://h/i:1", "--name=a1", "docker://h/i:1", "--name=a2"}
	if diff := cmp.Diff(want, k.runArgs(2)); diff != "" {
		t.Errorf("runArgs (-want +got):\n%s", diff)
	}
}

func TestNspawnUnitsAreGoodUnits(t *testing.T) {
	if lookFor("systemd-analyze").stands() {
		t.Skip("systemd-analyze is not installed (Debian package: systemd)")
	}
	for _, kind := range []string{unitsForever, unitsOnce} {
		dir := t.TempDir()
		args := []string{"verify", "--man=no", "--root=" + dir}
		for name, text := range nspawnUnits(kind, 2) {
			path := filepath.Join(dir, "etc/systemd/system", name)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			// verify looks for the program in its root, not in the unit's.
			text = strings.NewReplacer("/bin/sleep", "/usr/bin/true", "/bin/true", "/usr/bin/true").Replace(text)
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.MkdirAll(filepath.Join(dir, "usr/bin"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "usr/bin/true"), nil, 0o755); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command("systemd-analyze", append(args, "default.target")...).CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("%s: systemd-analyze verify: %v\n%s", kind, err, out)
		}
	}
}

func TestBadFlagIsAUsageError(t *testing.T) {
	for _, args := range [][]string{{"-frob"}, {"extra"}} {
		if got := runMain(t.Context(), args, io.Discard, io.Discard); got != exitUsage {
			t.Errorf("exit status %d for %v, want %d", got, args, exitUsage)
		}
	}
}
