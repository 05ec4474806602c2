package functional

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// secret is what must be found where it belongs, and nowhere else.
const secret = "hunter2-correct-horse"

// showCredentials lists an app's credentials: owner, mode, name, content.
const showCredentials = `cd $CREDENTIALS_DIRECTORY && stat -c '%u:%g %a .' . && for f in *; do [ -e "$f" ] && echo "$(stat -c '%u:%g %a' "$f") $f $(cat "$f")"; done; true`

func TestCredentials(t *testing.T) {
	for flavour, podFlags := range flavours() {
		t.Run(flavour, func(t *testing.T) {
			p := newPods(t)
			p.MustRun(t, `d=/run/secrets; rm -rf $d; mkdir -p $d/many /etc/credstore; umask 077
printf file >$d/file; printf one >$d/many/one; printf two >$d/many/two; printf store >/etc/credstore/of-store; printf late >/etc/credstore/web.key`)
			t.Cleanup(func() { p.Run(t, "rm -rf /run/secrets /etc/credstore") })
			for name, tt := range map[string]struct {
				flags       []string
				want, stdin string
			}{
				"a file":                          {[]string{"--load-credential=x:/run/secrets/file"}, "0:0 500 .\n0:0 400 x file\n", ""},
				"of another user":                 {[]string{"--load-credential=x:/run/secrets/file", "--user=app"}, "1000:1000 500 .\n1000:1000 400 x file\n", ""},
				"a directory":                     {[]string{"--load-credential=x:/run/secrets/many"}, "0:0 500 .\n0:0 400 x_one one\n0:0 400 x_two two\n", ""},
				"a value":                         {[]string{"--set-credential=x:a:b"}, "0:0 500 .\n0:0 400 x a:b\n", ""},
				"a value in place of what is not": {[]string{"--set-credential=x:fallback", "--load-credential=x:none"}, "0:0 500 .\n0:0 400 x fallback\n", ""},
				"standard input":                  {[]string{"--load-credential=x:-"}, "0:0 500 .\n0:0 400 x input\n", "input"},
				"the host's store":                {[]string{"--load-credential=of-store"}, "0:0 500 .\n0:0 400 of-store store\n", ""},
				"the host's unit's":               {[]string{"--load-credential=x:from-host"}, "0:0 500 .\n0:0 400 x unit\n", ""},
				"those that fit a pattern":        {[]string{"--import-credential=web.*"}, "0:0 500 .\n0:0 400 web.crt crt\n0:0 400 web.key key\n", ""},
				"a pattern that nothing fits":     {[]string{"--import-credential=none.*"}, "0:0 500 .\n", ""},
				"a root that cannot be written":   {[]string{"--load-credential=x:/run/secrets/file", "--readonly-rootfs"}, "0:0 500 .\n0:0 400 x file\n", ""},
			} {
				t.Run(name, func(t *testing.T) {
					line := p.cmd() + " " + quote(runLine(podFlags, app{script: showCredentials, flags: tt.flags})...)
					r := p.Run(t, "systemd-run --quiet --wait --pipe --collect -p SetCredential=from-host:unit -p SetCredential=web.key:key -p SetCredential=web.crt:crt /bin/sh -c "+
						quote("printf %s "+quote(tt.stdin)+" | "+line))
					if diff := cmp.Diff(tt.want, r.Stdout); diff != "" || r.Code != 0 {
						t.Errorf("in the app (-want +got):\n%s%+v", diff, r)
					}
				})
			}
			t.Run("the app cannot change them", func(t *testing.T) {
				r := p.run(t, podFlags, app{
					script: "exec 2>/dev/null; cd $CREDENTIALS_DIRECTORY; echo x >x; rm -f x; touch y; chmod 666 x; mount -o remount,rw . ; cat x; ls",
					flags:  []string{"--load-credential=x:/run/secrets/file"}})
				if r.Stdout != "filex\n" {
					t.Errorf("got %+v", r)
				}
			})
			t.Run("a command in the app sees the same", func(t *testing.T) {
				uuid := p.background(t, podFlags, app{script: "exec sleep 100000", flags: []string{"--user=app", "--load-credential=x:/run/secrets/file"}})
				for flags, want := range map[string]string{
					"": "1000:1000 500 .\n1000:1000 400 x file\n", "--user=www-data": "", "--privileged": "1000:1000 500 .\n1000:1000 400 x file\n",
				} {
					if r := p.Run(t, p.cmd()+" exec "+flags+" "+uuid+" /bin/sh -c "+quote(showCredentials)); r.Stdout != want {
						t.Errorf("with %q: %+v", flags, r)
					}
				}
				p.must(t, "stop", "--force", uuid)
			})
			t.Run("a pod that was prepared reads them at its start", func(t *testing.T) {
				line := append([]string{"prepare", "--quiet"}, podLine(flavourOnly(podFlags), app{script: showCredentials, flags: []string{"--load-credential=x:/run/secrets/late"}})...)
				uuid := p.must(t, line...)
				if r := p.raket(t, "run-prepared", uuid); r.Code != 254 || r.Stderr != "raket: run pod "+uuid+": app app: credential x: stat /run/secrets/late: no such file or directory\n" {
					t.Errorf("without it: %+v", r)
				}
				p.MustRun(t, "printf late >/run/secrets/late")
				if got := p.must(t, "run-prepared", uuid); got != "0:0 500 .\n0:0 400 x late" {
					t.Errorf("the app says %q", got)
				}
				for _, flag := range []string{"--set-credential=x:" + secret, "--load-credential=x:-"} {
					r := p.raket(t, append([]string{"prepare"}, podLine(flavourOnly(podFlags), app{script: "true", flags: []string{flag}})...)...)
					if r.Code != 254 || strings.Contains(r.Stderr, secret) || !strings.Contains(r.Stderr, "credential x of") {
						t.Errorf("prepare with %s: %+v", flag, r)
					}
				}
			})
		})
	}
}

func flavourOnly(flags []string) []string {
	var kept []string
	for _, f := range flags {
		if strings.HasPrefix(f, "--stage1") {
			kept = append(kept, f)
		}
	}
	return kept
}

func TestOneAppsCredentialsAreNoOthers(t *testing.T) {
	p := newPods(t)
	// Root without capabilities of an app, and another user; both look everywhere.
	look := "find / -name mine 2>/dev/null | grep -v ^/proc/; cat /proc/[0-9]*/root/run/raket/credentials/mine /proc/1/root/raket/apps/*/rootfs/run/raket/credentials/* /run/raket/credentials/* 2>/dev/null; echo ${CREDENTIALS_DIRECTORY-none}; echo looked >/v/looked"
	for _, flags := range [][]string{{"--user=www-data"}, {"--user=www-data", "--caps-retain=CAP_CHOWN"}, {"--property=PrivateTmp=yes", "--user=www-data"}} {
		_, pod := p.meeting(t, "up", "looked")
		r := p.run(t, pod,
			app{name: "owner", script: "cat /run/raket/credentials/mine; echo; echo >/v/up; read _ </v/looked", flags: []string{"--user=app", "--set-credential=mine:" + secret}},
			app{name: "nosy", script: "read _ </v/up; " + look, flags: flags})
		if r.Stdout != secret+"\nnone\n" || r.Code != 0 {
			t.Errorf("%q: %+v", flags, r)
		}
	}
}

// What is secret is in the app and in no file, command line or line of a log beside.
func TestSecretsStayWhereTheyBelong(t *testing.T) {
	p := newPods(t)
	p.MustRun(t, "umask 077; mkdir -p /run/secrets; printf %s "+secret+"-file >/run/secrets/file; printf 'PASSWORD=%s-env\nodd.name=%s-odd\n' "+secret+" "+secret+" >/run/secrets/env")
	t.Cleanup(func() { p.Run(t, "rm -rf /run/secrets") })
	uuid, unit := p.start(t, nil,
		app{name: "one", script: "trap 'exit 0' TERM; sleep 100000 & wait", flags: []string{
			"--user=app", "--load-credential=x:/run/secrets/file", "--set-credential=y:" + secret + "-set", "--environment-file=/run/secrets/env",
		}},
		app{name: "two", script: "trap 'exit 0' TERM; sleep 100000 & wait", flags: []string{"--property=PrivateTmp=yes", "--environment-file=/run/secrets/env", "--load-credential=x:/run/secrets/file"}})
	check := func(when string, processes bool) {
		t.Helper()
		// Any file of the pod that has the secret is root's alone, and so is all of its directory.
		got := p.Run(t, fmt.Sprintf("cd %s/pods/*/%s && grep -rl %s . | while read f; do stat -c '%%U %%a %%n' $f; done | sort", p.dir, uuid, secret)).Stdout
		want := "root 600 ./apps/one/config.json\nroot 600 ./apps/one/said.json\nroot 600 ./apps/two/config.json\nroot 600 ./apps/two/said.json\n"
		if got != want {
			t.Errorf("%s: in the pod's directory: %q, want %q", when, got, want)
		}
		for what, line := range map[string]string{
			"credentials in the pod's directory": fmt.Sprintf("cd %s/pods/*/%s && grep -rlE -- '%s-(file|set)' .", p.dir, uuid, secret),
			"what others can read of it":         fmt.Sprintf("setpriv --reuid=65534 --regid=65534 --clear-groups grep -rl %s %s", secret, p.dir),
			"command lines":                      fmt.Sprintf("grep -al -- %s /proc/[0-9]*/cmdline | grep -v /self/ | while read f; do d=${f%%/cmdline}; grep -qa raket-test-shell $f || case $(readlink $d/exe) in */grep|*/bash|*/dash) ;; *) tr '\\0' ' ' <$f; echo;; esac; done", secret),
			"the journal":                        fmt.Sprintf("journalctl --no-pager -o export -u %s | grep -a %s", unit, secret),
			"what raket prints":                  fmt.Sprintf("{ %[1]s cat-manifest %[2]s; %[1]s status %[2]s; %[1]s list --format=json; } | grep %[3]s", p.cmd(), uuid, secret),
			"mounts of the host":                 "grep -E 'ramfs|credentials' /proc/self/mountinfo | grep -v systemd",
		} {
			if r := p.Run(t, line); strings.TrimSpace(r.Stdout) != "" {
				t.Errorf("%s: %s: %q", when, what, r.Stdout)
			}
		}
		if !processes {
			return
		}
		for app, want := range map[string]string{
			"one": secret + "-file " + secret + "-set " + secret + "-env " + secret + "-odd\n",
			"two": secret + "-file  " + secret + "-env " + secret + "-odd\n",
		} {
			script := `cd $CREDENTIALS_DIRECTORY; echo "$(cat x) $(cat y 2>/dev/null) $PASSWORD $(tr '\0' '\n' </proc/$$/environ | sed -n s/^odd.name=//p)"`
			if got := p.must(t, "exec", "--app="+app, uuid, "/bin/sh", "-c", script) + "\n"; got != want {
				t.Errorf("a command in %s has %q, want %q", app, got, want)
			}
		}
	}
	check("while it runs", true)
	p.MustRun(t, "systemctl stop "+unit)
	check("after its end", false)
}

func TestMissingCredentialsAreToldBeforeAnythingStarts(t *testing.T) {
	p := newPods(t)
	for name, tt := range map[string]struct{ flags, want string }{
		"a file that is not there":            {"--load-credential=x:/no/such", "image %q: credential x: stat /no/such: no such file or directory"},
		"a credential that nobody has":        {"--load-credential=x", "image %q: credential x: no credential \"x\" in /etc/credstore, /run/credstore, /usr/lib/credstore (LoadCredential= in the host's unit hands one to raket)"},
		"a path that is relative":             {"--load-credential=x:etc/x", "bad value \"x:etc/x\" for --load-credential: \"etc/x\" is neither an absolute path nor the name of a credential"},
		"a name that is a path":               {"--load-credential=../x:/etc/passwd", "bad value \"../x:/etc/passwd\" for --load-credential: a credential's name is that of a file: at most 255 bytes, without \"/\", \":\" and control characters"},
		"a value without a name":              {"--set-credential=" + secret, "bad value for --set-credential: want ID:VALUE"},
		"standard input for two":              {"--load-credential=x:- --load-credential=y:-", "2 credentials are to be read from standard input, which has one"},
		"a file of variables that is not one": {"--environment-file=/etc/passwd", "read environment: /etc/passwd: line 1: want NAME=value"},
		"a file of variables that is missing": {"--environment-file=/no/such", "read environment: open /no/such: no such file or directory"},
	} {
		t.Run(name, func(t *testing.T) {
			// The image is not there either: credentials come first.
			r := p.raket(t, append([]string{"run", "oci:/no/such:image"}, strings.Fields(tt.flags)...)...)
			want := strings.ReplaceAll(tt.want, "%q", `"oci:/no/such:image"`)
			first, _, _ := strings.Cut(r.Stderr, "\n")
			if r.Code != 254 || first != "raket: "+want || r.Stdout != "" {
				t.Errorf("got %+v, want %q", r, want)
			}
		})
	}
	if p.exists(t, p.dir+"/pods/prepared") && p.Run(t, "ls "+p.dir+"/pods/*/").Code == 0 {
		if left := p.leftovers(t); left != "" {
			t.Errorf("left behind: %s", left)
		}
	}
}
