package functional

import (
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/appc/spec/schema/types"

	"github.com/raket/raket/tests/images"
	"github.com/raket/raket/tests/testhost"
)

// callerPath is the program sockets on the host, and socketsImage the image with it.
const callerPath = "/srv/functional/sockets"

var socketsOnce sync.Once

// socketsImage puts the program sockets on the host, and into an image.
func (p *pods) socketsImage(t *testing.T) string {
	t.Helper()
	socketsOnce.Do(func() {
		program, err := images.Program(t.Context(), "sockets")
		if err != nil {
			t.Fatal(err)
		}
		name := putImage(t, p.Host, "sockets-image", images.Busybox().Layer(program))
		p.must(t, "fetch", "--quiet", name)
		p.MustRun(t, fmt.Sprintf("%s image extract --rootfs-only %s /srv/functional/x && cp /srv/functional/x/usr/bin/sockets %s && rm -rf /srv/functional/x", p.cmd(), quote(name), callerPath))
	})
	return "oci:/srv/functional/sockets-image:" + images.Tag
}

// socket writes a .socket unit of the host for a unit, and starts it.
func (p *pods) socket(t *testing.T, name, service string, lines ...string) {
	t.Helper()
	file := "/run/systemd/system/" + name
	p.WriteFile(t, file, "[Socket]\nService="+service+"\nRemoveOnStop=yes\n"+strings.Join(lines, "\n")+"\n", 0o644)
	p.MustRun(t, "systemctl daemon-reload && systemctl start "+name)
	t.Cleanup(func() {
		p.Run(t, fmt.Sprintf("systemctl stop %[1]s; rm -f %[2]s; systemctl daemon-reload; systemctl reset-failed %[1]s", name, file))
	})
}

// call makes one call and returns the name of the socket that answered.
func (p *pods) call(t *testing.T, to string) string {
	t.Helper()
	out := p.MustRun(t, callerPath+" -count=1 -call="+quote(to))
	reply, summary, _ := strings.Cut(out, "\n")
	if summary != "answered=1 failed=0" {
		t.Fatalf("call %s: %q", to, out)
	}
	name, _, _ := strings.Cut(reply, " ")
	return name
}

func TestSocketsOfTheHostReachTheirApps(t *testing.T) {
	for _, tc := range []struct {
		name    string
		flags   []string
		oneApp  bool
		ownUser bool
	}{
		{name: "a network of its own", flags: []string{"--net=none"}},
		{name: "the host's network", flags: []string{"--net=host"}},
		{name: "fly", flags: []string{"--stage1-name=fly", "--net=host"}, oneApp: true},
		{name: "one app takes all", flags: []string{"--net=none"}, oneApp: true},
		{name: "apps that are not root", flags: []string{"--net=none"}, ownUser: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := newPods(t)
			image := p.socketsImage(t)
			server := app{image: image, args: []string{"/usr/bin/sockets"}}
			apps := []app{server}
			if !tc.oneApp {
				web, names := server, server
				web.name, web.flags = "front", []string{"--socket=web", "--socket=/run/f-seq"}
				names.name, names.flags = "names", []string{"--socket=5353/udp", "--socket=@f-abstract", "--socket=/run/f-gram"}
				if tc.ownUser {
					web.flags = append(web.flags, "--user=1000", "--group=1000")
					names.flags = append(names.flags, "--user=1000", "--group=1000")
				}
				apps = []app{web, names}
			}
			sockets := []string{"f-web.socket", "f-gram.socket", "f-seq.socket", "f-names.socket"}
			lines := []string{"Sockets=" + strings.Join(sockets, " ")}
			if tc.name == "fly" {
				lines = append(lines, "Type=exec") // the app is the main process, and knows no NOTIFY_SOCKET
			}
			unit := p.unitOf(t, testhost.BinDir+"/raket", lines, tc.flags, apps...)
			p.socket(t, sockets[0], unit, "ListenStream=127.0.0.1:8081", "ListenStream=[::1]:8082", "ListenStream=8083", "ListenStream=/run/f web", "ListenStream=/run/f%%%%d", "FileDescriptorName=web")
			p.socket(t, sockets[1], unit, "ListenDatagram=/run/f-gram")
			p.socket(t, sockets[2], unit, "ListenSequentialPacket=/run/f-seq", "FileDescriptorName=packets 100%")
			p.socket(t, sockets[3], unit, "ListenDatagram=127.0.0.1:5353", "ListenStream=@f-abstract", "FileDescriptorName=names")
			if got := p.show(t, unit, "ActiveState"); got != "inactive" {
				t.Fatalf("the unit is %s before anybody calls", got)
			}
			for _, c := range []struct{ to, want string }{
				{"unixpacket:/run/f-seq", "packets"}, {"tcp:127.0.0.1:8081", "web"}, {"tcp:[::1]:8082", "web"}, {"tcp:127.0.0.1:8083", "web"},
				{"tcp:[::1]:8083", "web"}, {"udp:127.0.0.1:5353", "names"}, {"unix:/run/f web", "web"}, {"unix:/run/f%%d", "web"},
				{"unix:@f-abstract", "names"}, {"unixgram:/run/f-gram", "sent"},
			} {
				if got := p.call(t, c.to); got != c.want {
					t.Errorf("%s was answered by the socket %q, want %q", c.to, got, c.want)
				}
			}
			p.WaitFor(t, limit, "journalctl --sync; journalctl -o cat -u "+unit+" | grep -qx 'got f-gram.socket'")
			p.awaitUnit(t, unit, "ActiveState", "active")
		})
	}
}

// A kernel whose vsock leads to itself lets the host call; in any the app has the socket.
func TestAVsockSocketReachesItsApp(t *testing.T) {
	p := newPods(t)
	unit := p.unitOf(t, testhost.BinDir+"/raket", []string{"Sockets=f-vsock.socket"}, []string{"--net=none"}, app{image: p.socketsImage(t), args: []string{"/usr/bin/sockets"}})
	p.socket(t, "f-vsock.socket", unit, "ListenStream=vsock::8084", "FileDescriptorName=guest")
	if p.exists(t, "/sys/module/vsock_loopback") {
		if got := p.call(t, "vsock:8084"); got != "guest" {
			t.Errorf("it was answered by the socket %q", got)
		}
	} else {
		t.Log("this kernel has no vsock that leads to itself: not called")
		p.MustRun(t, "systemctl start "+unit)
	}
	p.WaitFor(t, limit, "journalctl --sync; journalctl -o cat -u "+unit+" | grep -qx 'guest stream vsock:8084'")
}

// Callers find the app whatever is restarted: what waits at a socket is answered by whoever
// comes next.
func TestRestartsLoseNoConnection(t *testing.T) {
	for _, network := range []string{"none", "host"} {
		t.Run(network, func(t *testing.T) {
			p := newPods(t)
			server := app{image: p.socketsImage(t), args: []string{"/usr/bin/sockets"}, flags: []string{"--restart=always", "--property=StartLimitIntervalSec=0", "--property=RestartSec=10ms"}}
			unit := p.unitOf(t, testhost.BinDir+"/raket", []string{"Sockets=f-load.socket"}, []string{"--net=" + network}, server)
			p.socket(t, "f-load.socket", unit, "ListenStream=127.0.0.1:8081", "ListenStream=/run/f-load")
			calls := map[string]string{"tcp": "tcp:127.0.0.1:8081", "unix": "unix:/run/f-load"}
			for name, to := range calls {
				load := "f-callerPath-" + name
				p.MustRun(t, fmt.Sprintf("systemd-run -q --unit=%s -p StandardOutput=file:/run/%[1]s %s -workers=4 -call=%s", load, callerPath, to))
				t.Cleanup(func() { p.Run(t, "systemctl stop "+load+"; rm -f /run/"+load) })
			}
			p.WaitFor(t, limit, "systemctl is-active "+unit)
			pid := p.pidOf(t, unit, "app")
			for range 5 {
				// Between the look and the kill it may have been started anew.
				p.MustRun(t, fmt.Sprintf("kill %[1]s || ! test -e /proc/%[1]s", pid))
				pid = p.newPID(t, unit, "app", pid)
			}
			uuid := p.uuid(t, unit)
			for range 2 {
				p.must(t, "app", "update", "--quiet", "--settle=50ms", uuid, "app", p.socketsImage(t))
			}
			if r := p.raket(t, "app", "update", "--quiet", uuid, "app", p.socketsImage(t), "--exec=/bin/false", "--restart=no", "--property=StartLimitIntervalSec=1h"); r.Code != 254 || !strings.Contains(r.Stderr, "the one before it is back") {
				t.Errorf("an update that fails: %+v", r)
			}
			for range 3 {
				p.MustRun(t, "systemctl restart "+unit)
			}
			p.MustRun(t, "systemctl stop "+unit)
			p.WaitFor(t, limit, "systemctl is-active "+unit) // somebody called
			for name := range calls {
				p.MustRun(t, "systemctl stop f-callerPath-"+name)
				out := p.ReadFile(t, "/run/f-callerPath-"+name)
				m := regexp.MustCompile(`answered=(\d+) failed=(\d+)`).FindStringSubmatch(out)
				if m == nil || m[1] == "0" || m[2] != "0" {
					t.Errorf("%s: %s\n%s", name, out, p.Run(t, "journalctl -o cat -u f-callerPath-"+name).Stdout)
				}
				t.Logf("%s: %s", name, out)
			}
		})
	}
}

func TestSocketsThatDoNotFitAreRefused(t *testing.T) {
	for _, tc := range []struct {
		name   string
		apps   [][]string // flags of each
		socket []string
		want   string
	}{
		{"no socket at all", [][]string{{"--socket=web"}}, nil,
			`app a0: the host gave no socket "web": it gave none`},
		{"another socket", [][]string{{"--socket=web"}}, []string{"ListenStream=127.0.0.1:8081"},
			`app a0: the host gave no socket "web": it gave "f-odd.socket" (stream 127.0.0.1:8081)`},
		{"a socket that nobody asks for", [][]string{{}, {}}, []string{"ListenStream=127.0.0.1:8081"},
			`no app takes the socket "f-odd.socket" (stream 127.0.0.1:8081), which the host gave`},
		{"a socket that two ask for", [][]string{{"--socket=8081"}, {"--socket=f-odd.socket"}}, []string{"ListenStream=127.0.0.1:8081"},
			`apps a0 and a1 both ask for the host's socket "f-odd.socket" (stream 127.0.0.1:8081)`},
		{"a pipe", [][]string{{}}, []string{"ListenFIFO=/run/f-pipe"},
			`descriptor 3 ("f-odd.socket"), which the host gave: it is no socket: a pod takes sockets alone`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := newPods(t)
			image := p.socketsImage(t)
			var apps []app
			for i, flags := range tc.apps {
				apps = append(apps, app{name: fmt.Sprint("a", i), image: image, args: []string{"/usr/bin/sockets"}, flags: flags})
			}
			unit := p.unitOf(t, testhost.BinDir+"/raket", nil, nil, apps...)
			if tc.socket != nil {
				p.socket(t, "f-odd.socket", unit, tc.socket...)
			}
			if r := p.Run(t, "systemctl start "+unit); r.Code == 0 {
				t.Error("the unit has started")
			}
			// Not by its invocation: of a process that is gone, journald knows the unit alone.
			got := p.MustRun(t, "journalctl --sync; journalctl -o cat -t raket -u "+unit)
			if !strings.Contains(got+"\n", ": "+tc.want+"\n") {
				t.Errorf("raket said %q, want %q", got, tc.want)
			}
			if left := p.list(t); len(left) > 0 {
				t.Errorf("a pod is left: %v", left)
			}
		})
	}
}

func TestAppsStartWhenTheirOwnSocketIsCalled(t *testing.T) {
	p := newPods(t)
	image := p.socketsImage(t)
	_, unit := p.start(t, []string{"--net=host"}, app{
		image: image, args: []string{"/usr/bin/sockets", "-once"},
		flags: []string{"--socket=listen:tcp:127.0.0.1:8085,name=own", "--socket=listen:unix:@f-own"},
	})
	if got := p.MustRun(t, fmt.Sprintf(`%s; groups %s | grep -c /app.service/; exit 0`, groupsFunc, unit)); got != "0" {
		t.Errorf("the app runs before it is called: %s", got)
	}
	for _, c := range []struct{ to, want string }{{"tcp:127.0.0.1:8085", "own"}, {"unix:@f-own", "f-own"}, {"tcp:127.0.0.1:8085", "own"}} {
		if got := p.call(t, c.to); got != c.want {
			t.Errorf("%s was answered by the socket %q, want %q", c.to, got, c.want)
		}
	}
	if got := p.show(t, unit, "ActiveState"); got != "active" {
		t.Errorf("the unit is %s after the app has ended", got)
	}
}

// An app without a network and without a notion of descriptors is called from outside.
func TestAProxyCallsWhatKnowsNoDescriptors(t *testing.T) {
	p := newPods(t)
	unit := p.unitOf(t, testhost.BinDir+"/raket", []string{"Sockets=f-proxy.socket"}, []string{"--net=none"}, app{
		image: p.socketsImage(t), args: []string{"/usr/bin/sockets", "-listen=127.0.0.1:80"},
		flags: []string{"--socket=f-proxy.socket,proxy=127.0.0.1:80"},
	})
	p.socket(t, "f-proxy.socket", unit, "ListenStream=127.0.0.1:8086")
	for range 2 {
		if got := p.call(t, "tcp:127.0.0.1:8086"); got != "own" {
			t.Errorf("answered by the socket %q", got)
		}
	}
	p.WaitFor(t, limit, "systemctl is-active "+unit)
}

// A port that an image calls socketActivated is the host's socket if that gave one, and else one
// that the pod opens.
func TestPortsThatAnImageWantsOpened(t *testing.T) {
	for name, given := range map[string]bool{"by the host": true, "by the pod": false} {
		t.Run(name, func(t *testing.T) {
			p := newPods(t)
			program, err := images.Program(t.Context(), "sockets")
			if err != nil {
				t.Fatal(err)
			}
			p.socketsImage(t) // for the caller
			aci := images.ShellACI("example.com/activated", "1.0.0", "exec /usr/bin/sockets")
			aci.App.Ports = []types.Port{{Name: "http", Protocol: "tcp", Port: 8087, Count: 1, SocketActivated: true}, {Name: "other", Protocol: "tcp", Port: 8088, Count: 1}}
			aci.Files = append(aci.Files, program)
			file := t.TempDir() + "/activated.aci"
			if err := aci.Write(file); err != nil {
				t.Fatal(err)
			}
			p.Put(t, file, "/srv/functional/activated.aci")
			unit := p.unitOf(t, testhost.BinDir+"/raket", nil, []string{"--insecure-options=image", "--net=host"}, app{image: "/srv/functional/activated.aci", own: true})
			want := "http"
			if given {
				want = "given"
				p.socket(t, "f-activated.socket", unit, "ListenStream=127.0.0.1:8087", "FileDescriptorName=given")
			}
			p.MustRun(t, "systemctl start "+unit)
			if got := p.call(t, "tcp:127.0.0.1:8087"); got != want {
				t.Errorf("answered by the socket %q, want %q", got, want)
			}
		})
	}
}
