package bare

import (
	"strings"
	"syscall"
	"testing"
	"unsafe"
)

func TestNumbers(t *testing.T) {
	for _, tc := range []struct {
		text string
		base uint64
		want uint64
		ok   bool
	}{
		{"0", 10, 0, true}, {"18446744073709551615", 10, ^uint64(0), true}, {"18446744073709551616", 10, 0, false},
		{"ffffffffffffffff", 16, ^uint64(0), true}, {"10000000000000000", 16, 0, false}, {"a80425fb", 16, 0xa80425fb, true},
		{"", 10, 0, false}, {"-1", 10, 0, false}, {"1a", 10, 0, false}, {"g", 16, 0, false}, {" 1", 10, 0, false},
	} {
		if got, ok := From(tc.text).Uint(tc.base); got != tc.want || ok != tc.ok {
			t.Errorf("%q in base %d: %d, %t", tc.text, tc.base, got, ok)
		}
	}
}

// A process is read from the stack as the kernel lays it out.
func TestTheStackOfAProcess(t *testing.T) {
	var kept []Str // a number does not keep what it points to
	text := func(s string) uintptr {
		kept = append(kept, From(s))
		return uintptr(unsafe.Pointer(kept[len(kept)-1].Ptr()))
	}
	for name, tc := range map[string]struct{ args, env []string }{
		"arguments and an environment": {[]string{"exec", "-x", ""}, []string{"A=1", "AB=2", "B=", "NOVALUE"}},
		"no environment":               {[]string{"exec"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			stack := []uintptr{uintptr(len(tc.args))}
			for _, list := range [][]string{tc.args, tc.env} {
				for _, s := range list {
					stack = append(stack, text(s))
				}
				stack = append(stack, 0)
			}
			p := Start(&stack[0])
			defer func() { kept = nil }()
			if p.Len() != len(tc.args) || len(p.Env) != len(tc.env) {
				t.Fatalf("%d arguments and %d variables", p.Len(), len(p.Env))
			}
			for i, want := range tc.args {
				if got := p.Arg(i).Text(); got != want {
					t.Errorf("argument %d is %q, want %q", i, got, want)
				}
			}
			for i, want := range tc.env {
				if got := At(p.Env[i]).Text(); got != want {
					t.Errorf("variable %d is %q, want %q", i, got, want)
				}
			}
			if tc.env == nil {
				return
			}
			for name, want := range map[string]string{"A": "1", "AB": "2", "B": ""} {
				if v, ok := p.Getenv(name); !ok || v.Text() != want {
					t.Errorf("$%s is %q, %t", name, v, ok)
				}
			}
			if v, ok := p.Getenv("NOVALUE"); ok {
				t.Errorf("$NOVALUE is %q", v)
			}
		})
	}
}

func TestMessages(t *testing.T) {
	for _, tc := range []struct {
		f    Failure
		want string
	}{
		{Failure{Step: "mount", What: "/proc", Errno: syscall.ENOTDIR}, `mount "/proc": not a directory`},
		{Failure{Step: "no program to execute"}, "no program to execute"},
		{Failure{Step: "option", What: "-R", Why: "needs a value"}, `option "-R": needs a value`},
		{Failure{Step: "execute", What: "a\"b\\c\n\x7fé", Errno: syscall.ENOENT}, `execute "a\"b\\c\x0a\x7fé": no such file or directory`},
	} {
		if got := tc.f.String(); got != tc.want {
			t.Errorf("%q, want %q", got, tc.want)
		}
	}
	if long := (Failure{Step: "execute", What: strings.Repeat("x", 5000)}).String(); len(long) > 1024 || !strings.HasPrefix(long, `execute "xxx`) {
		t.Errorf("%d bytes: %.20q", len(long), long)
	}
	if Check("mount", "", 0).Failed() || !Check("mount", "", syscall.EPERM).Failed() {
		t.Error("what failed is not told from what did not")
	}
}
