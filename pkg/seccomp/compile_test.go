package seccomp

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/raket/raket/pkg/seccomp/program"
)

// execute runs a program as the kernel does, and counts the comparisons.
func execute(t *testing.T, p []program.Instruction, arch, nr uint32, args [6]uint64) (answer uint32, compared int) {
	t.Helper()
	var data [64]byte
	binary.LittleEndian.PutUint32(data[offNumber:], nr)
	binary.LittleEndian.PutUint32(data[offArch:], arch)
	for i, a := range args {
		binary.LittleEndian.PutUint64(data[offArgs+8*i:], a)
	}
	var acc uint32
	for pc := 0; pc < len(p); {
		i := p[pc]
		pc++
		jump := func(yes bool) {
			compared++
			if yes {
				pc += int(i.Jt)
			} else {
				pc += int(i.Jf)
			}
		}
		switch i.Code {
		case opLoad:
			acc = binary.LittleEndian.Uint32(data[i.K:])
		case opAnd:
			acc &= i.K
		case opJump:
			pc += int(i.K)
		case opAnswer:
			return i.K, compared
		case opIfEq:
			jump(acc == i.K)
		case opIfGt:
			jump(acc > i.K)
		case opIfGe:
			jump(acc >= i.K)
		default:
			t.Fatalf("instruction %d: code %#x", pc-1, i.Code)
		}
	}
	t.Fatal("the program ran off its end")
	return 0, 0
}

// evaluate says what Compile's comment does, without a thought for speed.
func evaluate(t *testing.T, f *specs.LinuxSeccomp, machine []abi, arch, nr uint32, args [6]uint64) uint32 {
	t.Helper()
	value := func(a specs.LinuxSeccompAction, ret *uint) uint32 {
		v, err := actionValue(a, ret)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	i := slices.IndexFunc(machine, func(a abi) bool { return a.audit == arch })
	if i < 0 || i > 0 && !slices.Contains(f.Architectures, machine[i].name) {
		return unix.SECCOMP_RET_KILL_PROCESS
	}
	if machine[i].name == specs.ArchX86_64 && nr >= 1<<30 {
		return retENOSYS
	}
	deflt := value(f.DefaultAction, f.DefaultErrnoRet)
	highest := int32(0)
	var always, sometimes []uint32
	for _, s := range f.Syscalls {
		for _, name := range s.Names {
			n, _ := lookup(name)
			number := n[machine[i].column]
			highest = max(highest, number)
			answer := value(s.Action, s.ErrnoRet)
			if number < 0 || uint32(number) != nr || answer == deflt {
				continue
			}
			if len(s.Args) == 0 {
				always = append(always, answer)
			} else if holds(s.Args, args) {
				sometimes = append(sometimes, answer)
			}
		}
	}
	switch {
	case len(always) > 0:
		return always[0]
	case len(sometimes) > 0:
		return sometimes[0]
	case int64(nr) > int64(highest) && denies(deflt):
		return retENOSYS
	}
	return deflt
}

func holds(conditions []specs.LinuxSeccompArg, args [6]uint64) bool {
	count := map[uint]int{}
	all, some, twice := true, false, false
	for _, c := range conditions {
		a := args[c.Index]
		var is bool
		switch c.Op {
		case specs.OpEqualTo:
			is = a == c.Value
		case specs.OpNotEqual:
			is = a != c.Value
		case specs.OpLessThan:
			is = a < c.Value
		case specs.OpLessEqual:
			is = a <= c.Value
		case specs.OpGreaterThan:
			is = a > c.Value
		case specs.OpGreaterEqual:
			is = a >= c.Value
		case specs.OpMaskedEqual:
			is = a&c.Value == c.ValueTwo
		}
		all, some = all && is, some || is
		count[c.Index]++
		twice = twice || count[c.Index] > 1
	}
	if twice {
		return some
	}
	return all
}

// interesting are values around which comparisons change.
func interesting(f *specs.LinuxSeccomp) []uint64 {
	list := []uint64{0, 1, 1<<32 - 1, 1 << 32, 1<<32 + 1, 1<<64 - 1}
	for _, s := range f.Syscalls {
		for _, a := range s.Args {
			for _, v := range []uint64{a.Value, a.ValueTwo} {
				list = append(list, v-1, v, v+1, v^1<<32, v<<32|v>>32, ^v)
			}
		}
	}
	return list
}

// agree compares program and evaluator for every number, with many arguments.
func agree(t *testing.T, f *specs.LinuxSeccomp, goarch string, random *rand.Rand, rounds int) (most int) {
	t.Helper()
	p, err := Compile(f, goarch)
	if err != nil {
		t.Fatal(err)
	}
	again, _ := Compile(f, goarch)
	if !bytes.Equal(p.Bytes(), again.Bytes()) {
		t.Error("another program the second time")
	}
	machine, _ := abis(goarch)
	values := interesting(f)
	for _, arch := range []uint32{unix.AUDIT_ARCH_X86_64, unix.AUDIT_ARCH_I386, unix.AUDIT_ARCH_AARCH64, unix.AUDIT_ARCH_ARM, unix.AUDIT_ARCH_S390X} {
		for _, first := range []uint32{0, 0x0f0000, 1<<30 - 2, 1 << 30, 1<<32 - 600} {
			for nr := first; nr < first+520; nr++ {
				plain := !conditional(f, nr, machine, arch)
				n := rounds
				if !plain {
					n = 100 * rounds
				}
				for range n {
					var args [6]uint64
					for i := range args {
						args[i] = values[random.IntN(len(values))]
						if random.IntN(8) == 0 {
							args[i] = random.Uint64()
						}
					}
					want := evaluate(t, f, machine, arch, nr, args)
					got, compared := execute(t, p.Code, arch, nr, args)
					if got != want {
						t.Fatalf("architecture %#x, call %d, arguments %#x: %#x, want %#x", arch, nr, args, got, want)
					}
					if plain {
						most = max(most, compared)
					}
				}
			}
		}
	}
	return most
}

// conditional reports whether the verdict on a call needs its arguments.
func conditional(f *specs.LinuxSeccomp, nr uint32, machine []abi, arch uint32) bool {
	i := slices.IndexFunc(machine, func(a abi) bool { return a.audit == arch })
	for _, s := range f.Syscalls {
		for _, name := range s.Names {
			if n, _ := lookup(name); i >= 0 && len(s.Args) > 0 && n[machine[i].column] == int32(nr) {
				return true
			}
		}
	}
	return false
}

func TestDefaultFilterDecidesAsItIsWritten(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, caps := range [][]string{nil, {"CAP_SYS_CHROOT"}, {"CAP_SYS_ADMIN", "CAP_SYS_PTRACE", "CAP_SYS_BOOT"}} {
		for _, goarch := range []string{"amd64", "arm64"} {
			f, err := Default(caps)
			if err != nil {
				t.Fatal(err)
			}
			f.Architectures = architectures(goarch)
			if most := agree(t, f, goarch, random, 2); most > 11 {
				t.Errorf("%s, %v: a call took %d comparisons", goarch, caps, most)
			}
		}
	}
}

// randomFilter makes a filter of few system calls, so that rules meet.
func randomFilter(random *rand.Rand) *specs.LinuxSeccomp {
	pick := func(list []string) string { return list[random.IntN(len(list))] }
	names := []string{"read", "write", "clone", "personality", "futex_waitv", "waitpid", "socketcall", "cacheflush", "osf_mount", "openat"}
	action := func() (specs.LinuxSeccompAction, *uint) {
		list := []specs.LinuxSeccompAction{specs.ActAllow, specs.ActErrno, specs.ActKillProcess, specs.ActKillThread, specs.ActKill, specs.ActTrap, specs.ActLog, specs.ActTrace}
		a := list[random.IntN(len(list))]
		if (a == specs.ActErrno || a == specs.ActTrace) && random.IntN(2) == 0 {
			n := uint(random.IntN(3))
			return a, &n
		}
		return a, nil
	}
	f := &specs.LinuxSeccomp{}
	f.DefaultAction, f.DefaultErrnoRet = action()
	for _, a := range []specs.Arch{specs.ArchX86, specs.ArchX32, specs.ArchARM, specs.ArchS390X} {
		if random.IntN(2) == 0 {
			f.Architectures = append(f.Architectures, a)
		}
	}
	ops := []specs.LinuxSeccompOperator{specs.OpEqualTo, specs.OpNotEqual, specs.OpLessThan, specs.OpLessEqual, specs.OpGreaterThan, specs.OpGreaterEqual, specs.OpMaskedEqual}
	for range random.IntN(8) {
		s := specs.LinuxSyscall{}
		s.Action, s.ErrnoRet = action()
		for range 1 + random.IntN(3) {
			s.Names = append(s.Names, pick(names))
		}
		for range random.IntN(4) {
			v := random.Uint64() >> (8 * random.IntN(8))
			a := specs.LinuxSeccompArg{Index: uint(random.IntN(6)), Value: v, Op: ops[random.IntN(len(ops))]}
			if a.Op == specs.OpMaskedEqual && random.IntN(4) > 0 {
				a.ValueTwo = v & random.Uint64()
			}
			s.Args = append(s.Args, a)
		}
		f.Syscalls = append(f.Syscalls, s)
	}
	return f
}

func FuzzCompileDecidesAsItIsWritten(f *testing.F) {
	for i := range uint64(16) {
		f.Add(i)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		random := rand.New(rand.NewPCG(seed, 3))
		agree(t, randomFilter(random), []string{"amd64", "arm64"}[random.IntN(2)], random, 1)
	})
}

func TestCompileRefusesByName(t *testing.T) {
	one := func(s specs.LinuxSyscall) *specs.LinuxSeccomp {
		return &specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{s}}
	}
	number := uint(1)
	large := uint(4096)
	many := &specs.LinuxSeccomp{DefaultAction: specs.ActErrno}
	for i := range 1500 {
		many.Syscalls = append(many.Syscalls, specs.LinuxSyscall{Names: []string{"read"}, Action: specs.ActAllow,
			Args: []specs.LinuxSeccompArg{{Value: uint64(i), Op: specs.OpEqualTo}}})
	}
	for _, tc := range []struct {
		want string
		f    *specs.LinuxSeccomp
	}{
		{`no architecture has a system call "opne"`, one(specs.LinuxSyscall{Names: []string{"opne"}, Action: specs.ActErrno})},
		{`syscalls[0]: names: is empty`, one(specs.LinuxSyscall{Action: specs.ActErrno})},
		{`syscalls[0]: action: "DENY" is none`, one(specs.LinuxSyscall{Names: []string{"open"}, Action: "DENY"})},
		{`SCMP_ACT_NOTIFY is not supported`, one(specs.LinuxSyscall{Names: []string{"open"}, Action: specs.ActNotify})},
		{`args[0].op: "SCMP_CMP_IS" is none`, one(specs.LinuxSyscall{Names: []string{"open"}, Action: specs.ActErrno, Args: []specs.LinuxSeccompArg{{Op: "SCMP_CMP_IS"}}})},
		{`args[0].index: 6 is not 0-5`, one(specs.LinuxSyscall{Names: []string{"open"}, Action: specs.ActErrno, Args: []specs.LinuxSeccompArg{{Index: 6, Op: specs.OpEqualTo}}})},
		{`errnoRet: SCMP_ACT_ALLOW has no error number`, one(specs.LinuxSyscall{Names: []string{"open"}, Action: specs.ActAllow, ErrnoRet: &number})},
		{`errnoRet: 4096 is above 4095`, one(specs.LinuxSyscall{Names: []string{"open"}, Action: specs.ActErrno, ErrnoRet: &large})},
		{`default action: "" is none`, &specs.LinuxSeccomp{}},
		{`architectures: "amd64" is none`, &specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Architectures: []specs.Arch{"amd64"}}},
		{`flags: "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV" is not supported`, &specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Flags: []specs.LinuxSeccompFlag{specs.LinuxSeccompFlagWaitKillableRecv}}},
		{`listenerPath: is not supported`, &specs.LinuxSeccomp{DefaultAction: specs.ActAllow, ListenerPath: "/run/s"}},
		{`instructions long; the kernel takes 4096`, many},
	} {
		t.Run(tc.want, func(t *testing.T) {
			if _, err := Compile(tc.f, "amd64"); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v", err)
			}
		})
	}
	if _, err := Compile(one(specs.LinuxSyscall{Names: []string{"open"}, Action: specs.ActErrno}), "riscv64"); err == nil || !strings.Contains(err.Error(), "riscv64") {
		t.Errorf("on an architecture without tables: %v", err)
	}
}

func TestTheTableIsSortedAndTheSystemsOwn(t *testing.T) {
	if !slices.IsSortedFunc(calls, func(a, b call) int { return strings.Compare(a.name, b.name) }) {
		t.Error("names.go is not sorted")
	}
	for name, want := range map[string]numbers{
		"read": {0, 3, 63, 3}, "openat2": {437, 437, 437, 437}, "newfstatat": {262, -1, 79, -1}, "fstatat64": {-1, 300, -1, 327},
		"set_tls": {-1, -1, -1, 0xf0005}, "socketcall": {-1, 102, -1, -1}, "clone3": {435, 435, 435, 435}, "riscv_hwprobe": {-1, -1, -1, -1},
	} {
		if got, ok := lookup(name); !ok || got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}

func BenchmarkCompileDefault(b *testing.B) {
	f, err := Default(nil)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := Compile(f, "amd64"); err != nil {
			b.Fatal(err)
		}
	}
}
