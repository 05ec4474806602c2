package seccomp

import (
	"fmt"
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/raket/raket/pkg/seccomp/program"
)

// Compile makes the program of a filter (runtime-spec, config-linux.md,
// "Seccomp") for a machine, whose architecture is named as by runtime.GOARCH. The
// same filter gives the same bytes. It means what it means to runc and libseccomp,
// for which profiles are written:
//
//   - A rule whose action is the default one is no rule.
//   - A rule without conditions goes before those with some; else the first counts
//     that holds.
//   - Several conditions hold together; but if one argument has two, each is a rule
//     of its own.
//   - Where the default action denies, a system call with a number above all that
//     the rules name gets ENOSYS: it is newer than the profile, and programs
//     have another way where the kernel is older.
//   - The machine's own ABI always counts, others if architectures names them. Calls
//     of the rest kill the process; x32, named or not, has no system calls.
//
// A name that another architecture knows, or another ABI of this one, is passed
// over. One that none knows is an error, which names it, as is whatever the
// kernel cannot do.
func Compile(spec *specs.LinuxSeccomp, goarch string) (program.Program, error) {
	var p program.Program
	if spec.ListenerPath != "" || spec.ListenerMetadata != "" {
		return p, fmt.Errorf("listenerPath: is not supported")
	}
	machine, err := abis(goarch)
	if err != nil {
		return p, err
	}
	if p.Flags, err = flagBits(spec.Flags); err != nil {
		return p, err
	}
	for _, a := range spec.Architectures {
		if !isArchitecture(a) {
			return p, fmt.Errorf("architectures: %q is none", a)
		}
	}
	rules, deflt, err := readRules(spec)
	if err != nil {
		return p, err
	}
	p.Code = append(p.Code, stmt(opLoad, offArch))
	for i, a := range machine {
		if i > 0 && !slices.Contains(spec.Architectures, a.name) {
			continue
		}
		section := []program.Instruction{stmt(opLoad, offNumber)}
		if a.name == specs.ArchX86_64 {
			section = append(section, branch(opIfGe, x32Bit, 0, 1), stmt(opAnswer, retENOSYS))
		}
		section = append(section, search(segments(rules, a, deflt))...)
		p.Code = append(p.Code, branch(opIfEq, a.audit, 1, 0), stmt(opJump, uint32(len(section))))
		p.Code = append(p.Code, section...)
	}
	p.Code = append(p.Code, stmt(opAnswer, retOther))
	if len(p.Code) > program.MaxInstructions {
		return p, fmt.Errorf("the filter is %d instructions long; the kernel takes %d", len(p.Code), program.MaxInstructions)
	}
	return p, nil
}

// rule is one of a spec's, read.
type rule struct {
	calls []numbers
	// when are alternatives; each holds if all its conditions do. None: always.
	when   [][]condition
	answer uint32
	idle   bool // it says what is so anyway
}

func readRules(spec *specs.LinuxSeccomp) ([]rule, uint32, error) {
	deflt, err := actionValue(spec.DefaultAction, spec.DefaultErrnoRet)
	if err != nil {
		return nil, 0, fmt.Errorf("default %w", err)
	}
	rules := make([]rule, 0, len(spec.Syscalls))
	for i, s := range spec.Syscalls {
		r, err := readRule(s)
		if err != nil {
			return nil, 0, fmt.Errorf("syscalls[%d]: %w", i, err)
		}
		r.idle = r.answer == deflt
		rules = append(rules, r)
	}
	return rules, deflt, nil
}

func readRule(s specs.LinuxSyscall) (rule, error) {
	var r rule
	var err error
	if r.answer, err = actionValue(s.Action, s.ErrnoRet); err != nil {
		return r, err
	}
	if len(s.Names) == 0 {
		return r, fmt.Errorf("names: is empty")
	}
	r.calls = make([]numbers, 0, len(s.Names))
	for _, name := range s.Names {
		n, ok := lookup(name)
		if !ok {
			return r, fmt.Errorf("names: no architecture has a system call %q", name)
		}
		r.calls = append(r.calls, n)
	}
	r.when, err = readConditions(s.Args)
	return r, err
}

// verdict is what becomes of one system call.
type verdict struct {
	answer uint32   // where none of the cases holds
	cases  []choice // in their order
}

type choice struct {
	when   []condition
	answer uint32
}

func (v verdict) equal(w verdict) bool {
	return v.answer == w.answer && len(v.cases) == 0 && len(w.cases) == 0
}

// segment is a range of system calls that are treated alike: from first to the
// next one's.
type segment struct {
	first uint32
	verdict
}

// mention is a system call's number, and below it the index of a rule that names
// it: sorted, they are by number, and those of a number in the rules' order.
type mention uint64

func (m mention) number() uint32 { return uint32(m >> 32) }

// mentions are those of an ABI. last is the highest number, of idle rules too.
func mentions(rules []rule, a abi) (list []mention, last uint32) {
	for i, r := range rules {
		for _, n := range r.calls {
			if n[a.column] < 0 {
				continue
			}
			number := uint32(n[a.column])
			last = max(last, number)
			if !r.idle {
				list = append(list, mention(number)<<32|mention(i))
			}
		}
	}
	slices.Sort(list)
	return list, last
}

// decide is the verdict on a system call that is mentioned so.
func decide(rules []rule, list []mention, deflt uint32) verdict {
	v := verdict{answer: deflt}
	for _, m := range list {
		r := &rules[uint32(m)]
		if r.when == nil {
			return verdict{answer: r.answer}
		}
		for _, w := range r.when {
			v.cases = append(v.cases, choice{w, r.answer})
		}
	}
	return v
}

// segments has a verdict for every number, in ascending order, beginning at 0.
func segments(rules []rule, a abi, deflt uint32) []segment {
	named, last := mentions(rules, a)
	list := []segment{{0, verdict{answer: deflt}}}
	add := func(first uint32, v verdict) {
		switch end := &list[len(list)-1]; {
		case end.equal(v):
		case end.first == first:
			end.verdict = v
			if n := len(list); n > 1 && list[n-2].equal(v) {
				list = list[:n-1]
			}
		default:
			list = append(list, segment{first, v})
		}
	}
	for len(named) > 0 {
		number, n := named[0].number(), 1
		for n < len(named) && named[n].number() == number {
			n++
		}
		add(number, decide(rules, named[:n], deflt))
		add(number+1, verdict{answer: deflt})
		named = named[n:]
	}
	if denies(deflt) {
		add(last+1, verdict{answer: retENOSYS})
	}
	return list
}
