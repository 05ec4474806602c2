package functional

import "testing"

// What comes from ::1 is led on by nobody, but a socket of the host's can take it.
func TestPublishedPortsBesideSockets(t *testing.T) {
	p := newPods(t)
	p.withPeer(t)
	a := peers("tcp:0.0.0.0:80")
	a.flags = append(a.flags, "--socket=six,proxy=127.0.0.1:80")
	unit := p.unitOf(t, "/opt/raket/bin/raket", []string{"Sockets=f-six.socket"}, []string{"--net=default", "--port=0.0.0.0:8096:80"}, a)
	p.socket(t, "f-six.socket", unit, "ListenStream=[::1]:8096", "FileDescriptorName=six")
	p.MustRun(t, "systemctl start "+unit)
	four, _ := p.peerAddresses(t, p.uuid(t, unit))
	p.calls(t, []call{
		{peerPath, "tcp:[::1]:8096", "127.0.0.1 127.0.0.1:80"},
		{peerPath, "tcp:127.0.0.1:8096", "172.16.28.1 " + four + ":80"},
	})
}
