package bare

import "unsafe"

// Process is what the kernel starts a program with (System V ABI, "Process
// Initialization"): its arguments and its environment.
type Process struct {
	args []*byte
	// Env is the environment. Its elements may be replaced.
	Env []*byte
}

// Start is the process whose stack began at sp.
func Start(sp *uintptr) Process {
	argc := *sp
	argv := (**byte)(unsafe.Add(unsafe.Pointer(sp), unsafe.Sizeof(*sp)))
	envp := (**byte)(unsafe.Add(unsafe.Pointer(argv), (argc+1)*unsafe.Sizeof(*sp)))
	n := 0
	for *(**byte)(unsafe.Add(unsafe.Pointer(envp), uintptr(n)*unsafe.Sizeof(*sp))) != nil {
		n++
	}
	return Process{unsafe.Slice(argv, argc), unsafe.Slice(envp, n)}
}

// Len is how many arguments there are, the program's name included.
func (p Process) Len() int { return len(p.args) }

// Arg is one of them.
func (p Process) Arg(i int) Str { return At(p.args[i]) }

// From is the list of arguments from i on, ended by a null pointer.
func (p Process) From(i int) **byte { return &p.args[i] }

// Getenv is the value of a variable.
func (p Process) Getenv(name string) (Str, bool) {
	for _, e := range p.Env {
		if v, ok := At(e).After(name); ok {
			if v, ok = v.After("="); ok {
				return v, true
			}
		}
	}
	return "", false
}
