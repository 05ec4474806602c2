package main

import (
	"net"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

func TestAddressesToAwait(t *testing.T) {
	for _, tc := range []struct {
		text string
		want unix.Sockaddr
	}{
		{"@name", &unix.SockaddrUnix{Name: "@name"}},
		{"7f000001:80", &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}, Port: 80}},
		{"00000000000000000000000000000001:65535", &unix.SockaddrInet6{Addr: [16]byte{15: 1}, Port: 65535}},
		{"", nil}, {"@", nil}, {"7f000001", nil}, {"7f000001:", nil}, {"7f000001:65536", nil}, {"127.0.0.1:80", nil}, {"7f00000g:80", nil},
		{"/run/x", nil}, {"0000000000000000000000000000000180", nil},
	} {
		got, _, err := streamAddress(tc.text)
		if tc.want == nil {
			if err == nil || !strings.Contains(err.Error(), "not an address") {
				t.Errorf("%q: %v, error %v", tc.text, got, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%q: %v", tc.text, err)
		}
		exported := cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".raw" }, cmp.Ignore())
		if diff := cmp.Diff(tc.want, got, exported); diff != "" {
			t.Errorf("%q (-want +got):\n%s", tc.text, diff)
		}
	}
}

// It comes back when somebody listens and not before.
func TestAwait(t *testing.T) {
	name := "@raket-await-" + strings.ReplaceAll(t.TempDir(), "/", "-")
	done := make(chan error, 1)
	go func() { done <- await(name) }()
	select {
	case err := <-done:
		t.Fatalf("it returned (%v) though nobody listens", err)
	default:
	}
	l, err := net.Listen("unix", name)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
