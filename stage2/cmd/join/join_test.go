package main

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

func TestOptions(t *testing.T) {
	defaults := options{group: -1, procs: -1, root: -1, users: -1, before: -1, umask: 0o022, workDir: "/"}
	all := options{
		tasks: []int{4, 5}, group: 6, procs: 7, inGroup: true, main: 8, users: 12, before: 13, namespaces: []int{9, 10}, root: 11, workDir: "-C", lenient: true,
		uid: 1, gid: 2, gids: []int{3, 4}, umask: 0o77, bounding: 0xa80425fb, ambient: 0x400, noNewPrivs: true, filter: "/f", terminal: true,
	}
	for _, tc := range []struct {
		name string
		args []string
		want options
		argv []string
		err  string
	}{
		{name: "a program alone has no capabilities", args: []string{"--", "/a", "-x"}, want: defaults, argv: []string{"/a", "-x"}},
		{name: "everything", args: []string{
			"-t", "4", "-t", "5", "-c", "6", "-p", "7", "-i", "-m", "8", "-U", "12", "-E", "13", "-N", "9", "-N", "10", "-r", "11", "-w", "-C", "-d", "-u", "1", "-g", "2",
			"-G", "3", "-G", "4", "-k", "77", "-b", "a80425fb", "-a", "400", "-n", "-f", "/f", "-T", "--", "--",
		}, want: all, argv: []string{"--"}},
		{name: "no arguments", err: "no program to execute"},
		{name: "nothing after the dashes", args: []string{"--"}, err: "no program to execute"},
		{name: "an option without its value", args: []string{"-u"}, err: "-u needs a value"},
		{name: "a number that is none", args: []string{"-u", "root", "--", "x"}, err: `-u "root" is not a number`},
		{name: "a number too large", args: []string{"-u", "4294967296", "--", "x"}, err: `-u "4294967296" is not a number`},
		{name: "an option that does not exist", args: []string{"-x", "1", "--", "y"}, err: `unknown option "-x"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, argv, err := parse(tc.args)
			message := ""
			if err != nil {
				message = err.Error()
			}
			if message != tc.err {
				t.Fatalf("error %q, want %q", message, tc.err)
			}
			if err != nil {
				return
			}
			if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(options{})); diff != "" {
				t.Error("options (-want +got):\n" + diff)
			}
			if diff := cmp.Diff(tc.argv, argv); diff != "" {
				t.Error("program (-want +got):\n" + diff)
			}
		})
	}
}

func TestLimitsAreThoseOfTheKernel(t *testing.T) {
	text, err := os.ReadFile("/proc/self/limits")
	if err != nil {
		t.Fatal(err)
	}
	got, err := parseLimits(string(text))
	if err != nil {
		t.Fatal(err)
	}
	var want []unix.Rlimit
	for resource := range got {
		var l unix.Rlimit
		if err := unix.Prlimit(0, resource, nil, &l); err != nil {
			t.Fatal(err)
		}
		want = append(want, l)
	}
	if diff := cmp.Diff(want, got); diff != "" || len(got) < 16 {
		t.Errorf("%d limits (-want +got):\n%s", len(got), diff)
	}
	for _, bad := range []string{"h\nshort", "h\n" + string(make([]byte, 80))} {
		if _, err := parseLimits(bad); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}
