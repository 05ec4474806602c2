package seccomp

import (
	"fmt"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/raket/raket/pkg/seccomp/program"
)

// The instructions that are used: all of them are ones which the kernel, when it
// works out beforehand which system calls are always allowed, understands.
const (
	opLoad   = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
	opAnd    = unix.BPF_ALU | unix.BPF_AND | unix.BPF_K
	opIfEq   = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
	opIfGt   = unix.BPF_JMP | unix.BPF_JGT | unix.BPF_K
	opIfGe   = unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K
	opJump   = unix.BPF_JMP | unix.BPF_JA
	opAnswer = unix.BPF_RET | unix.BPF_K
)

// Offsets in struct seccomp_data of a little-endian machine.
const (
	offNumber = 0
	offArch   = 4
	offArgs   = 16
)

const (
	x32Bit  = 0x40000000
	maxArgs = 6
	// longest is how far a conditional jump reaches.
	longest = 255
)

func stmt(code uint16, k uint32) program.Instruction { return program.Instruction{Code: code, K: k} }

func branch(code uint16, k uint32, yes, no int) program.Instruction {
	return program.Instruction{Code: code, Jt: uint8(yes), Jf: uint8(no), K: k}
}

// search is a program that gives the verdict on the number in the accumulator: a
// binary search.
func search(s []segment) []program.Instruction {
	if len(s) == 1 {
		return s[0].code()
	}
	mid := len(s) / 2
	below, above := search(s[:mid]), search(s[mid:])
	p := make([]program.Instruction, 0, 2+len(below)+len(above))
	if len(below) <= longest {
		p = append(p, branch(opIfGe, s[mid].first, len(below), 0))
	} else {
		p = append(p, branch(opIfGe, s[mid].first, 0, 1), stmt(opJump, uint32(len(below))))
	}
	return append(append(p, below...), above...)
}

func (v verdict) code() []program.Instruction {
	var p []program.Instruction
	for _, c := range v.cases {
		p = append(p, c.code()...)
	}
	return append(p, stmt(opAnswer, v.answer))
}

// condition is one on an argument, compared as 64 unsigned bits.
type condition struct {
	index      uint
	op         specs.LinuxSeccompOperator
	value, two uint64
}

func readConditions(args []specs.LinuxSeccompArg) ([][]condition, error) {
	var together []condition
	var apart [][]condition
	seen := map[uint]bool{}
	repeated := false
	for i, a := range args {
		switch a.Op {
		case specs.OpEqualTo, specs.OpNotEqual, specs.OpLessThan, specs.OpLessEqual, specs.OpGreaterThan, specs.OpGreaterEqual,
			specs.OpMaskedEqual:
		default:
			return nil, fmt.Errorf("args[%d].op: %q is none", i, a.Op)
		}
		if a.Index >= maxArgs {
			return nil, fmt.Errorf("args[%d].index: %d is not 0-5", i, a.Index)
		}
		c := condition{a.Index, a.Op, a.Value, a.ValueTwo}
		together, apart = append(together, c), append(apart, []condition{c})
		repeated = repeated || seen[a.Index]
		seen[a.Index] = true
	}
	if repeated || len(args) == 0 {
		return apart, nil
	}
	return [][]condition{together}, nil
}

// code gives the choice's answer if all its conditions hold, and else goes on
// behind itself.
func (c choice) code() []program.Instruction {
	var p []program.Instruction
	type hole struct {
		at  int
		yes bool // the jump that is taken if the comparison holds
	}
	var fails []hole
	for _, cond := range c.when {
		steps := cond.steps()
		begin := len(p)
		for i, s := range steps {
			p = append(p, program.Instruction{Code: s.code, K: s.k})
			to := func(t target, yes bool) uint8 {
				switch t {
				case pass:
					return uint8(begin + len(steps) - (begin + i) - 1)
				case fail:
					fails = append(fails, hole{begin + i, yes})
				}
				return 0
			}
			p[begin+i].Jt, p[begin+i].Jf = to(s.yes, true), to(s.no, false)
		}
	}
	p = append(p, stmt(opAnswer, c.answer))
	for _, h := range fails {
		// At most 6 conditions of 6 instructions: in reach.
		d := uint8(len(p) - h.at - 1)
		if h.yes {
			p[h.at].Jt = d
		} else {
			p[h.at].Jf = d
		}
	}
	return p
}

// target is where a comparison leads.
type target int

const (
	next target = iota // the next instruction
	pass               // the next condition
	fail               // the next choice
)

type step struct {
	code    uint16
	k       uint32
	yes, no target
}

// steps compare the upper half first.
func (c condition) steps() []step {
	lowAt := uint32(offArgs + 8*c.index)
	loadHigh, loadLow := step{code: opLoad, k: lowAt + 4}, step{code: opLoad, k: lowAt}
	high, low := uint32(c.value>>32), uint32(c.value)
	switch c.op {
	case specs.OpEqualTo:
		return []step{loadHigh, {opIfEq, high, next, fail}, loadLow, {opIfEq, low, next, fail}}
	case specs.OpNotEqual:
		return []step{loadHigh, {opIfEq, high, next, pass}, loadLow, {opIfEq, low, fail, next}}
	case specs.OpGreaterThan:
		return []step{loadHigh, {opIfGt, high, pass, next}, {opIfEq, high, next, fail}, loadLow, {opIfGt, low, next, fail}}
	case specs.OpGreaterEqual:
		return []step{loadHigh, {opIfGt, high, pass, next}, {opIfEq, high, next, fail}, loadLow, {opIfGe, low, next, fail}}
	case specs.OpLessEqual:
		return []step{loadHigh, {opIfGt, high, fail, next}, {opIfEq, high, next, pass}, loadLow, {opIfGt, low, fail, next}}
	case specs.OpLessThan:
		return []step{loadHigh, {opIfGt, high, fail, next}, {opIfEq, high, next, pass}, loadLow, {opIfGe, low, fail, next}}
	}
	// OpMaskedEqual: the argument under the mask value is two.
	return []step{
		loadHigh, {code: opAnd, k: high}, {opIfEq, uint32(c.two >> 32), next, fail},
		loadLow, {code: opAnd, k: low}, {opIfEq, uint32(c.two), next, fail},
	}
}
