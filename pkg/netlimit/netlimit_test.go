package netlimit

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/raket/raket/pkg/nftables"
)

func TestTheGroupOfAProcess(t *testing.T) {
	for name, tc := range map[string]struct{ text, want, err string }{
		"beside legacy hierarchies": {text: "2:memory:/a\n1:name=systemd:/x/b.service\n0::/x/b.service\n", want: "/x/b.service"},
		"alone":                     {text: "0::/system.slice/a.service\n", want: "/system.slice/a.service"},
		"the root":                  {text: "0::/\n", want: "/"},
		"below that of the unit":    {text: "0::/system.slice/a.service/.control\n", want: "/system.slice/a.service"},
		"legacy hierarchies only":   {text: "1:name=systemd:/a\n", err: ErrNoHierarchy.Error()},
		"out of sight":              {text: "0::/../b\n", err: "in no group that it can see"},
		"no path":                   {text: "0::\n", err: "in no group"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := unifiedPath(tc.text)
			if got != tc.want || (err == nil) != (tc.err == "") || err != nil && !strings.Contains(err.Error(), tc.err) {
				t.Errorf("got %q, %v; want %q, %q", got, err, tc.want, tc.err)
			}
		})
	}
}

func TestWhoseGroupItIs(t *testing.T) {
	for group, unit := range map[string]string{"web.service": "web.service", "_memory.service": "memory.service"} {
		if !(Group{name: group}).OfUnit(unit) || (Group{name: group}).OfUnit("x.service") {
			t.Errorf("group %s is not of unit %s, or also of another", group, unit)
		}
	}
}

func FuzzTheGroupOfAProcess(f *testing.F) {
	f.Add("1:a:/b\n0::/c/.control\n")
	f.Add("0::/..")
	f.Fuzz(func(t *testing.T, text string) {
		dir, err := unifiedPath(text)
		if err == nil && (dir == "" || dir[0] != '/' || strings.Contains(dir+"/", "/../")) {
			t.Errorf("%q is the path of a group", dir)
		}
	})
}

// inNamespace runs f in a network namespace of one thread's, where lo is up.
func inNamespace(t *testing.T, f func()) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("network namespaces need root")
	}
	done := make(chan struct{})
	var err error
	go func() {
		defer close(done)
		runtime.LockOSThread() // to the end
		err = unix.Unshare(unix.CLONE_NEWNET)
		if err == nil {
			err = exec.Command("ip", "link", "set", "lo", "up").Run()
		}
		if err == nil {
			f()
		}
	}()
	if <-done; err != nil {
		t.Fatal(err)
	}
}

func own(t *testing.T) Group {
	t.Helper()
	g, err := Own()
	if errors.Is(err, ErrNoHierarchy) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestALevelIsProvenAndRulesReplaceEachOther(t *testing.T) {
	g := own(t)
	inNamespace(t, func() {
		const table = "raket-test"
		level, err := Prove(table, g)
		if err != nil {
			t.Error(err)
			return
		}
		if level < g.depth {
			t.Errorf("level %d of a group at depth %d", level, g.depth)
		}
		for _, rate := range []uint64{1, 1 << 20, 1 << 40, 1<<63 - 1} {
			if err := SetGroup(table, g, level, rate); err != nil {
				t.Errorf("%d bytes a second: %v", rate, err)
			}
			if err := SetAll(table+"-all", rate); err != nil {
				t.Errorf("%d bytes a second for all: %v", rate, err)
			}
		}
		other := g
		other.id++
		if _, err := Prove(table, other); err == nil || !strings.Contains(err.Error(), "at 0 levels") {
			t.Errorf("a group that is not the caller's: %v", err)
		}
		for _, name := range []string{table, table + "-all"} {
			if err := nftables.HasTable(name); err != nil {
				t.Errorf("table %s: %v", name, err)
			}
			if err := nftables.DropTable(name); err != nil {
				t.Error(err)
			}
			if err := nftables.HasTable(name); !errors.Is(err, unix.ENOENT) {
				t.Errorf("table %s after it was dropped: %v", name, err)
			}
		}
		if err := nftables.DropTable(table); err != nil {
			t.Errorf("drop what is not there: %v", err)
		}
	})
}

// Kernels before 6.12 count from the root of the hierarchy, which a pod sees as deeper than it is:
// a group for which the caller counts less levels than the kernel stands for that.
func TestALevelIsFoundWhereTheKernelCountsMore(t *testing.T) {
	own(t)
	const child = "RAKET_TEST_NETLIMIT_CHILD"
	if os.Getenv(child) != "" {
		g := own(t)
		inNamespace(t, func() {
			for above := range 3 {
				seen := g
				seen.depth -= above
				level, err := Prove("raket-test", seen)
				if err != nil || level != g.depth {
					t.Errorf("from %d levels above: level %d, %v; want %d", above, level, err, g.depth)
				}
			}
		})
		return
	}
	if os.Getuid() != 0 {
		t.Skip("control groups need root")
	}
	text, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		t.Fatal(err)
	}
	dir, err := unifiedPath(string(text))
	if err != nil {
		t.Fatal(err)
	}
	mount := mountPoints[0]
	if _, err := os.Stat(mount); err != nil {
		mount = mountPoints[1]
	}
	parent := filepath.Join(mount, dir, "raket-test-"+strconv.Itoa(os.Getpid()))
	group := filepath.Join(parent, "b")
	if err := os.MkdirAll(group, 0o755); err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(os.Remove(group), os.Remove(parent)); err != nil {
			t.Error(err)
		}
	})
	f, err := os.Open(group)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), child+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(f.Fd())}
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Errorf("%v: %s", err, out)
	}
}

// What passes leaves by an interface whose other end nobody listens at.
func TestNoMorePassesThanTheLimit(t *testing.T) {
	g := own(t)
	inNamespace(t, func() {
		for _, args := range [][]string{{"link", "add", "name", "sink", "type", "veth", "peer", "name", "far"}, {"link", "set", "far", "up"}, {"addr", "add", "192.0.2.1/24", "dev", "sink"}, {"link", "set", "sink", "up"}, {"neigh", "add", "192.0.2.2", "lladdr", "02:00:00:00:00:01", "dev", "sink"}} {
			if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
				t.Errorf("ip %v: %v: %s", args, err, out)
				return
			}
		}
		const table, size, header, rate = "raket-test", 1000, 28, 100_000
		flood := func(to string) (passed int, told bool) {
			conn, err := net.Dial("udp", to)
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			for range 1000 {
				_, err := conn.Write(make([]byte, size))
				switch {
				case err == nil:
					passed += size + header
				case errors.Is(err, unix.EPERM):
					told = true
				}
			}
			return passed, told
		}
		level, err := Prove(table, g)
		if err == nil {
			err = SetGroup(table, g, level, rate)
		}
		if err != nil {
			t.Error(err)
			return
		}
		began := time.Now()
		passed, told := flood("192.0.2.2:9")
		most := float64(Bucket(rate)) + rate*time.Since(began).Seconds()
		if float64(passed) > most || passed < size || !told {
			t.Errorf("%d bytes passed where %.0f may; told so: %v", passed, most, told)
		}
		if passed, told := flood("127.0.0.1:9"); told || passed == 0 {
			t.Errorf("on the loopback interface %d bytes passed, and some were dropped: %v", passed, told)
		}
		other := g
		other.id++
		if err := SetGroup(table, other, level, rate); err != nil {
			t.Error(err)
		}
		if _, told := flood("192.0.2.2:9"); told {
			t.Error("another group's limit counts")
		}
		if err := SetAll(table, rate); err != nil {
			t.Error(err)
		}
		if _, told := flood("192.0.2.2:9"); !told {
			t.Error("a limit of all does not count")
		}
	})
}

// The messages for "socket cgroupv2 level 2 ID limit rate over 1000000 bytes/second burst 5 bytes
// counter drop", which the kernel took for that.
func TestExpressions(t *testing.T) {
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		t.Skip("the messages are of a little-endian machine")
	}
	g := Group{id: 0x1122334455667788}
	for _, tc := range []struct {
		what string
		got  nftables.Expression
		want string
	}{
		{"socket", nftables.SocketGroup(2), "2c0001800b000100736f636b657400001c000280080001000000000308000200000000010800030000000002"},
		{"cmp", nftables.Is(g.bytes()), "3000018008000100636d70002400028008000100000000010800020000000000100003800c0001008877665544332211"},
		{"limit", nftables.Over(1_000_000, 5), "440001800a0001006c696d6974000000340002800c00010000000000000f42400c0002000000000000000001080003000000000508000400000000010800050000000001"},
		{"counter", nftables.Counter(), "140001800c000100636f756e7465720004000280"},
		{"immediate", nftables.Drop(), "300001800e000100696d6d6564696174650000001c0002800800010000000000100002800c0002800800010000000000"},
	} {
		if got := hex.EncodeToString(tc.got); got != tc.want {
			t.Errorf("%s: got %s, want %s", tc.what, got, tc.want)
		}
	}
}
