package functional

import (
	"strings"
	"testing"
)

func TestCopyingOutOfAnEndedPod(t *testing.T) {
	for name, flags := range map[string][]string{
		"layers stacked": nil, "layers copied": {"--no-overlay"}, "the flavour fly": {"--stage1-name=fly"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPods(t)
			t.Cleanup(func() { p.Run(t, "rm -rf /srv/f-ended /run/f-ended") })
			p.MustRun(t, "rm -rf /srv/f-ended; mkdir -p /srv/f-ended/out /srv/f-ended/host /srv/f-ended/gone; echo host >/srv/f-ended/host/file")
			script := `mkdir -p /data/sub; seq 1 100000 >/data/big; echo x >/data/sub/f; chown 33:2000 /data/sub/f; chmod 4755 /data/sub/f; ln -s /etc/passwd /data/link
echo written >/vol/file; rm /etc/group; echo changed >>/etc/passwd; ln -s /srv/f-ended /data/out; exit 3`
			r := p.run(t, append([]string{"--uuid-file-save=/run/f-ended", "--volume=v,kind=empty", "--volume=h,kind=host,source=/srv/f-ended/host,readOnly=true", "--volume=g,kind=host,source=/srv/f-ended/gone"}, flags...),
				app{script: script, flags: []string{"--mount=volume=v,target=/vol", "--mount=volume=h,target=/host", "--mount=volume=g,target=/gone"}})
			if r.Code != 3 {
				t.Fatalf("the app: %+v", r)
			}
			uuid := strings.TrimSpace(p.ReadFile(t, "/run/f-ended"))
			p.MustRun(t, "rmdir /srv/f-ended/gone; "+p.cmd()+" cp "+uuid+":/data /srv/f-ended/out/ && "+p.cmd()+" cp "+uuid+":/vol/file /srv/f-ended/vol && "+p.cmd()+" cp "+uuid+":/host/file /srv/f-ended/from-host && "+p.cmd()+" cp "+uuid+":/etc/passwd /srv/f-ended/passwd")
			got := p.MustRun(t, "cd /srv/f-ended; seq 1 100000 | cmp - out/data/big && stat -c '%u:%g %a' out/data/sub/f; readlink out/data/link; cat vol from-host; tail -n1 passwd")
			if want := "33:2000 755\n/etc/passwd\nwritten\nhost\nchanged"; got != want {
				t.Errorf("got %q, want %q", got, want)
			}
			if got := p.MustRun(t, p.cmd()+" cp "+uuid+":/data/sub - | tar -tvf - | cut -c1-10"); !strings.Contains(got, "-rwsr-xr-x") {
				t.Errorf("the stream has %q", got)
			}
			for says, line := range map[string]string{
				"no such file":       "cp " + uuid + ":/etc/group /srv/f-ended/x",
				"not running":        "cp /etc/machine-id " + uuid + ":/data",
				"no app":             "cp --app=b " + uuid + ":/data /srv/f-ended/x",
				"No such file":       "cp " + uuid + ":/data/big /srv/f-ended/no/x",
				"/gone is not there": "cp " + uuid + ":/gone/file /srv/f-ended/x",
			} {
				if r := p.Run(t, p.cmd()+" "+line); r.Code != 254 || !strings.Contains(strings.ToLower(r.Stderr), strings.ToLower(says)) {
					t.Errorf("%s: %+v", says, r)
				}
			}
			// A link of the app's leads nowhere out of its root.
			if r := p.Run(t, p.cmd()+" cp "+uuid+":/data/out/vol -"); r.Code != 254 || r.Stdout != "" {
				t.Errorf("by a link: %+v", r)
			}
			if got := p.Run(t, "grep -h ' "+p.dir+"/' /proc/[0-9]*/mountinfo").Stdout; strings.Contains(got, "overlay") || strings.Contains(got, "tmpfs") {
				t.Errorf("mounts are left: %s", got)
			}
			if got := p.MustRun(t, "ls -A /srv/f-ended"); strings.Contains(got, "raket-cp") || strings.Contains(got, "x\n") {
				t.Errorf("the host has %q", got)
			}
		})
	}
	t.Run("of a pod that was not started", func(t *testing.T) {
		p := newPods(t)
		uuid := p.must(t, append([]string{"prepare", "--quiet"}, podLine(nil, app{script: "true"})...)...)
		if r := p.raket(t, "cp", uuid+":/etc/passwd", "-"); r.Code != 254 || !strings.Contains(r.Stderr, "prepared, not running") {
			t.Errorf("got %+v", r)
		}
	})
}
