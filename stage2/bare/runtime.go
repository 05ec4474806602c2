package bare

// What is in this file allocates memory: it is for programs that have the runtime.

// From is the text s, in memory of its own.
func From(s string) Str { return Str(s + "\x00") }

// New is a process made of a program's own arguments and environment.
func New(args, env []string) Process {
	return Process{pointers(args), pointers(env)}
}

func pointers(texts []string) []*byte {
	// A null pointer ends the list, as the kernel's own.
	list := make([]*byte, len(texts), len(texts)+1)
	for i, t := range texts {
		list[i] = From(t).Ptr()
	}
	return list
}

// String is the message.
func (f Failure) String() string {
	var m line
	m.failure(f)
	return string(m.text[:m.n])
}
