package functional

import (
	"strings"
	"testing"
)

func TestCopying(t *testing.T) {
	for flavour, flags := range flavours() {
		t.Run(flavour, func(t *testing.T) {
			p := newPods(t)
			flags := append([]string{"--volume=v,kind=empty"}, flags...)
			uuid := p.background(t, flags, app{script: "mkdir /tmp/d; exec sleep 100000", flags: []string{"--mount=volume=v,target=/vol"}})
			in := func(script string) string { return p.must(t, "exec", "--privileged", uuid, "sh", "-c", script) }
			p.WaitFor(t, limit, p.cmd()+" exec "+uuid+" test -d /tmp/d")
			t.Cleanup(func() { p.Run(t, "rm -rf /srv/f-cp") })
			p.MustRun(t, `rm -rf /srv/f-cp; mkdir -p /srv/f-cp/tree/sub && cd /srv/f-cp && seq 1 300000 >tree/big && ln tree/big tree/sub/linked && ln -s /etc/passwd tree/link && mkfifo tree/pipe
echo x >tree/sub/odd\ name && chown 33:2000 tree/sub/odd\ name && chmod 640 tree/sub/odd\ name && chmod 2711 tree/sub && cp /bin/true tree/suid && chmod 4755 tree/suid && touch -d @1000000000 tree/big; mkdir out`)
			const list = `cd $D; find . -exec stat -c '%%n %%f %%u:%%g %%h %%Y' {} + | grep -v 'pipe\|suid' | sort; sha256sum big sub/linked sub/odd*`
			script := func(dir string) string { return "D=" + dir + "; " + strings.ReplaceAll(list, "%%", "%") }

			t.Run("a directory there and back", func(t *testing.T) {
				p.must(t, "cp", "/srv/f-cp/tree", uuid+":/vol")
				want := p.MustRun(t, script("/srv/f-cp/tree"))
				if got := in(script("/vol/tree")); got != want {
					t.Errorf("in the app\n%s\nwant\n%s", got, want)
				}
				if got := in("stat -c '%F %a' /vol/tree/pipe /vol/tree/suid; readlink /vol/tree/link"); got != "fifo 644\nregular file 4755\n/etc/passwd" {
					t.Errorf("got %q", got)
				}
				p.must(t, "cp", uuid+":/vol/tree", "/srv/f-cp/out/back")
				if got := p.MustRun(t, script("/srv/f-cp/out/back")); got != want {
					t.Errorf("back\n%s\nwant\n%s", got, want)
				}
				if got := p.MustRun(t, "stat -c %a /srv/f-cp/out/back/suid; ls -A /srv/f-cp/out"); got != "755\nback" {
					t.Errorf("what came out: %q", got)
				}
				if got := in("ls -A /vol"); got != "tree" {
					t.Errorf("the volume has %q", got)
				}
			})
			t.Run("where things go", func(t *testing.T) {
				p.MustRun(t, "cd /srv/f-cp && "+p.cmd()+" cp tree/sub/. "+uuid+":/tmp/d && "+p.cmd()+" cp tree/big "+uuid+":/tmp/new && "+p.cmd()+" cp tree/big "+uuid+":tmp/d/ && "+p.cmd()+" cp "+uuid+":/etc/passwd .")
				if got := in("ls -A /tmp/d; ls /tmp/new"); got != "big\nlinked\nodd name\n/tmp/new" {
					t.Errorf("got %q", got)
				}
				if got := p.MustRun(t, "cat /srv/f-cp/passwd"); got != in("cat /etc/passwd") {
					t.Errorf("got %q", got)
				}
			})
			t.Run("as a stream", func(t *testing.T) {
				p.MustRun(t, "tar -C /srv/f-cp/tree -cf - sub | "+p.cmd()+" cp - "+uuid+":/tmp")
				if got := p.MustRun(t, p.cmd()+" cp "+uuid+":/tmp/sub - | tar -tf - | sort | paste -sd' '"); got != "sub/ sub/linked sub/odd name" {
					t.Errorf("got %q", got)
				}
			})
			t.Run("what fails leaves nothing", func(t *testing.T) {
				before := in("ls -A /tmp /vol /etc")
				for name, tt := range map[string]struct{ line, says string }{
					"no such file":                {"cp /no/such " + uuid + ":/tmp", "no such file"},
					"no such file in the app":     {"cp " + uuid + ":/no/such /srv/f-cp/x", "no such file"},
					"no such directory":           {"cp /etc/machine-id " + uuid + ":/no/such/x", "no such file"},
					"a file for a directory":      {"cp /etc/machine-id " + uuid + ":/etc/passwd/", "not a directory"},
					"a directory for a file":      {"cp /srv/f-cp/tree " + uuid + ":/etc/passwd", "not a directory"},
					"a device":                    {"cp " + uuid + ":/dev/null /srv/f-cp/x", "device"},
					"a stream that breaks off":    {"cp - " + uuid + ":/tmp", "unexpected EOF"},
					"a kernel's file":             {"cp " + uuid + ":/proc/1/status /srv/f-cp/x", "kernel's"},
					"a directory of the host's":   {"cp " + uuid + ":/etc/passwd /srv/f-cp/no/x", "no such file"},
					"an app that the pod has not": {"cp --app=b " + uuid + ":/etc/passwd /srv/f-cp/x", "no app"},
				} {
					r := p.Run(t, "tar -C /srv/f-cp -cf - tree | head -c 100000 | "+p.cmd()+" "+tt.line)
					if r.Code != 254 || !strings.Contains(r.Stderr, tt.says) || strings.Count(r.Stderr, "raket: ") != 1 {
						t.Errorf("%s: %+v", name, r)
					}
				}
				if after := in("ls -A /tmp /vol /etc"); after != before {
					t.Errorf("the app has\n%s\nhad\n%s", after, before)
				}
				if got := p.MustRun(t, "ls -A /srv/f-cp"); strings.Contains(got, ".raket") || strings.Contains(got, "x\n") {
					t.Errorf("the host has %q", got)
				}
			})
			t.Run("links of the app's lead nowhere else", func(t *testing.T) {
				p.MustRun(t, "echo secret >/srv/f-cp/secret; mkdir -p /srv/f-cp/target")
				in("cd /tmp; ln -s /srv/f-cp/secret abs; ln -s ../../../../../../../../srv/f-cp/secret rel; ln -s /srv/f-cp dir; ln -s /proc/1/root/srv/f-cp magic; ln -s /proc/self/cwd self")
				for _, path := range []string{"/tmp/dir/secret", "/tmp/magic/secret", "/tmp/self/secret", "/tmp/dir/../../../srv/f-cp/secret", "/../../srv/f-cp/secret", "/proc/1/root/srv/f-cp/secret"} {
					r := p.Run(t, p.cmd()+" cp "+uuid+":"+path+" -")
					if r.Code != 254 || strings.Contains(r.Stdout, "secret\n") {
						t.Errorf("%s: %+v", path, r)
					}
				}
				for _, path := range []string{"/tmp/abs", "/tmp/rel"} {
					if got := p.MustRun(t, p.cmd()+" cp "+uuid+":"+path+" - | tar -tvf - | cut -c1"); got != "l" {
						t.Errorf("%s is copied as %q", path, got)
					}
				}
				for _, path := range []string{"/tmp/dir/target", "/tmp/dir/x", "/tmp/magic/target", "/tmp/self/x"} {
					if r := p.Run(t, p.cmd()+" cp /etc/machine-id "+uuid+":"+path); r.Code != 254 {
						t.Errorf("to %s: %+v", path, r)
					}
				}
				// A link in the place of the new file goes, not what it points to.
				p.must(t, "cp", "/etc/machine-id", uuid+":/tmp/abs")
				if got := p.MustRun(t, "cat /srv/f-cp/secret; ls -A /srv/f-cp/target"); got != "secret" {
					t.Errorf("outside there is %q", got)
				}
			})
			t.Run("raket that is killed", func(t *testing.T) {
				for _, sig := range []string{"TERM", "INT", "KILL"} {
					p.MustRun(t, `rm -f /run/f-tar; mkfifo /run/f-tar; exec 5<>/run/f-tar
`+p.cmd()+` cp - `+uuid+`:/vol <&5 2>/dev/null & pid=$!
tar -C /srv/f-cp -cf - tree | head -c 1000000 >&5; kill -`+sig+` $pid; exec 5>&-; wait $pid; true`)
					p.WaitFor(t, limit, "! "+p.cmd()+" exec --privileged "+uuid+" ls -A /vol | grep raket-cp")
				}
			})
		})
	}
}
