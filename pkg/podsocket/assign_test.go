package podsocket

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/raket/raket/pkg/stageabi"
)

func TestAssign(t *testing.T) {
	web := Descriptor{FD: 3, Name: "web", Kind: stageabi.SocketStream, Address: "[::]:80", Port: 80, Protocol: "tcp"}
	web2 := Descriptor{FD: 4, Name: "web", Kind: stageabi.SocketStream, Address: "/run/web"}
	dns := Descriptor{FD: 5, Name: "dns.socket", Kind: stageabi.SocketDatagram, Address: "127.0.0.1:53", Port: 53, Protocol: "udp"}
	given := func(d Descriptor, app string) stageabi.Socket {
		return stageabi.Socket{App: app, Name: d.Name, Kind: d.Kind, Address: d.Address, FD: d.FD}
	}
	for _, tc := range []struct {
		name  string
		a, b  []string // of the apps; b == nil: there is one app
		given []Descriptor
		want  []stageabi.Socket
		err   string
	}{
		{name: "nothing is given and nothing asked for"},
		{name: "the only app gets all", given: []Descriptor{web, web2, dns}, want: []stageabi.Socket{given(web, "a"), given(web2, "a"), given(dns, "a")}},
		{name: "by name", a: []string{"web"}, b: []string{"dns.socket"}, given: []Descriptor{web, web2, dns},
			want: []stageabi.Socket{given(web, "a"), given(web2, "a"), given(dns, "b")}},
		{name: "by port and by path", a: []string{"80", "53/udp"}, b: []string{"/run/web"}, given: []Descriptor{web, web2, dns},
			want: []stageabi.Socket{given(web, "a"), given(web2, "b"), given(dns, "a")}},
		{name: "a port of the other protocol", a: []string{"53/tcp"}, given: []Descriptor{dns}, err: `the host gave no socket "53/tcp": it gave "dns.socket" (datagram 127.0.0.1:53)`},
		{name: "nothing is given", a: []string{"web"}, err: "it gave none"},
		{name: "nobody asks", a: []string{"web"}, b: []string{}, given: []Descriptor{web, dns}, err: `no app takes the socket "dns.socket"`},
		{name: "the only app asks for another", a: []string{"web"}, given: []Descriptor{web, dns}, err: `no app takes the socket "dns.socket"`},
		{name: "two ask", a: []string{"web"}, b: []string{"80"}, given: []Descriptor{web}, err: "apps a and b both ask"},
		{name: "one asks twice", a: []string{"web", "80"}, given: []Descriptor{web}, want: []stageabi.Socket{given(web, "a")}},
		{name: "a socket that the pod opens beside one that is given", a: []string{"listen:tcp:8080"}, given: []Descriptor{web}, want: []stageabi.Socket{
			given(web, "a"), {App: "a", Name: "8080", Kind: stageabi.SocketStream, Address: "[::]:8080", OnDemand: true}}},
		{name: "an activated port that is given", a: []string{Activated("udp", 53, "dns")}, b: []string{"web"}, given: []Descriptor{web, dns},
			want: []stageabi.Socket{given(web, "b"), given(dns, "a")}},
		{name: "an activated port that is not", a: []string{Activated("udp", 53, "dns")}, want: []stageabi.Socket{
			{App: "a", Name: "dns", Kind: stageabi.SocketDatagram, Address: "[::]:53"}}},
		{name: "a proxy", a: []string{"web,proxy=127.0.0.1:8080"}, given: []Descriptor{web}, want: []stageabi.Socket{
			{App: "a", Name: "web", Kind: stageabi.SocketStream, Address: "[::]:80", FD: 3, Proxy: "127.0.0.1:8080"}}},
		{name: "a proxy of datagrams", a: []string{"53,proxy=127.0.0.1:8080"}, given: []Descriptor{dns}, err: "proxy= passes on connections"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			apps := []stageabi.App{{Name: "a", Sockets: tc.a}}
			if tc.b != nil {
				apps = append(apps, stageabi.App{Name: "b", Sockets: tc.b})
			}
			got, err := Assign(apps, tc.given)
			if tc.err != "" {
				if err == nil || !strings.Contains(err.Error(), tc.err) {
					t.Errorf("error %v, want one with %q", err, tc.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error("(-want +got):\n" + diff)
			}
		})
	}
}

func TestWishesThatAreRefused(t *testing.T) {
	for text, want := range map[string]string{
		"":                                  "want the name",
		"a:b":                               "want the name",
		"80/sctp":                           "tcp or udp",
		"a/b":                               "want the name",
		"@":                                 "without a name",
		"/a/../b":                           "not absolute and clean",
		"listen:":                           "want tcp, udp or unix",
		"listen:tcp":                        "want a port",
		"listen:tcp:0":                      "want a port",
		"listen:tcp:host:80":                "want a port",
		"listen:tcp:[fe80::1%1]:80":         "want a port",
		"listen:unix:/run/x":                "@NAME",
		"listen:sctp:80":                    "want tcp, udp or unix",
		"listen:tcp:80,name=":               "a socket's name",
		"web,name=x":                        "unknown option",
		"web,proxy=80":                      "ADDRESS:PORT",
		"web,proxy=/run/x":                  "ADDRESS:PORT",
		"listen:udp:80,proxy=127.0.0.1:80":  "datagrams",
		"web,proxy=127.0.0.1:80,x":          "unknown option",
		"activated:unix:@x":                 "a port",
		"web\n":                             "want the name",
		"@a\nb":                             "no unit file holds",
		"listen:unix:@a\nExecStartPre=/x":   "no unit file holds",
		"listen:tcp:[::1]:80\nService=x.y":  "want a port",
		"web,proxy=@a\nExecStart=/bin/evil": "no unit file holds",
	} {
		if _, err := ParseWish(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want one with %q", text, err, want)
		}
	}
}

// FuzzParseWish holds what is read to what a unit file can say in one line.
func FuzzParseWish(f *testing.F) {
	for _, text := range []string{"web", "80/tcp", "/run/x", "@x", "listen:tcp:[::1]:80,name=x", "listen:unix:@x", "activated:udp:53,name=dns", "web,proxy=127.0.0.1:80"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		w, err := ParseWish(text)
		if err != nil {
			return
		}
		if w.String() != text {
			t.Errorf("%q is written %q", text, w.String())
		}
		said := []string{w.name, w.address, w.proxy}
		if w.own != nil {
			said = append(said, w.own.Name, w.own.Address)
			if w.own.Name == "" || w.own.Address == "" || w.own.Kind == "" {
				t.Errorf("%q: %+v", text, w.own)
			}
		}
		for _, s := range said {
			if strings.ContainsAny(s, "\n\r\x00\x1b") {
				t.Errorf("%q has a control character", s)
			}
		}
	})
}
