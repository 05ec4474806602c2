package podport

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/raket/raket/pkg/stageabi"
)

func TestParse(t *testing.T) {
	ip := netip.MustParseAddr
	for text, want := range map[string]Flag{
		"http:8080":                {Name: "http", HostPort: 8080},
		"80-tcp:8080":              {Name: "80-tcp", HostPort: 8080},
		"http:127.0.0.1:8080":      {Name: "http", HostIP: ip("127.0.0.1"), HostPort: 8080},
		"http:[::1]:8080":          {Name: "http", HostIP: ip("::1"), HostPort: 8080},
		"http:fd00::1:8080":        {Name: "http", HostIP: ip("fd00::1"), HostPort: 8080},
		"8080:80":                  {Protocol: "tcp", HostPort: 8080, PodPort: 80, Count: 1},
		"5353:53/UDP":              {Protocol: "udp", HostPort: 5353, PodPort: 53, Count: 1},
		"127.0.0.1:8080:80":        {Protocol: "tcp", HostIP: ip("127.0.0.1"), HostPort: 8080, PodPort: 80, Count: 1},
		"0.0.0.0:8080:80/tcp":      {Protocol: "tcp", HostIP: ip("0.0.0.0"), HostPort: 8080, PodPort: 80, Count: 1},
		"[fd00::1]:8080:80":        {Protocol: "tcp", HostIP: ip("fd00::1"), HostPort: 8080, PodPort: 80, Count: 1},
		"8000-8010:9000-9010/udp":  {Protocol: "udp", HostPort: 8000, PodPort: 9000, Count: 11},
		"[::]:8000-8001:8000-8001": {Protocol: "tcp", HostIP: ip("::"), HostPort: 8000, PodPort: 8000, Count: 2},
		"65535:65535/sctp":         {Protocol: "sctp", HostPort: 65535, PodPort: 65535, Count: 1},
		"1-65535:1-65535":          {Protocol: "tcp", HostPort: 1, PodPort: 1, Count: 65535},
		"80":                       {Protocol: "tcp", PodPort: 80, Count: 1},
		"53/udp":                   {Protocol: "udp", PodPort: 53, Count: 1},
		"8000-8003":                {Protocol: "tcp", PodPort: 8000, Count: 4},
		"127.0.0.1::80":            {Protocol: "tcp", HostIP: ip("127.0.0.1"), PodPort: 80, Count: 1},
		"[::1]::53-54/udp":         {Protocol: "udp", HostIP: ip("::1"), PodPort: 53, Count: 2},
		"http":                     {Name: "http"},
		"http:127.0.0.1:":          {Name: "http", HostIP: ip("127.0.0.1")},
		"http:[::1]:":              {Name: "http", HostIP: ip("::1")},
	} {
		got, err := Parse(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Addr{})); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"":                       "want NAME[",
		":80":                    "say which port of the host it is, or leave the colon out",
		"127.0.0.1::":            `"" is not a port`,
		"127.0.0.1::http":        `"http" is not a port`,
		"8080:":                  `"" is not a port`,
		"http:":                  "say which port of the host it is, or leave the colon out",
		"http/udp":               "want NAME[",
		"127.0.0.1":              "want NAME[",
		"[::1]":                  "want NAME[",
		"0":                      `"0" is not a port`,
		"65536/udp":              `"65536" is not a port`,
		"80/":                    `protocol "" is none`,
		"http:0":                 `"0" is not a port`,
		"http:8080/udp":          "the protocol of a port with a name is the image's",
		"http:1.2.3:80":          `"1.2.3" is not an IP address`,
		"HTTP:80":                "want NAME[",
		"8080:http":              `"http" is not a port`,
		"8080:80/icmp":           `protocol "icmp" is none`,
		"8080:80/":               `protocol "" is none`,
		"0:80":                   `"0" is not a port`,
		"8080:65536":             `"65536" is not a port`,
		"+1:80":                  "want NAME[",
		"8000-8002:9000-9001":    "8000-8002 are 3 ports and 9000-9001 are 2",
		"8002-8000:9000-9002":    "runs backwards",
		"[::1]:8080":             "want NAME[",
		"[::1:8080:80":           "want NAME[",
		"[127.0.0.1]:8080:80":    "want NAME[",
		"[fe80::1%eth0]:8080:80": "want NAME[",
		"::1:8080:80":            "say which port of the host",
		"127.0.0.1:8080":         "want NAME[",
		"8080:80:90":             `"80:90" is not a port`,
	} {
		if _, err := Parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
}

func TestResolve(t *testing.T) {
	named := []Named{
		{App: "web", Name: "http", Protocol: "tcp", Port: 80, Count: 1},
		{App: "web", Name: "rtp", Protocol: "udp", Port: 5000, Count: 10},
		{App: "web", Name: "top", Protocol: "udp", Port: 65530, Count: 6},
		{App: "echo", Name: "echo", Protocol: "tcp", Port: 7, Count: 1, Activated: true},
		{App: "a", Name: "both", Protocol: "tcp", Port: 1, Count: 1},
		{App: "b", Name: "both", Protocol: "tcp", Port: 2, Count: 1},
	}
	for name, tt := range map[string]struct {
		flags []string
		named []Named
		want  []stageabi.Port
		fails string
	}{
		"a name is what the app calls it": {
			flags: []string{"http:127.0.0.1:8080"}, named: named,
			want: []stageabi.Port{{Name: "http", Protocol: "tcp", HostIP: "127.0.0.1", HostPort: 8080, PodPort: 80, Count: 1}},
		},
		"a range with a name keeps its length": {
			flags: []string{"rtp:6000"}, named: named,
			want: []stageabi.Port{{Name: "rtp", Protocol: "udp", HostPort: 6000, PodPort: 5000, Count: 10}},
		},
		"a port that init opens has the host's number": {
			flags: []string{"echo:7007"}, named: named,
			want: []stageabi.Port{{Name: "echo", Protocol: "tcp", HostPort: 7007, PodPort: 7007, Count: 1}},
		},
		"a free port of the host leads to each of a range": {
			flags: []string{"http", "[::1]::8000-8001/udp", "80"}, named: named,
			want: []stageabi.Port{
				{Name: "http", Protocol: "tcp", PodPort: 80, Count: 1},
				{Protocol: "udp", HostIP: "::1", PodPort: 8000, Count: 1},
				{Protocol: "udp", HostIP: "::1", PodPort: 8001, Count: 1},
				{Protocol: "tcp", PodPort: 80, Count: 1},
			},
		},
		"a free port leads to what init opens": {
			flags: []string{"echo"}, named: named,
			want: []stageabi.Port{{Name: "echo", Protocol: "tcp", PodPort: 7, Count: 1}},
		},
		"a number needs no name": {
			flags: []string{"8080:80", "8080:80/udp"},
			want:  []stageabi.Port{{Protocol: "tcp", HostPort: 8080, PodPort: 80, Count: 1}, {Protocol: "udp", HostPort: 8080, PodPort: 80, Count: 1}},
		},
		"two families share a port": {
			flags: []string{"0.0.0.0:80:80", "[::]:80:81"},
			want: []stageabi.Port{
				{Protocol: "tcp", HostIP: "0.0.0.0", HostPort: 80, PodPort: 80, Count: 1},
				{Protocol: "tcp", HostIP: "::", HostPort: 80, PodPort: 81, Count: 1},
			},
		},
		"an unknown name names those there are": {flags: []string{"htpp:80"}, named: named[:2], fails: `no app has a port named "htpp": there are http, rtp`},
		"images without names say so":           {flags: []string{"http:80"}, fails: "the images name none"},
		"a name that means two ports":           {flags: []string{"both:80"}, named: named, fails: `port "both" is 1/tcp of app a and 2/tcp of app b`},
		"the same port twice":                   {flags: []string{"8000-8010:8000-8010", "127.0.0.1:8005:5"}, fails: "ports 8000-8010:8000-8010/tcp and 127.0.0.1:8005:5/tcp are the same on the host"},
		"an address of a family taken whole":    {flags: []string{"0.0.0.0:80:80", "10.0.0.1:80:81"}, fails: "are the same"},
		"a range beyond the last port":          {flags: []string{"top:65535"}, named: named, fails: "ends beyond 65535"},
		"a name without a number is one":        {flags: []string{"htpp"}, named: named[:2], fails: `no app has a port named "htpp": there are http, rtp`},
		"more free ports than anybody holds":    {flags: []string{"1-600"}, fails: "more than 512 ports"},
		"more than anybody holds open":          {flags: []string{"1-600:1-600"}, fails: "more than 512 ports"},
	} {
		t.Run(name, func(t *testing.T) {
			var flags []Flag
			for _, text := range tt.flags {
				f, err := Parse(text)
				if err != nil {
					t.Fatal(err)
				}
				flags = append(flags, f)
			}
			got, err := Resolve(flags, tt.named)
			if (err == nil) != (tt.fails == "") || err != nil && !strings.Contains(err.Error(), tt.fails) {
				t.Fatalf("got %v, want %q", err, tt.fails)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"http:8080", "[::1]:1-2:3-4/udp", "a:fd00::1:80", "127.0.0.1:8080:80/sctp", "80", "::", "127.0.0.1::80", "http", "a:[::1]:"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		flag, err := Parse(text)
		if err != nil {
			if strings.ContainsAny(err.Error(), "\n\x00") {
				t.Errorf("%q: %q is not one line", text, err)
			}
			return
		}
		again, err := Parse(flag.String())
		if err != nil || again != flag {
			t.Errorf("%q is %v, which is %v, %v", text, flag, again, err)
		}
	})
}
