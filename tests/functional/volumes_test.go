package functional

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/raket/raket/tests/images"
)

func TestVolumes(t *testing.T) {
	p := newPods(t)
	dir, _ := p.meeting(t)
	p.MustRun(t, "cd "+dir+" && mkdir d d/sub && echo host >d/f && echo file >single && mount -t tmpfs tmpfs d/sub && echo deep >d/sub/f")
	t.Cleanup(func() { p.Run(t, "umount "+dir+"/d/sub") })
	host := "--volume=v,kind=host,source=" + dir + "/d"
	const mount = "--mount=volume=v,target=/v"
	for name, tt := range map[string]struct {
		flags  []string
		script string
		want   string
	}{
		"the host's directory":                 {[]string{host, mount}, "cat /v/f; echo new >/v/g; cat /v/g", "host\nnew"},
		"is made at a target the image lacks":  {[]string{host, "--mount=volume=v,target=/deep/er/v"}, "cat /deep/er/v/f", "host"},
		"read-only":                            {[]string{host + ",readOnly=true", mount}, "cat /v/f; touch /v/x 2>/dev/null || echo no", "host\nno"},
		"with what is mounted below":           {[]string{host + ",recursive=true", mount}, "cat /v/sub/f", "deep"},
		"without what is mounted below":        {[]string{host + ",recursive=false", mount}, "cat /v/sub/f 2>/dev/null || echo no", "no"},
		"read-only with what is mounted below": {[]string{host + ",readOnly=true,recursive=true", mount}, "cat /v/sub/f; touch /v/sub/x 2>/dev/null || echo no", "deep\nno"},
		"one file":                             {[]string{"--volume=v,kind=host,source=" + dir + "/single", "--mount=volume=v,target=/etc/single"}, "cat /etc/single", "file"},
		"one file over one of the image":       {[]string{"--volume=v,kind=host,source=" + dir + "/single", "--mount=volume=v,target=/etc/passwd"}, "cat /etc/passwd", "file"},
		"an empty one":                         {[]string{"--volume=v,kind=empty", mount}, "ls -A /v; stat -c '%a %u %g' /v; touch /v/x && echo ok", "755 0 0\nok"},
		"an empty one with owner and mode":     {[]string{"--volume=v,kind=empty,mode=2770,uid=33,gid=2000", mount}, "stat -c '%a %u %g' /v", "2770 33 2000"},
		"no devices on it work":                {[]string{"--volume=v,kind=empty", mount}, "mknod /v/d c 1 3 && echo x 2>/dev/null >/v/d || echo no", "no"},
	} {
		t.Run(name, func(t *testing.T) {
			r := p.run(t, tt.flags, app{script: tt.script})
			if r.Code != 0 || r.Stdout != tt.want+"\n" {
				t.Errorf("got %+v, want %q", r, tt.want)
			}
		})
	}
	t.Run("two apps share one", func(t *testing.T) {
		_, flags := p.meeting(t, "go")
		r := p.run(t, append(flags, "--volume=s,kind=empty"),
			app{name: "a", script: "echo text >/one/f; echo >/v/go", flags: []string{"--mount=volume=s,target=/one"}},
			app{name: "b", script: "read _ </v/go; cat /two/f", flags: []string{"--mount=volume=s,target=/two"}},
			app{name: "c", script: "ls /one /two 2>/dev/null; true"})
		if r.Stdout != "text\n" || r.Code != 0 {
			t.Errorf("got %+v", r)
		}
	})
	t.Run("a symbolic link of the image does not lead out of it", func(t *testing.T) {
		img := putImage(t, p.Host, "link", images.Busybox().Layer(images.Dir("srv", 0o755), images.Symlink("out", "/srv"), images.Symlink("up", "../../../../srv")))
		before := p.MustRun(t, "ls /srv; ls -A "+dir)
		for _, target := range []string{"/out/x", "/up/y"} {
			r := p.run(t, []string{host, "--mount=volume=v,target=" + target}, app{image: img, script: "cat " + target + "/f; cat /srv" + target[strings.LastIndex(target, "/"):] + "/f"})
			if r.Stdout != "host\nhost\n" {
				t.Errorf("got %+v", r)
			}
		}
		if after := p.MustRun(t, "ls /srv; ls -A "+dir); after != before {
			t.Errorf("the host's files changed:\n%s", cmp.Diff(before, after))
		}
	})
}

func TestAReadOnlyRoot(t *testing.T) {
	p := newPods(t)
	r := p.run(t, []string{"--volume=e,kind=empty", "--mount=volume=e,target=/vol"}, app{
		script: "touch /x 2>/dev/null || echo no; touch /etc/x 2>/dev/null || echo no; touch /vol/x && echo yes; echo x >/dev/null && cat /etc/hostname >/dev/null && echo yes",
		flags:  []string{"--readonly-rootfs"},
	})
	if r.Stdout != "no\nno\nyes\nyes\n" || r.Code != 0 {
		t.Errorf("got %+v", r)
	}
}

func TestVolumesOfAnImage(t *testing.T) {
	p := newPods(t)
	img := putImage(t, p.Host, "volumes", images.Busybox().
		Layer(images.Dir("data", 0o750).Owned(1000, 33), images.File("data/f", "of the image\n", 0o640).Owned(1000, 33)).
		Volumes("/data", "/fresh"))
	for name, flags := range map[string][]string{"stacked": nil, "copied": {"--no-overlay"}, "in a read-only root": nil} {
		t.Run(name, func(t *testing.T) {
			a := app{image: img, script: "cat /data/f; stat -c '%a %u %g' /data; echo new >/data/g && touch /fresh/x && cat /data/g"}
			if name == "in a read-only root" {
				a.flags = []string{"--readonly-rootfs"}
			}
			r := p.run(t, flags, a)
			if want := "of the image\n750 1000 33\nnew\n"; r.Stdout != want || r.Code != 0 {
				t.Errorf("got %+v, want %q", r, want)
			}
		})
	}
	t.Run("the next pod has the image's content again", func(t *testing.T) {
		r := p.run(t, nil, app{image: img, script: "ls /data"})
		if r.Stdout != "f\n" {
			t.Errorf("got %+v", r)
		}
	})
	t.Run("a volume of the pod's takes its place", func(t *testing.T) {
		r := p.run(t, []string{"--volume=v,kind=empty", "--mount=volume=v,target=/data"}, app{image: img, script: "ls /data"})
		if r.Stdout != "" || r.Code != 0 {
			t.Errorf("got %+v", r)
		}
	})
}

func TestRoots(t *testing.T) {
	p := newPods(t)
	img := putImage(t, p.Host, "layers", images.Busybox().
		Layer(images.File("gone", "1", 0o644), images.Dir("dir", 0o755), images.File("dir/old", "1", 0o644), images.File("dir2", "file", 0o644), images.File("kept", "1\n", 0o600).Owned(33, 2000), images.Link("hard", "kept")).
		Zstd().
		Layer(images.Whiteout("gone"), images.Dir("dir", 0o711), images.Opaque("dir"), images.File("dir/new", "2", 0o644), images.Whiteout("dir2")).
		Layer(images.Dir("dir2", 0o755), images.File("dir2/x", "3\n", 0o644), images.Fifo("fifo", 0o600)))
	for name, flags := range map[string][]string{"stacked": nil, "copied": {"--no-overlay"}} {
		t.Run(name, func(t *testing.T) {
			a := app{image: img, script: "ls -d /gone /dir/old 2>/dev/null; stat -c '%a %u %g' /dir /kept; ls /dir; cat /dir2/x; cat /hard; [ -p /fifo ] && echo fifo; ls -A /dir | wc -l; echo changed >/kept; cat /kept"}
			want := "711 0 0\n600 33 2000\nnew\n3\n1\nfifo\n1\nchanged\n"
			for range 2 {
				r := p.run(t, flags, a)
				if diff := cmp.Diff(want, r.Stdout); diff != "" || r.Code != 0 {
					t.Errorf("status %d (-want +got):\n%s%s", r.Code, diff, r.Stderr)
				}
			}
		})
	}
}
