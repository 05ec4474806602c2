package seccomp

import (
	"fmt"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// numbers of a system call on x86-64, i386, arm64 and arm; -1 where it has none.
type numbers [4]int32

type call struct {
	name    string
	numbers numbers
}

// lookup returns the numbers of a system call of any architecture.
func lookup(name string) (numbers, bool) {
	i, ok := slices.BinarySearchFunc(calls, name, func(c call, name string) int { return strings.Compare(c.name, name) })
	if !ok {
		return numbers{}, false
	}
	return calls[i].numbers, true
}

// abi is a set of system call numbers.
type abi struct {
	column int    // in numbers
	audit  uint32 // AUDIT_ARCH_…, in seccomp_data.arch
	name   specs.Arch
}

// abis returns those of a machine: its own first, then the one of its 32-bit
// programs.
func abis(goarch string) ([]abi, error) {
	switch goarch {
	case "amd64":
		return []abi{{0, unix.AUDIT_ARCH_X86_64, specs.ArchX86_64}, {1, unix.AUDIT_ARCH_I386, specs.ArchX86}}, nil
	case "arm64":
		return []abi{{2, unix.AUDIT_ARCH_AARCH64, specs.ArchAARCH64}, {3, unix.AUDIT_ARCH_ARM, specs.ArchARM}}, nil
	}
	return nil, fmt.Errorf("there are no system call filters for %s (--insecure-options=seccomp runs without)", goarch)
}

// architectures are the names of abis, for a spec.
func architectures(goarch string) []specs.Arch {
	list, err := abis(goarch)
	if err != nil {
		return nil
	}
	var names []specs.Arch
	for _, a := range list {
		names = append(names, a.name)
	}
	return names
}

// isArchitecture reports whether the runtime-spec knows this one.
func isArchitecture(a specs.Arch) bool {
	switch a {
	case specs.ArchX86, specs.ArchX86_64, specs.ArchX32, specs.ArchARM, specs.ArchAARCH64, specs.ArchMIPS, specs.ArchMIPS64,
		specs.ArchMIPS64N32, specs.ArchMIPSEL, specs.ArchMIPSEL64, specs.ArchMIPSEL64N32, specs.ArchPPC, specs.ArchPPC64,
		specs.ArchPPC64LE, specs.ArchS390, specs.ArchS390X, specs.ArchPARISC, specs.ArchPARISC64, specs.ArchRISCV64,
		specs.ArchLOONGARCH64, specs.ArchM68K, specs.ArchSH, specs.ArchSHEB:
		return true
	}
	return false
}
