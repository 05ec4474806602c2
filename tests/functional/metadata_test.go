package functional

import (
	"fmt"
	"strings"
	"testing"

	"github.com/raket/raket/tests/testhost"
)

// ask is a shell function of apps: "ask PATH [FORM]" prints the status line and the body of an
// answer of the metadata service.
const ask = `ask() {
	url=${URL:-$AC_METADATA_URL}; rest=${url#http://}; at=${rest%%/*}; path=/${rest#*/}/acMetadata/v1/$1
	if [ $# -gt 1 ]; then
		printf 'POST %s HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %s\r\n\r\n%s' "$path" ${#2} "$2"
	else
		printf 'GET %s HTTP/1.1\r\n\r\n' "$path"
	fi | nc -w 20 ${at%:*} ${at#*:} | tr -d '\r' | sed -n '1p; /^$/,$ { /^$/d; p }'
}
`

// Apps of OCI images have the service where it is asked for, on any network, as any user; and
// pods that do not ask have nothing of it.
func TestMetadataService(t *testing.T) {
	p := newPods(t)
	got := p.output(t, `env | grep -c AC_METADATA_URL; echo $AC_APP_NAME $container; ls /proc/[0-9]*/exe | wc -l`, "--name=one")
	if !strings.HasPrefix(got, "0\none raket") {
		t.Errorf("a pod that did not ask has %q", got)
	}
	for _, network := range []string{"none", "host"} {
		t.Run(network, func(t *testing.T) {
			r := p.run(t, []string{"--mds-register", "--net=" + network, "--annotation=color=red"},
				app{name: "a", flags: []string{"--set-env=AC_METADATA_URL=http://evil.example", "--set-env=AC_APP_NAME=b", "--annotation=note=1", "--annotation=io.X=1"}, script: ask + `
echo $AC_APP_NAME
for q in pod/uuid pod/annotations apps/a/annotations apps/b/image/id apps/c/image/id pod/../key; do ask $q; done
URL=${AC_METADATA_URL%???}fff ask pod/uuid
sig=$(ask pod/hmac/sign content=x | tail -n1); form=$(echo "$sig" | sed 's/+/%2B/g; s/=/%3D/g')
uuid=$(ask pod/uuid | tail -n1)
ask pod/hmac/verify "content=x&uuid=$uuid&signature=$form"
ask pod/hmac/verify "content=y&uuid=$uuid&signature=$form"`},
				app{name: "b", flags: []string{"--user=1000", "--group=1000"}, script: ask + `ask pod/uuid >/dev/null`})
			uuid := p.list(t)[len(p.list(t))-1].UUID
			image := ""
			for _, line := range strings.Split(r.Stdout, "\n") {
				if strings.HasPrefix(line, "sha512-") {
					image = line
				}
			}
			want := fmt.Sprintf(`a
HTTP/1.1 200 OK
%s
HTTP/1.1 200 OK
[{"name":"color","value":"red"}]
HTTP/1.1 200 OK
`, uuid)
			if r.Code != 0 || !strings.HasPrefix(r.Stdout, want) {
				t.Fatalf("%d, want\n%s\ngot\n%s%s", r.Code, want, r.Stdout, r.Stderr)
			}
			rest := r.Stdout[strings.Index(r.Stdout, "HTTP/1.1 200 OK\nsha512-"):]
			want = fmt.Sprintf("HTTP/1.1 200 OK\n%s\nHTTP/1.1 404 Not Found\nnot found\nHTTP/1.1 404 Not Found\nnot found\nHTTP/1.1 403 Forbidden\nthe token in the URL is not this pod's\n"+
				"HTTP/1.1 200 OK\nOK\nHTTP/1.1 403 Forbidden\nthe signature is not that pod's\n", image)
			if rest != want || !strings.Contains(r.Stdout, `{"name":"note","value":"1"}`) {
				t.Errorf("want\n%s\ngot\n%s", want, r.Stdout)
			}
		})
	}
}

// What one pod has signed another verifies, also when the first has ended. No app gets at what
// the service knows; and a pod with an app that might does not know the host's key.
func TestMetadataIsTheirsAlone(t *testing.T) {
	p := newPods(t)
	lines := strings.Split(p.output(t, ask+`ask pod/uuid | tail -n1; ask pod/hmac/sign content=hello | tail -n1`, "--name=signer", "--mds-register"), "\n")
	if len(lines) != 2 || len(lines[1]) != 88 {
		t.Fatalf("the signer said %q", lines)
	}
	form := fmt.Sprintf("content=hello&uuid=%s&signature=%s", lines[0], strings.NewReplacer("+", "%2B", "=", "%3D").Replace(lines[1]))
	look := ask + `ask pod/hmac/verify "$FORM"; ask pod/uuid >/dev/null
for d in /proc/[0-9]*; do
	if tr '\0' ' ' <$d/cmdline | grep -q ^/raket/bin/metadata; then
		cat $d/environ $d/mem $d/root/raket/metadata/key $d/root/raket/hostkey $d/fd/3 >/dev/null 2>&1 && echo read
		ls $d/root/ >/dev/null 2>&1 && echo entered
		echo seen
	fi
done; ls /raket /metadata 2>/dev/null; ls /proc/1/root/raket 2>/dev/null; echo end`
	for _, tc := range []struct {
		name, want string
		flags      []string
	}{
		{"root", "HTTP/1.1 200 OK\nOK\nseen\nend", nil},
		{"root of a user namespace", "HTTP/1.1 200 OK\nOK\nseen\nend", nil},
		{"not root", "HTTP/1.1 200 OK\nOK\nseen\nend", []string{"--user=1000", "--group=1000"}},
		{"no capabilities", "HTTP/1.1 200 OK\nOK\nseen\nend", []string{"--caps-retain="}},
		{"a debugger", "HTTP/1.1 501 Not Implemented\nthis pod can verify its own signatures only\n", []string{"--caps-retain=CAP_SYS_PTRACE"}},
		{"a debugger by property", "HTTP/1.1 501 Not Implemented\nthis pod can verify its own signatures only\n", []string{"--property=AmbientCapabilities=CAP_SYS_PTRACE"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			pod := []string{"--mds-register", "--set-env=FORM=" + form}
			if tc.name == "root of a user namespace" {
				pod = append(pod, "--private-users")
			}
			r := p.run(t, pod, app{script: look, flags: tc.flags})
			got := strings.TrimSuffix(r.Stdout, "\n")
			if tc.want[len(tc.want)-1] == '\n' {
				got = got[:min(len(got), len(tc.want))]
			}
			if got != tc.want {
				t.Errorf("got %q, want %q; %d, %s", got, tc.want, r.Code, r.Stderr)
			}
		})
	}
	if mode := p.MustRun(t, "stat -c %a:%u "+p.dir+"/metadata.key"); mode != "600:0" {
		t.Errorf("the host's key has mode and owner %s", mode)
	}
}

// The service runs while it is asked, and at no other time; when it is killed the next request
// finds it again.
func TestTheMetadataServiceEndsWhenIdle(t *testing.T) {
	p := newPods(t)
	got := p.output(t, ask+`
running() { for d in /proc/[0-9]*; do tr '\0' ' ' <$d/cmdline 2>/dev/null | grep ^/raket/bin/metadata >/dev/null && echo ${d#/proc/}; done; }
echo before: $(running)
ask pod/uuid >/dev/null
for i in 1 2 3 4 5 6 7 8; do kill $(running); while [ "$(running)" ]; do :; done; ask pod/uuid | head -n1; done | sort | uniq -c | tr -s ' '
[ "$(running)" ] && echo it runs
while [ "$(running)" ]; do sleep 0.2; done
ask pod/uuid | head -n1`, "--mds-register")
	if want := "before:\n 8 HTTP/1.1 200 OK\nit runs\nHTTP/1.1 200 OK"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestFlavoursWithoutAMetadataService(t *testing.T) {
	p := newPods(t)
	r := p.raket(t, "run", "--quiet", "--stage1-name=fly", "--mds-register", busybox, "--exec=/bin/true")
	if want := "raket: prepare pod: the flavour fly has no metadata service, which --mds-register asks for\n"; r.Code != 254 || r.Stderr != want {
		t.Errorf("%d, %q, want %q", r.Code, r.Stderr, want)
	}
	if left := p.list(t); len(left) > 0 {
		t.Errorf("a pod is left: %v", left)
	}
	p.validator(t)
	out := p.Run(t, fmt.Sprintf("%s/raket --dir=%s --insecure-options=image run --quiet --stage1-name=fly %s --exec=/ace-validator -- sidekick", testhost.BinDir, p.dir, aceSidekick))
	if !strings.Contains(out.Stdout, "sidekick FAIL") { // nobody makes the other's file
		t.Errorf("an ACI does not start: %+v", out)
	}
}
