package hostport

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/raket/raket/pkg/stageabi"
)

// find says who has a port, as far as that can be seen.
func find(p stageabi.Port) *Taken {
	t := &Taken{Port: p}
	for _, s := range sockets(p.Protocol) {
		if s.port != p.HostPort || !meets(p.HostIP, s.ip) {
			continue
		}
		t.At = netip.AddrPortFrom(s.ip, s.port).String()
		t.By = owner(s)
		break
	}
	return t
}

// meets reports whether a socket at ip is in the way of a port at want.
func meets(want string, ip netip.Addr) bool {
	w, err := netip.ParseAddr(want)
	return err != nil || w == ip || w.IsUnspecified() && w.Is4() == ip.Is4() || ip.IsUnspecified() && (ip.Is6() || w.Is4())
}

// socket is one that is bound on the host.
type socket struct {
	ip    netip.Addr
	port  uint16
	inode string
}

// sockets reads what the kernel shows of this network namespace.
func sockets(protocol string) []socket {
	if protocol == "sctp" {
		return nil
	}
	var list []socket
	for _, file := range []string{protocol, protocol + "6"} {
		f, err := os.Open("/proc/net/" + file)
		if err != nil {
			continue
		}
		lines := bufio.NewScanner(f)
		for lines.Scan() {
			if s, ok := parseSocket(lines.Text(), protocol == "tcp"); ok {
				list = append(list, s)
			}
		}
		f.Close()
	}
	return list
}

// parseSocket reads a line of /proc/net/tcp and its like (proc_pid_net(5)); of TCP only those
// that listen.
func parseSocket(line string, listening bool) (socket, bool) {
	const listens, localField, stateField, inodeField = "0A", 1, 3, 9
	f := strings.Fields(line)
	if len(f) <= inodeField || listening && f[stateField] != listens {
		return socket{}, false
	}
	ipText, portText, _ := strings.Cut(f[localField], ":")
	raw, err := hex.DecodeString(ipText)
	port, err2 := strconv.ParseUint(portText, 16, 16)
	if err != nil || err2 != nil || len(raw)%4 != 0 {
		return socket{}, false
	}
	// Words of 32 bits, each in the machine's order: the least byte first on those
	// that raket runs on.
	for word := range slices.Chunk(raw, 4) {
		slices.Reverse(word)
	}
	ip, ok := netip.AddrFromSlice(raw)
	return socket{ip.Unmap(), uint16(port), f[inodeField]}, ok
}

// owner names the process that has a socket.
func owner(s socket) string {
	links, err := filepath.Glob("/proc/[0-9]*/fd/*")
	if err != nil {
		return ""
	}
	for _, link := range links {
		if to, err := os.Readlink(link); err != nil || to != "socket:["+s.inode+"]" {
			continue
		}
		pid := strings.Split(link, "/")[2]
		if unit := unitOf(pid, s.port); unit != "" {
			return unit
		}
		name, err := os.ReadFile("/proc/" + pid + "/comm")
		if err != nil {
			return "process " + pid
		}
		if uuid := podOf(pid); uuid != "" {
			return "pod " + uuid
		}
		return fmt.Sprintf("%s (process %s)", strings.TrimSpace(string(name)), pid)
	}
	return ""
}

// podOf is the UUID of the pod that a process is the first of.
func podOf(pid string) string {
	args, err := os.ReadFile("/proc/" + pid + "/cmdline")
	if err != nil {
		return ""
	}
	for arg := range strings.SplitSeq(string(args), "\x00") {
		if uuid, ok := strings.CutPrefix(arg, "--machine=rkt-"); ok {
			return uuid
		}
	}
	return ""
}

// unitOf is the .socket unit of the host's systemd that has a port.
func unitOf(pid string, port uint16) string {
	if pid != "1" {
		return ""
	}
	out, err := exec.Command("systemctl", "list-sockets", "--all", "--plain", "--no-legend").Output()
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		if len(f) >= 2 && strings.HasSuffix(f[0], ":"+strconv.Itoa(int(port))) {
			return f[1]
		}
	}
	return ""
}
