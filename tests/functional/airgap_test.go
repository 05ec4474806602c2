package functional

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/raket/raket/tests/images"
	"github.com/raket/raket/tests/registry"
	"github.com/raket/raket/tests/testhost"
)

// skopeo is what skopeo prints.
func skopeo(t *testing.T, args ...string) string {
	t.Helper()
	if why := registry.MissingSkopeo(); why != "" {
		testhost.SkipOrFail(t, why)
	}
	out, err := exec.CommandContext(t.Context(), "skopeo", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("skopeo %v: %v: %s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func TestImagesReachAHostWithoutANetwork(t *testing.T) {
	p := newPods(t)
	s := p.serve(t)
	digest := p.put(t, s, "team/hello:1", hello("airgap"))
	name := "docker://" + s.Addr + "/team/hello:1"
	full := p.must(t, "fetch", "--quiet", "--full", name)
	if full != digest {
		t.Errorf("fetched is %s, pushed was %s", full, digest)
	}
	const dir = "/srv/functional/airgap"
	p.MustRun(t, "mkdir -p "+dir)
	t.Cleanup(func() { p.MustRun(t, "rm -rf "+dir) })

	// A second data directory is the other host; its network has not even loopback.
	isolated := *p
	isolated.dir = p.dir + "-isolated"
	t.Cleanup(func() { isolated.remove(t) })
	offline := isolated.with("unshare --net")

	// skopeo goes astray on the way to the host's files.
	here := func(t *testing.T, path string) string {
		t.Helper()
		copied := filepath.Join(t.TempDir(), filepath.Base(path))
		p.Get(t, path, copied)
		return copied
	}

	t.Run("as an OCI archive, which skopeo reads", func(t *testing.T) {
		p.must(t, "image", "export", name, dir+"/hello.tar")
		if got := skopeo(t, "inspect", "--format={{.Digest}}", "oci-archive:"+here(t, dir+"/hello.tar")); got != digest {
			t.Errorf("skopeo sees %s, want %s", got, digest)
		}
		p.refused(t, dir+"/hello.tar…is there already", "--overwrite", "image", "export", name, dir+"/hello.tar")
		if got := offline.accepted(t, "image", "import", "--full", "--quiet", "--with-names", dir+"/hello.tar"); got != digest {
			t.Errorf("imported is %q, want %q", got, digest)
		}
		if got := offline.accepted(t, oneApp(name)...); got != "hello airgap" {
			t.Errorf("the app says %q", got)
		}
	})
	t.Run("what is not there is not asked for in vain", func(t *testing.T) {
		offline.refused(t, "docker://"+s.Addr+"/team/hello:2…not in the store", "", append(oneApp("docker://"+s.Addr+"/team/hello:2"), "--pull-policy=never")...)
	})
	t.Run("as a directory", func(t *testing.T) {
		p.must(t, "image", "export", "--format=oci-dir", name, dir+"/layout")
		if got := skopeo(t, "inspect", "--format={{.Digest}}", "oci:"+here(t, dir+"/layout")); got != digest {
			t.Errorf("skopeo sees %s, want %s", got, digest)
		}
	})
	t.Run("the store itself is one that skopeo reads", func(t *testing.T) {
		if got := skopeo(t, "inspect", "--format={{.Digest}}", "oci:"+here(t, isolated.dir+"/images")+":"+s.Addr+"/team/hello:1"); got != digest {
			t.Errorf("skopeo sees %s, want %s", got, digest)
		}
	})
	t.Run("as a docker archive, which skopeo turns into an image of the same files", func(t *testing.T) {
		p.must(t, "image", "export", "--format=docker-archive", name, dir+"/docker.tar")
		made := t.TempDir() + "/from-skopeo"
		skopeo(t, "copy", "--quiet", "docker-archive:"+here(t, dir+"/docker.tar"), "oci:"+made+":1")
		p.Put(t, made, dir+"/from-skopeo")
		if got := p.must(t, oneApp("oci:"+dir+"/from-skopeo:1")...); got != "hello airgap" {
			t.Errorf("the app says %q", got)
		}
	})
	t.Run("through a pipe", func(t *testing.T) {
		p.MustRun(t, p.cmd()+" image export "+name+" - | "+isolated.cmd()+" image import --quiet -")
	})
	t.Run("an ACI with its signature", func(t *testing.T) {
		signer, pubkey := p.newSigner(t)
		p.trust(t, pubkey)
		aci := dir + "/hello.aci"
		if err := images.ShellACI("images.example/airgap", "1.0.0", "echo aci").Write(p.Path(aci)); err != nil {
			t.Fatal(err)
		}
		p.sign(t, signer, aci)
		id := p.must(t, "fetch", "--quiet", aci)
		p.must(t, "image", "export", id, dir+"/out.aci")
		p.MustRun(t, "cmp "+aci+" "+dir+"/out.aci")
		offline.refused(t, "no signature", "--signature", "image", "import", "--quiet", dir+"/out.aci")
		if got := offline.accepted(t, "image", "import", "--quiet", "--signature="+aci+".asc", dir+"/out.aci"); got != id {
			t.Errorf("imported is %q, want %q", got, id)
		}
		if got := offline.accepted(t, oneApp("images.example/airgap")...); got != "aci" {
			t.Errorf("the app says %q", got)
		}
	})
}

func TestAStoreThatComesWithTheHost(t *testing.T) {
	p := newPods(t)
	s := p.serve(t)
	p.put(t, s, "team/seed:1", hello("seed"))
	name := "docker://" + s.Addr + "/team/seed:1"
	const root, seed = "/srv/functional/seed", "/usr/lib/raket/store"
	t.Cleanup(func() {
		p.MustRun(t, "! mountpoint -q "+seed+" || umount "+seed+"; rmdir -p --ignore-fail-on-non-empty "+seed+"; rm -rf "+root)
	})
	id := p.MustRun(t, "raket --dir="+root+seed+" fetch --quiet "+name+" && raket --dir="+root+seed+" image list >/dev/null && mkdir -p "+seed+
		" && mount --bind "+root+seed+" "+seed+" && mount -o remount,bind,ro "+seed)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if got := p.must(t, oneApp(name)...); got != "hello seed" {
		t.Errorf("the app says %q", got)
	}
	if got := p.must(t, "image", "list", "--no-legend", "--fields=name,store"); got != name+"\t"+seed {
		t.Errorf("listed is %q", got)
	}
	if made := p.MustRun(t, "find "+p.dir+"/images/blobs/sha256 "+p.dir+"/trees -mindepth 1 ! -name .ingest"); made != "" {
		t.Errorf("copied was %s", made)
	}
	p.collect(t)
	p.refused(t, "read-only store, "+seed, "", "image", "rm", id)
	if got := p.must(t, "image", "gc", "--grace-period=0s"); got != "" {
		t.Errorf("gc removed %q", got)
	}
	if r := p.raket(t, "image", "verify", name); r.Code != 0 || !strings.Contains(r.Stdout, "all as its digests say") {
		t.Errorf("%+v", r)
	}
	t.Run("its layers serve images that are fetched", func(t *testing.T) {
		// Its lowest layer is in the seed.
		if got := p.must(t, oneApp(putImage(t, p.Host, "above-seed", hello("above")))...); got != "hello above" {
			t.Errorf("the app says %q", got)
		}
		if trees := p.MustRun(t, "ls "+p.dir+"/trees | wc -l"); trees != "1" {
			t.Errorf("%s trees were made, want one", trees)
		}
	})
	t.Run("in the directory of another system's configuration", func(t *testing.T) {
		other := *p
		other.dir = p.dir + "-other"
		t.Cleanup(func() { other.remove(t) })
		p.MustRun(t, "umount "+seed)
		other.refused(t, "not in the store", "", append(oneApp(name), "--pull-policy=never")...)
		if got := other.must(t, append([]string{"--system-config=" + root + "/usr/lib/raket"}, oneApp(name)...)...); got != "hello seed" {
			t.Errorf("the app says %q", got)
		}
	})
}
