package functional

import (
	"fmt"
	"strings"
	"testing"

	"github.com/raket/raket/tests/testhost"
)

// An app that is added has what those of the pod's start have: the network and its names, the
// metadata service, streams to attach to, credentials of its own.
func TestAddedAppsHaveWhatThePodHas(t *testing.T) {
	p := newPods(t)
	uuid, _ := p.sandbox(t, "--net=default", "--hostname=front", "--log=file", "--mds-register", "--annotation=color=red")
	says := func(a app, flags ...string) []string {
		t.Helper()
		p.add(t, uuid, a, flags...)
		p.must(t, "app", "start", uuid, a.name)
		p.WaitFor(t, limit, p.cmd()+" app list "+uuid+" | grep -w "+a.name+" | grep -w exited")
		return strings.Split(p.must(t, "logs", uuid, a.name), "\n")
	}
	four, _, _ := p.addresses(t, uuid)
	t.Run("the network", func(t *testing.T) {
		got := says(app{name: "net", script: "hostname; readlink /proc/self/ns/net; ip -4 -o addr show eth0 | sed 's,.*inet \\([^/]*\\)/.*,\\1,'; grep -w front /etc/hosts | head -n1 | cut -f1; wc -l </etc/resolv.conf"})
		if len(got) != 5 || got[0] != "front" || got[2] != four || got[3] != four {
			t.Errorf("the app wrote %q, the pod's address is %s", got, four)
		}
	})
	t.Run("the metadata service", func(t *testing.T) {
		got := says(app{name: "asks", flags: []string{"--annotation=note=1"}, script: ask + `for q in pod/uuid pod/annotations apps/asks/annotations apps/asks/image/id apps/net/image/id; do ask $q; done; ask apps/nosuch/image/id | head -n1`})
		if len(got) != 11 || got[1] != uuid || !strings.Contains(got[3], "red") || !strings.Contains(got[5], `"note"`) || got[7] != got[9] || !strings.Contains(got[10], "404") {
			t.Errorf("got %q", got)
		}
		p.must(t, "app", "rm", uuid, "net")
		p.must(t, "app", "start", uuid, "asks")
		// It counts as soon as it runs again.
		p.WaitFor(t, limit, "[ $("+p.cmd()+" app status "+uuid+" asks | grep -cxE 'restarts=1|state=exited') = 2 ]")
		if got := p.must(t, "logs", uuid, "asks"); strings.Count(got, "404") != 2+1 {
			t.Errorf("of an app that was removed it knows %q", got)
		}
	})
	t.Run("streams", func(t *testing.T) {
		p.add(t, uuid, app{name: "echoes", script: echoes, flags: streams("stream")})
		p.must(t, "app", "start", uuid, "echoes")
		if got := p.must(t, "attach", "--mode=list", "--app=echoes", uuid); got != "stdin\nstdout\nstderr" {
			t.Errorf("it has %q", got)
		}
		talk := func(want string) {
			t.Helper()
			p.MustRun(t, "rm -f /run/f-out; echo one | "+p.command("attach", "--app=echoes", uuid)+" >/run/f-out 2>/dev/null & pid=$!; until grep -q 'got one' /run/f-out; do sleep 0.05; done; kill $pid; wait $pid; true")
			if out := p.ReadFile(t, "/run/f-out"); !strings.HasPrefix(out, want) {
				t.Errorf("it said %q, want %q", out, want)
			}
		}
		talk("start\n")
		p.must(t, update(uuid, "echoes", "echo second; "+echoes)...)
		talk("second\nstart\n")
		if r := p.raket(t, update(uuid, "echoes", "exit 9")...); r.Code != 254 {
			t.Errorf("an update that fails: %+v", r)
		}
		talk("second\nstart\n")
		p.must(t, "app", "rm", uuid, "echoes")
		if got := p.unitFiles(t, uuid, "echoes"); got != "" {
			t.Errorf("units: %s", got)
		}
	})
	t.Run("credentials", func(t *testing.T) {
		p.MustRun(t, "mkdir -p /srv/functional/secrets; echo -n from-file >/srv/functional/secrets/db")
		p.add(t, uuid, app{name: "web", script: "cd $CREDENTIALS_DIRECTORY; id -u; stat -c %u:%a db; cat db word; echo; echo x >db; exec sleep 5301", flags: []string{"--user=4242", "--load-credential=db:/srv/functional/secrets/db", "--set-credential=word:said"}})
		p.must(t, "app", "start", uuid, "web")
		p.WaitFor(t, limit, p.cmd()+" logs "+uuid+" web | grep -q Read-only")
		if got := p.must(t, "logs", uuid, "web"); !strings.HasPrefix(got, "4242\n4242:400\nfrom-filesaid\n") {
			t.Errorf("it wrote %q", got)
		}
		if r := p.Run(t, "grep -r -e from-file -e 'said$' "+p.dir+"/pods/run/"+uuid+" --include=*.json; find /run /tmp -name db -size -1 2>/dev/null"); r.Stdout != "" {
			t.Errorf("on disk: %s", r.Stdout)
		}
		if got := says(app{name: "spies", script: "ls /run/raket/credentials /raket 2>&1 | wc -l; cat /proc/[0-9]*/root/run/raket/credentials/db 2>/dev/null; echo none", flags: []string{"--user=4243"}}); got[len(got)-1] != "none" || strings.Contains(fmt.Sprint(got), "from-file") {
			t.Errorf("another app sees %q", got)
		}
		// What was not kept has to be said again.
		r := p.raket(t, update(uuid, "web", "exec sleep 5302")...)
		if r.Code != 254 || !strings.Contains(r.Stderr, "credential word: its value was not kept: say it again by --set-credential") {
			t.Errorf("an update without it: %+v", r)
		}
		p.MustRun(t, "echo -n newer >/srv/functional/secrets/db")
		p.must(t, update(uuid, "web", "cat $CREDENTIALS_DIRECTORY/db >&2; exec sleep 5303", "--load-credential=db:/srv/functional/secrets/db")...)
		p.WaitFor(t, limit, p.cmd()+" logs "+uuid+" web | grep -q newer")
		r = p.raket(t, "app", "add", "--quiet", uuid, busybox, "--name=x", "--set-credential=a:b", "--property=PrivateTmp=yes")
		if r.Code != 254 || !strings.Contains(r.Stderr, "cannot have both") {
			t.Errorf("with a root of systemd's: %+v", r)
		}
		p.must(t, "app", "rm", uuid, "web")
	})
}

// A pod is changed by the stage1 that it was started with, whatever raket is installed since.
func TestAPodIsChangedByItsOwnStage1(t *testing.T) {
	p := newPods(t)
	uuid, _ := p.sandbox(t, "--net=none", "--log=file")
	dir := fmt.Sprintf(`sed -n 's/.*"dir": *"\([^"]*\)".*/\1/p' %s/pods/run/%s/sandbox.json | head -n 1`, p.dir, uuid)
	own := p.MustRun(t, dir)
	newer := "/srv/functional/newer"
	// A newer one cannot change the apps of pods at all, so that it shows who does.
	p.MustRun(t, fmt.Sprintf("rm -rf %[1]s; cp -a %[2]s %[1]s; cd %[1]s/stage1/nspawn/rootfs; for e in app-*; do rm $e; printf '#!/bin/sh\necho the newer one >&2; exit 1\n' >$e; chmod +x $e; done", newer, testhost.BinDir))
	raket := newer + "/raket --dir=" + p.dir
	for _, line := range []string{
		"app add --quiet " + uuid + " " + quote(app{name: "a", script: "exec sleep 5401"}.line()...), "app start " + uuid + " a",
		quote(update(uuid, "a", "exec sleep 5402")...), "app stop " + uuid + " a", "app start " + uuid + " a", "exec --app=a " + uuid + " true",
		"gc --grace-period=0s", "app rm " + uuid + " a",
	} {
		p.MustRun(t, raket+" "+line)
	}
	if now := p.MustRun(t, dir); now != own || strings.HasPrefix(own, newer) {
		t.Errorf("the pod's stage1 was %s and is %s", own, now)
	}
	p.MustRun(t, fmt.Sprintf(`systemd-run -q --unit=f-newer -p Type=notify -p NotifyAccess=main -p Delegate=yes -p KillMode=mixed %s app sandbox --quiet --net=none --uuid-file-save=/run/f-newer`, raket))
	t.Cleanup(func() { p.Run(t, "systemctl stop f-newer; rm -rf /run/f-newer "+newer) })
	if r := p.raket(t, "app", "add", "--quiet", strings.TrimSpace(p.ReadFile(t, "/run/f-newer")), busybox, "--name=a"); r.Code != 254 || !strings.Contains(r.Stderr, "the newer one") {
		t.Errorf("a pod of the newer one: %+v", r)
	}
}

// mutableOnUnified has apps come and go where systemd has one hierarchy of control groups.
func (p *pods) mutableOnUnified(t *testing.T) {
	uuid, _ := p.sandbox(t, "--net=none", "--log=file")
	p.add(t, uuid, app{name: "a", script: "cat /proc/self/cgroup | grep ^0:; exec sleep 5501", flags: []string{"--health-cmd=true", "--health-interval=200ms"}})
	p.must(t, "app", "start", uuid, "a")
	p.add(t, uuid, app{name: "keep", script: "ls -l /dev/sub; exec sleep 5504", flags: []string{"--after=a", "--device=/dev/null:/dev/sub/n:rw"}})
	p.must(t, "app", "start", uuid, "keep")
	keep := p.onlyPID(t, "sleep 5504")
	p.onlyPID(t, "sleep 5501")
	if got := p.must(t, "logs", uuid, "a"); got != "0::/system.slice/a.service" {
		t.Errorf("its control group is %q", got)
	}
	p.WaitFor(t, limit, p.cmd()+" logs "+uuid+" keep | grep -q '1, *3 .* n'")
	// Mounts alone keep an app to its devices here, so what they could not is refused.
	for flags, want := range map[string]string{
		"--device=/dev/null:/dev/n:r":                           `nobody would keep the app to "r" of it on the unified control group hierarchy`,
		"--device=/dev/null:/dev/n --caps-retain=CAP_SYS_ADMIN": "nobody would keep an app with CAP_SYS_ADMIN from other devices",
	} {
		if r := p.raket(t, append([]string{"app", "add", "--quiet", uuid, busybox, "--name=x"}, strings.Fields(flags)...)...); r.Code != 254 || !strings.Contains(r.Stderr, want) {
			t.Errorf("%s: %+v", flags, r)
		}
	}
	p.must(t, update(uuid, "a", "exec sleep 5502")...)
	p.onlyPID(t, "sleep 5502")
	if r := p.raket(t, update(uuid, "a", "exit 9")...); r.Code != 254 || !strings.Contains(r.Stderr, "the one before it is back") {
		t.Errorf("an update that fails: %+v", r)
	}
	p.onlyPID(t, "sleep 5502")
	// Nobody delegates controllers here, so a limit is refused before anything is made.
	if r := p.raket(t, "app", "add", "--quiet", uuid, busybox, "--name=x", "--memory=50M"); r.Code != 254 || !strings.Contains(r.Stderr, "no controller memory") {
		t.Errorf("a limit that nobody keeps: %+v", r)
	}
	p.must(t, "app", "rm", uuid, "a")
	if p.onlyPID(t, "sleep 5504") != keep || p.must(t, "app", "list", "--no-legend", uuid) != "keep\trunning" {
		t.Error("the other app did not run on")
	}
	if got := p.MustRun(t, "find /sys/fs/cgroup -path '*rkt-"+uuid+"*' -name a.service -type d"); got != "" {
		t.Errorf("control groups: %s", got)
	}
}
