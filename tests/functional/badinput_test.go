package functional

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/raket/raket/tests/images"
	"github.com/raket/raket/tests/testhost"
)

// tree lists what is in the data directory, with sizes but without times. Copies of flavours
// are left out: they may be made at any time and belong to no pod.
func (p *pods) tree(t *testing.T) string {
	t.Helper()
	return p.MustRun(t, "cd "+p.dir+" && find . -printf '%y %s %p\\n' | grep -v '^d [0-9]* ./pods/[a-z-]*$' | grep -v ' ./stage1/' | sort -k3")
}

// expectRefusal checks that a command failed as commands that were given nonsense do.
func expectRefusal(t *testing.T, code int, stderr, says string) {
	t.Helper()
	if code != 254 {
		t.Errorf("the status is %d, want 254", code)
	}
	lines := strings.Split(strings.TrimSuffix(stderr, "\n"), "\n")
	if !strings.HasPrefix(lines[0], "raket: ") || len(lines) > 2 || len(lines) == 2 && !strings.HasPrefix(lines[1], "hint: ") {
		t.Errorf("want one line of raket's and perhaps a hint, got:\n%s", stderr)
	}
	if !strings.Contains(stderr, says) {
		t.Errorf("%q does not say %q", stderr, says)
	}
}

func TestBadInputIsRefusedInOneLineAndLeavesNothing(t *testing.T) {
	p := newPods(t)
	p.must(t, "fetch", busybox)
	// A run that works makes what is made once: caches, locks.
	if r := p.run(t, nil, app{script: "true"}); r.Code != 0 {
		t.Fatalf("%+v", r)
	}
	p.collect(t)
	noise := make([]byte, 200<<10)
	_, _ = rand.NewChaCha8([32]byte{}).Read(noise) // it never fails
	putImage(t, p.Host, "broken", images.Busybox().Layer(images.File("noise", string(noise), 0o644)))
	p.MustRun(t, `mkdir -p /srv/bad && cd /srv/bad
		echo '{' >broken.json; head -c 5000000 /dev/zero >large.json; echo text >text.aci
		mkdir -p stage1/rootfs && cp /opt/raket/bin/stage1/fly/manifest stage1/ && sed -i 's/"value": *"1"/"value":"99"/' stage1/manifest
		mkdir -p empty; mkdir -p dir/x
		rm -rf layout && cp -a /srv/functional/broken layout && f=$(find layout/blobs/sha256 -size +100k -size -500k) && head -c 100000 $f >t && cat t >$f && rm t
		rm -rf swapped && cp -a /srv/functional/broken swapped && f=$(find swapped/blobs/sha256 -size +100k -size -500k) && printf x | dd of=$f bs=1 seek=1000 conv=notrunc status=none
		rm -rf noindex && cp -a /srv/functional/busybox noindex && echo '{}' >noindex/index.json`)
	t.Cleanup(func() { p.Run(t, "rm -rf /srv/bad") })
	for name, tt := range map[string]struct{ line, says string }{
		"an image that is not there":          {"run oci:/srv/no/such:latest", "/srv/no/such"},
		"a tag that is not there":             {"run oci:/srv/functional/busybox:nosuch", "nosuch"},
		"a registry that does not answer":     {"run docker://127.0.0.1:9/x", "127.0.0.1:9"},
		"an image without a transport":        {"run nosuchimage", "nosuchimage"},
		"a digest that no image has":          {"run oci:/srv/functional/busybox@sha256:" + strings.Repeat("0", 64), "sha256:0000"},
		"a truncated layer":                   {"run oci:/srv/bad/layout:latest", "sha256:"},
		"a layer with another byte":           {"run oci:/srv/bad/swapped:latest", "sha256:"},
		"a layout without images":             {"run oci:/srv/bad/noindex:latest", "latest"},
		"an ACI that is none":                 {"run /srv/bad/text.aci", "text.aci"},
		"no image":                            {"run", "image"},
		"an unknown flag":                     {"run --nosuch " + busybox, "--nosuch"},
		"an unknown flag of an app":           {"run " + busybox + " --nosuch", "--nosuch"},
		"a flag without its value":            {"run --volume", "--volume"},
		"a value that is none":                {"run --net=sideways " + busybox, "sideways"},
		"an unknown command":                  {"rum " + busybox, "rum"},
		"an unknown user":                     {"run " + busybox + " --user=nosuch", `"nosuch"`},
		"an unknown capability":               {"run " + busybox + " --caps-retain=CAP_NONE", "CAP_NONE"},
		"an unknown signal":                   {"run " + busybox + " --stop-signal=SIGNONE", "SIGNONE"},
		"an unknown limit":                    {"run " + busybox + " --rlimit=none=1", "none"},
		"a directive that is refused":         {"run " + busybox + " --property=ExecStart=/bin/sh", "ExecStart"},
		"a directive with a line break":       {"run " + busybox + " --property=$'Description=a\\nExecStart=/bin/sh'", "Description"},
		"two apps of one name":                {"run " + busybox + " --name=a --- " + busybox + " --name=a", ""},
		"two apps named by one image":         {"run " + busybox + " " + busybox, "--name"},
		"a name that is none":                 {"run " + busybox + " --name=../x", "../x"},
		"a volume without a source":           {"run --volume=v,kind=host " + busybox, "source"},
		"a volume whose source is not there":  {"run --volume=v,kind=host,source=/no/such --mount=volume=v,target=/v " + busybox, "/no/such"},
		"a mount of no volume":                {"run --mount=volume=v,target=/v " + busybox, "v"},
		"a mount on no absolute path":         {"run --volume=v,kind=empty --mount=volume=v,target=v " + busybox, "v"},
		"a directory that is no program":      {"run " + busybox + " --exec=relative/path", "relative/path"},
		"an environment file that is not":     {"run --set-env-file=/no/such " + busybox, "/no/such"},
		"a manifest that is not there":        {"run --pod-manifest=/no/such", "/no/such"},
		"a manifest that is no JSON":          {"run --pod-manifest=/srv/bad/broken.json", "broken.json"},
		"a manifest that is too large":        {"run --pod-manifest=/srv/bad/large.json", "large.json"},
		"an unknown flavour":                  {"run --stage1-name=nosuch " + busybox, "nosuch"},
		"a flavour without a manifest":        {"run --stage1-from-dir=/srv/bad/empty " + busybox, "/srv/bad/empty"},
		"a flavour of another contract":       {"run --stage1-from-dir=/srv/bad/stage1 " + busybox, "99"},
		"a flavour file that is none":         {"run --stage1-path=/srv/bad/text.aci " + busybox, "text.aci"},
		"a UUID file that can't be written":   {"run --uuid-file-save=/no/such/uuid " + busybox + " --exec=/bin/true", "/no/such"},
		"a pod that is not there":             {"status 01234567", "01234567"},
		"a pod that is not there, stopped":    {"stop 01234567", "01234567"},
		"a pod that is not there, entered":    {"enter 01234567 /bin/sh", "01234567"},
		"a pod that is not there, removed":    {"rm 01234567", "01234567"},
		"a pod that is not there, run":        {"run-prepared 01234567", "01234567"},
		"a UUID that is none":                 {"status ../../etc", "../../etc"},
		"an image that is not there, removed": {"image rm sha256:" + strings.Repeat("0", 64), "sha256:0000"},
	} {
		t.Run(name, func(t *testing.T) {
			before := p.tree(t)
			line := tt.line
			if !strings.Contains(line, "uuid-file") && strings.HasPrefix(line, "run ") {
				line = "run --quiet " + strings.TrimPrefix(line, "run ")
			}
			r := p.Run(t, p.cmd()+" "+line+"; exit $?")
			if tt.line == "run "+busybox+" --exec=relative/path" {
				if r.Code != 203 {
					t.Errorf("the status is %d, want 203", r.Code)
				}
				r.Code = 254
			}
			expectRefusal(t, r.Code, r.Stderr, tt.says)
			if r.Stdout != "" {
				t.Errorf("stdout is %q", r.Stdout)
			}
			if diff := cmp.Diff(before, p.tree(t)); diff != "" {
				t.Errorf("the data directory changed (-before +after):\n%s", diff)
			}
		})
	}
}

func TestSurroundingsThatLackSomething(t *testing.T) {
	p := newPods(t)
	p.must(t, "fetch", busybox)
	p.MustRun(t, "mkdir -p /srv/path && ln -sf /bin/bash /srv/path/bash")
	p.collect(t)
	run := p.cmd() + " " + quote(runLine(nil, app{script: "true"})...)
	for name, tt := range map[string]struct{ line, says string }{
		"no systemd-nspawn":       {"PATH=/srv/path " + run, "systemd-nspawn"},
		"an ordinary user":        {"setpriv --reuid=65534 --regid=65534 --clear-groups " + run, "root"},
		"a user who looks":        {"setpriv --reuid=65534 --regid=65534 --clear-groups " + p.cmd() + " gc", ""},
		"a read-only directory":   {"mount --bind " + p.dir + " " + p.dir + " && mount -o remount,ro,bind " + p.dir + "; " + run + "; s=$?; umount " + p.dir + "; exit $s", "read-only"},
		"a directory that is not": {testhost.BinDir + "/raket --dir=/etc/passwd list", "/etc/passwd"},
		"no right to make mounts": {"capsh=1; setpriv --bounding-set=-sys_admin --inh-caps=-all " + run, ""},
	} {
		t.Run(name, func(t *testing.T) {
			before := p.tree(t)
			r := p.Run(t, tt.line+"; exit $?")
			expectRefusal(t, r.Code, r.Stderr, tt.says)
			p.collect(t)
			after := p.tree(t)
			if diff := cmp.Diff(before, after); diff != "" && name != "no right to make mounts" {
				t.Errorf("the data directory changed (-before +after):\n%s", diff)
			}
		})
	}
}

// TestHostileLayers: entries that would reach out of the image are refused, and nothing of
// the image stays in the store.
func TestHostileLayers(t *testing.T) {
	p := newPods(t)
	p.must(t, "fetch", busybox)
	for name, entries := range map[string][]images.Entry{
		"a name that climbs":                 {images.File("../../../../srv/evil", "x", 0o644)},
		"an absolute name":                   {images.File("/srv/evil", "x", 0o644)},
		"a link that leads out, used":        {images.Symlink("l", "/srv"), images.File("l/evil", "x", 0o644)},
		"a hard link to a host file":         {images.Link("passwd2", "../../../../../etc/passwd")},
		"a name with a whiteout that climbs": {images.File("..wh...", "x", 0o644), images.File("x/.wh...", "", 0o644)},
	} {
		t.Run(name, func(t *testing.T) {
			img := putImage(t, p.Host, "hostile", images.Busybox().Layer(entries...))
			r := p.run(t, nil, app{image: img, script: "true"})
			if p.exists(t, "/srv/evil") {
				t.Error("a file of the image is on the host")
				p.Run(t, "rm -f /srv/evil")
			}
			if r.Code != 0 {
				expectRefusal(t, r.Code, r.Stderr, "layer")
			}
		})
	}
}
