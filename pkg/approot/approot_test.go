package approot

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestARootOfLayersFilesAndVolumes(t *testing.T) {
	dir := isolated(t)
	upper := build(t, dir+"/2", [2]string{"a", "upper"}, [2]string{"etc/hosts", "image's"})
	lower := build(t, dir+"/1", [2]string{"a", "lower"}, [2]string{"b", "lower"})
	volume := build(t, dir+"/volume", [2]string{"v", "volume"})
	file := filepath.Join(build(t, dir+"/host", [2]string{"f", "file"}), "f")
	r := root(t, dir, upper, lower)
	r.Files = []File{{"/etc/hosts", "pod's"}, {"/run/new/name", "made"}}
	r.Binds = []Bind{
		{Source: volume, Target: "/rw"}, {Source: volume, Target: "/deep/in/ro", ReadOnly: true}, {Source: file, Target: "/etc/f"}, {Source: file, Target: "/etc/g", ReadOnly: true},
	}
	must(t, r.Mount())
	for name, want := range map[string]string{
		"a": "upper", "b": "lower", "etc/hosts": "pod's", "run/new/name": "made", "rw/v": "volume", "deep/in/ro/v": "volume", "etc/f": "file", "etc/g": "file",
	} {
		if got := read(t, r.Target, name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if !writable(t, r.Target) || !writable(t, r.Target, "rw") || writable(t, r.Target, "deep/in/ro") {
		t.Error("what is writable is not what was asked for")
	}
	if err := os.WriteFile(r.Target+"/etc/g", nil, 0o644); !errors.Is(err, unix.EROFS) {
		t.Errorf("write to a read-only file: %v", err)
	}
	must(t, os.WriteFile(r.Target+"/rw/new", []byte("app's"), 0o644))
	if read(t, volume, "new") != "app's" || read(t, upper, "etc/hosts") != "image's" {
		t.Error("writes ended elsewhere")
	}
}

func TestHostileRootsLeadNowhere(t *testing.T) {
	file := []File{{"/etc/hosts", "pod's"}}
	for _, tc := range []struct {
		name   string
		image  [][2]string
		files  []File
		target string // of a volume
		file   bool   // the volume is a file
		want   map[string]string
		err    string
	}{
		{name: "etc is the root", image: [][2]string{{"etc", "→/"}}, files: file, want: map[string]string{"hosts": "pod's"}},
		{name: "etc is above the root", image: [][2]string{{"etc", "→../../../.."}}, files: file, want: map[string]string{"hosts": "pod's"}},
		{name: "etc is outside", image: [][2]string{{"etc", "→OUTSIDE"}}, files: file, err: "no such file"},
		{name: "etc is a loop", image: [][2]string{{"etc", "→etc"}}, files: file, err: "too many levels"},
		{name: "etc is a file", image: [][2]string{{"etc", "x"}}, files: file, err: "not a directory"},
		{name: "hosts is outside", image: [][2]string{{"etc/hosts", "→OUTSIDE/canary"}}, files: file, want: map[string]string{"etc/hosts": "pod's"}},
		{name: "hosts is another file of the image's", image: [][2]string{{"etc/hosts", "→../passwd"}, {"passwd", "x"}}, files: file, want: map[string]string{"etc/hosts": "pod's", "passwd": "x"}},
		{name: "hosts is a directory", image: [][2]string{{"etc/hosts/x", "x"}}, files: file, err: "is a directory"},
		{name: "the target is outside", image: [][2]string{{"data", "→OUTSIDE"}}, target: "/data", err: "no such file"},
		{name: "the target's parent is outside", image: [][2]string{{"var", "→OUTSIDE"}}, target: "/var/data", err: "no such file"},
		{name: "the target is above the root", image: [][2]string{{"data", "→../../x"}, {"x/", ""}}, target: "/data", want: map[string]string{"x/v": "volume"}},
		{name: "the target is by way of the root", image: [][2]string{{"var", "→/"}}, target: "/var/var/data", want: map[string]string{"data/v": "volume"}},
		{name: "the target is a loop", image: [][2]string{{"a", "→b"}, {"b", "→a"}}, target: "/a/data", err: "too many levels"},
		{name: "the target's parent is a file", image: [][2]string{{"var", "x"}}, target: "/var/data", err: "not a directory"},
		{name: "the target is a file, the volume none", image: [][2]string{{"data", "x"}}, target: "/data", err: "not a directory"},
		{name: "the target is a directory, the volume a file", image: [][2]string{{"data/", ""}}, target: "/data", file: true, err: "is a directory"},
		{name: "the target goes up", target: "/../../x/../data", want: map[string]string{"data/v": "volume"}},
		{name: "the target is the root", target: "/", err: "it is the root itself"},
		{name: "the target is the root by a link", image: [][2]string{{"data", "→/"}}, target: "/data", err: "it is the root itself"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := isolated(t)
			outside := build(t, dir+"/outside", [2]string{"canary", "alive"})
			for i := range tc.image {
				tc.image[i][1] = strings.ReplaceAll(tc.image[i][1], "OUTSIDE", outside)
			}
			r := root(t, dir, build(t, dir+"/1", tc.image...))
			r.Files = tc.files
			if tc.target != "" {
				r.Binds = []Bind{{Source: build(t, dir+"/volume", [2]string{"v", "volume"}), Target: tc.target}}
				if tc.file {
					r.Binds[0].Source += "/v"
				}
			}
			err := r.Mount()
			if (err == nil) != (tc.err == "") || err != nil && !strings.Contains(err.Error(), tc.err) {
				t.Errorf("error %v, want %q", err, tc.err)
			}
			for name, want := range tc.want {
				if got := read(t, r.Target, name); got != want {
					t.Errorf("%s: %q, want %q", name, got, want)
				}
			}
			entries, err := os.ReadDir(outside)
			must(t, err)
			if len(entries) != 1 || read(t, outside, "canary") != "alive" {
				t.Errorf("outside is %v", entries)
			}
		})
	}
}

func TestRecursionAndReadOnly(t *testing.T) {
	for _, tc := range []struct {
		bind           Bind
		sub            string
		topRW, belowRW bool
	}{
		{Bind{}, "hidden", true, true},
		{Bind{ReadOnly: true}, "hidden", false, false},
		{Bind{Recursive: true}, "mounted", true, true},
		{Bind{Recursive: true, ReadOnly: true}, "mounted", false, false},
	} {
		t.Run(fmt.Sprintf("read-only %v, recursive %v", tc.bind.ReadOnly, tc.bind.Recursive), func(t *testing.T) {
			dir := isolated(t)
			volume := build(t, dir+"/volume", [2]string{"sub/f", "hidden"})
			must(t, unix.Mount("tmpfs", volume+"/sub", "tmpfs", 0, ""))
			build(t, volume, [2]string{"sub/f", "mounted"})
			r := root(t, dir, build(t, dir+"/1"))
			tc.bind.Source, tc.bind.Target = volume, "/v"
			r.Binds = []Bind{tc.bind}
			must(t, r.Mount())
			if got := read(t, r.Target, "v/sub/f"); got != tc.sub {
				t.Errorf("below is %q, want %q", got, tc.sub)
			}
			if writable(t, r.Target, "v") != tc.topRW || writable(t, r.Target, "v/sub") != tc.belowRW {
				t.Error("what is writable is not what was asked for")
			}
			if !writable(t, volume) || !writable(t, volume, "sub") {
				t.Error("the volume itself became read-only")
			}
		})
	}
}

func TestADirectoryStaysWritableInARootThatDoesNot(t *testing.T) {
	dir := isolated(t)
	r := root(t, dir, build(t, dir+"/1", [2]string{"data/f", "image's"}))
	r.Binds = []Bind{{Self: true, Target: "/data"}, {Self: true, Target: "/made"}}
	must(t, r.Mount())
	must(t, unix.MountSetattr(unix.AT_FDCWD, r.Target, 0, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}))
	if writable(t, r.Target) || !writable(t, r.Target, "data") || !writable(t, r.Target, "made") || read(t, r.Target, "data/f") != "image's" {
		t.Error("what is writable is not what was asked for")
	}
}

func TestVolumesInVolumesGoInOrder(t *testing.T) {
	dir := isolated(t)
	r := root(t, dir, build(t, dir+"/1"))
	r.Binds = []Bind{
		{Source: build(t, dir+"/a", [2]string{"f", "a"}, [2]string{"in/", ""}), Target: "/v"},
		{Source: build(t, dir+"/b", [2]string{"f", "b"}), Target: "/v/in", ReadOnly: true},
	}
	must(t, r.Mount())
	if read(t, r.Target, "v/f") != "a" || read(t, r.Target, "v/in/f") != "b" || writable(t, r.Target, "v/in") || !writable(t, r.Target, "v") {
		t.Error("the inner volume is not in the outer one")
	}
}

func TestManyLayers(t *testing.T) {
	for n, ok := range map[int]bool{100: true, 1000: false} {
		dir := isolated(t)
		var lowers []string
		for i := range n {
			lowers = append(lowers, build(t, fmt.Sprintf("%s/%s%d", dir, strings.Repeat("layer", 20), i), [2]string{fmt.Sprint("f", i), "x"}, [2]string{"who", fmt.Sprint(i)}))
		}
		r := root(t, dir, lowers...)
		err := r.Mount()
		switch {
		case !ok:
			if err == nil || !strings.Contains(err.Error(), "too many layers (1000)") {
				t.Errorf("%d layers: %v", n, err)
			}
		case err != nil:
			t.Error(err)
		case read(t, r.Target, "who") != "0" || read(t, r.Target, "f99") != "x":
			t.Errorf("the layers are in another order: on top is %s", read(t, r.Target, "who"))
		}
	}
}

func TestPathsThatMountOptionsWouldBreak(t *testing.T) {
	dir := isolated(t)
	odd := build(t, dir+`/a:b,c\d "e" %f`+"\ng")
	r := root(t, odd, build(t, odd+"/1:,\\", [2]string{"f", "x"}), build(t, odd+"/2,upperdir=x", [2]string{"g", "y"}))
	r.Binds = []Bind{{Source: build(t, odd+"/v", [2]string{"v", "volume"}), Target: `/p:q,r\s`}}
	must(t, r.Mount(), os.WriteFile(r.Target+"/new", []byte("z"), 0o644))
	if read(t, r.Target, "f")+read(t, r.Target, "g")+read(t, r.Upper, "new")+read(t, r.Target, `p:q,r\s/v`) != "xyzvolume" {
		t.Error("layers or volumes are missing")
	}
}

func TestARootWithoutLayersIsTheTargetsOwn(t *testing.T) {
	dir := isolated(t)
	r := Root{Target: build(t, dir+"/rootfs", [2]string{"f", "own"}), Files: []File{{"/etc/hosts", "pod's"}}}
	must(t, r.Mount())
	if read(t, r.Target, "f") != "own" || read(t, r.Target, "etc/hosts") != "pod's" {
		t.Error("the root is another")
	}
	if n := strings.Count(mountinfo(t), " "+r.Target+" "); n != 1 {
		t.Errorf("%d mounts on the target", n)
	}
}

func TestWhatIsMissingIsNamed(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*Root)
		err    string
	}{
		"a layer":  {func(r *Root) { r.Lowers = append(r.Lowers, "/nowhere") }, "layer /nowhere: no such file"},
		"an upper": {func(r *Root) { r.Upper = "/nowhere/upper" }, "/nowhere/upper: no such file"},
		"a target": {func(r *Root) { r.Target = "/nowhere" }, "assemble root /nowhere: "},
		"a volume": {func(r *Root) { r.Binds = []Bind{{Source: "/nowhere", Target: "/v"}} }, "mount /nowhere on /v in the app's root: no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := isolated(t)
			r := root(t, dir, build(t, dir+"/1"))
			tc.change(&r)
			if err := r.Mount(); err == nil || !strings.Contains(err.Error(), tc.err) {
				t.Errorf("error %v, want %q", err, tc.err)
			}
		})
	}
}

// What the host mounts later is seen, as a volume of removable media has to be.
func TestMountsOfTheHostArrive(t *testing.T) {
	dir := isolated(t)
	must(t, os.Mkdir(dir+"/media", 0o755))
	here, err := os.Open("/proc/thread-self/ns/mnt")
	must(t, err)
	defer here.Close()
	// A second isolation: this namespace is the host of that one.
	must(t, unix.Mount("", dir, "", unix.MS_SHARED, ""), Isolate())
	inner, err := os.Open("/proc/thread-self/ns/mnt")
	must(t, err)
	defer inner.Close()
	must(t, unix.Setns(int(here.Fd()), unix.CLONE_NEWNS), unix.Mount("tmpfs", dir+"/media", "tmpfs", 0, ""), unix.Setns(int(inner.Fd()), unix.CLONE_NEWNS))
	if !strings.Contains(mountinfo(t), " "+dir+"/media ") {
		t.Error("a mount of the host's does not arrive")
	}
}

// Root with CAP_MKNOD could otherwise make itself the host's disks.
func TestDeviceNodesWorkOnlyWhereTheyShould(t *testing.T) {
	dir := isolated(t)
	volume := build(t, dir+"/volume", [2]string{"sub/", ""})
	must(t, unix.Mount("tmpfs", volume+"/sub", "tmpfs", 0, ""))
	r := root(t, dir, build(t, dir+"/1"))
	plain := Root{Target: build(t, dir+"/plain")}
	r.Binds = []Bind{
		{Source: volume, Target: "/v", Recursive: true}, {Self: true, Target: "/self"}, {Source: volume, Target: "/dev", Recursive: true, Devices: true},
		{Source: "/dev/null", Target: "/null"},
	}
	must(t, r.Mount(), plain.Mount())
	for at, want := range map[string]error{
		r.Target: unix.EACCES, r.Target + "/v": unix.EACCES, r.Target + "/v/sub": unix.EACCES, r.Target + "/self": unix.EACCES, plain.Target: unix.EACCES,
		r.Target + "/dev": nil, r.Target + "/dev/sub": nil,
	} {
		node := at + "/node" + fmt.Sprint(len(at))
		must(t, unix.Mknod(node, unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))))
		if _, err := os.ReadFile(node); !errors.Is(err, want) {
			t.Errorf("a device in %s: %v, want %v", strings.TrimPrefix(at, dir), err, want)
		}
	}
	if _, err := os.ReadFile(r.Target + "/null"); err != nil {
		t.Errorf("a device as a volume: %v", err)
	}
}
