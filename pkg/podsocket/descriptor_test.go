package podsocket

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/raket/raket/pkg/stageabi"
)

func TestTheKernelSaysWhatADescriptorIs(t *testing.T) {
	short := t.TempDir()
	socket := func(family, kind int, addr unix.Sockaddr, listen bool) func(*testing.T) int {
		return func(t *testing.T) int {
			t.Helper()
			fd, err := unix.Socket(family, kind, 0)
			if err == nil && addr != nil {
				err = unix.Bind(fd, addr)
			}
			if err == nil && listen {
				err = unix.Listen(fd, 1)
			}
			if err != nil {
				t.Fatal(err)
			}
			return fd
		}
	}
	file := func(name string) *unix.SockaddrUnix { return &unix.SockaddrUnix{Name: filepath.Join(short, name)} }
	for _, tc := range []struct {
		name string
		open func(*testing.T) int
		want Descriptor
		err  string
	}{
		{"a port of all addresses", socket(unix.AF_INET6, unix.SOCK_STREAM, &unix.SockaddrInet6{}, true),
			Descriptor{Kind: stageabi.SocketStream, Address: "[::]:PORT", Protocol: "tcp"}, ""},
		{"a port of one address", socket(unix.AF_INET, unix.SOCK_STREAM, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}, true),
			Descriptor{Kind: stageabi.SocketStream, Address: "127.0.0.1:PORT", Protocol: "tcp"}, ""},
		{"an address of the old internet on a socket of the new", socket(unix.AF_INET6, unix.SOCK_STREAM, &unix.SockaddrInet6{Addr: [16]byte{10: 0xff, 11: 0xff, 12: 127, 15: 1}}, true),
			Descriptor{Kind: stageabi.SocketStream, Address: "[::ffff:127.0.0.1]:PORT", Protocol: "tcp"}, ""},
		{"a datagram socket", socket(unix.AF_INET, unix.SOCK_DGRAM, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}, false),
			Descriptor{Kind: stageabi.SocketDatagram, Address: "127.0.0.1:PORT", Protocol: "udp"}, ""},
		{"a path", socket(unix.AF_UNIX, unix.SOCK_SEQPACKET, file("a b"), true),
			Descriptor{Kind: stageabi.SocketSeqpacket, Address: short + "/a b"}, ""},
		{"an abstract name", socket(unix.AF_UNIX, unix.SOCK_STREAM, &unix.SockaddrUnix{Name: "@podsocket-test"}, true),
			Descriptor{Kind: stageabi.SocketStream, Address: "@podsocket-test"}, ""},
		{"a name that is no text", socket(unix.AF_UNIX, unix.SOCK_STREAM, &unix.SockaddrUnix{Name: "@podsocket\x01test"}, true), Descriptor{}, "no unit file holds"},
		{"a path with an end of line", socket(unix.AF_UNIX, unix.SOCK_STREAM, file("a\nb"), true), Descriptor{}, "no unit file holds"},
		{"no name", socket(unix.AF_UNIX, unix.SOCK_DGRAM, nil, false), Descriptor{}, "without a name"},
		{"a socket that does not listen", socket(unix.AF_INET, unix.SOCK_STREAM, &unix.SockaddrInet4{}, false), Descriptor{}, "does not listen"},
		{"a socket of the kernel's", socket(unix.AF_NETLINK, unix.SOCK_RAW, nil, false), Descriptor{}, "a socket of type 3"},
		{"a connection", func(t *testing.T) int {
			fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = unix.Close(fds[1]) })
			return fds[0]
		}, Descriptor{}, "Accept=yes"},
		{"a file", func(t *testing.T) int {
			fd, err := unix.Open(os.DevNull, unix.O_RDONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			return fd
		}, Descriptor{}, "it is no socket"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			fd := tc.open(t)
			defer unix.Close(fd)
			got, err := describe(fd)
			if tc.err != "" {
				if err == nil || !strings.Contains(err.Error(), tc.err) {
					t.Errorf("error %v, want one with %q", err, tc.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got.Protocol != "" {
				if got.Port == 0 || !strings.HasSuffix(got.Address, port(got.Port)) {
					t.Errorf("port %d of %s", got.Port, got.Address)
				}
				got.Address, got.Port = strings.TrimSuffix(got.Address, port(got.Port))+":PORT", 0
			}
			tc.want.FD = fd
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error("(-want +got):\n" + diff)
			}
		})
	}
}

func port(n int) string { return ":" + strconv.Itoa(n) }

func TestVsockIsWrittenAsSystemdReadsIt(t *testing.T) {
	for want, addr := range map[string]*unix.SockaddrVM{
		"vsock::1234":  {CID: unix.VMADDR_CID_ANY, Port: 1234},
		"vsock:2:1234": {CID: 2, Port: 1234},
	} {
		var d Descriptor
		if err := d.setAddress(addr); err != nil || d.Address != want {
			t.Errorf("%+v is %q (%v), want %q", addr, d.Address, err, want)
		}
	}
}

func TestDescriptorsAreCountedForOneProcess(t *testing.T) {
	for _, tc := range []struct {
		name string
		env  []string
		want int
		bad  bool
	}{
		{name: "nobody's", env: []string{"LISTEN_FDS=2"}},
		{name: "another's", env: []string{"LISTEN_FDS=2", "LISTEN_PID=8"}},
		{name: "ours", env: []string{"A=b", "LISTEN_FDS=2", "LISTEN_PID=7"}, want: 2},
		{name: "no number", env: []string{"LISTEN_FDS=x", "LISTEN_PID=7"}, bad: true},
		{name: "a negative number", env: []string{"LISTEN_FDS=-1", "LISTEN_PID=7"}, bad: true},
		{name: "more than there can be", env: []string{"LISTEN_FDS=99999999", "LISTEN_PID=7"}, bad: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := Count(tc.env, 7)
			if got != tc.want || (err != nil) != tc.bad {
				t.Errorf("%d, %v", got, err)
			}
		})
	}
}

func TestNamesOfDescriptors(t *testing.T) {
	for _, tc := range []struct {
		name, list string
		n          int
		want       []string
	}{
		{"one each", "a:b c", 2, []string{"a", "b c"}},
		{"none", "", 2, []string{"unknown", "unknown"}},
		{"too few", "a", 2, []string{"unknown", "unknown"}},
		{"one that no unit gives", "a:\n", 2, []string{"a", "unknown"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, names(tc.list, tc.n)); diff != "" {
				t.Error("(-want +got):\n" + diff)
			}
		})
	}
}
