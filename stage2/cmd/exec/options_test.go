package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestOptions(t *testing.T) {
	for _, tc := range []struct {
		name string
		args []string
		want options
		argv []string
		err  string
	}{
		{name: "a program alone keeps all capabilities", args: []string{"--", "/bin/a"}, want: options{bounding: allCapabilities}, argv: []string{"/bin/a"}},
		{name: "everything that units pass",
			args: []string{
				"-h", "web", "-u", "web.service", "-R", "/raket/apps/web/rootfs", "-r", "-o", "-n", "-w", "/srv", "-b", "a80425fb", "-a", "400",
				"-e", "A b=1", "-e", "B=\n", "-g", "/g/memory", "-g", "/g/pids", "-c", "/f", "--", "/bin/a", "--", "-R",
			},
			want: options{
				identifier: "web", unit: "web.service", root: "/raket/apps/web/rootfs", readOnly: true, openPaths: true, notify: true, workDir: "/srv",
				bounding: 0xa80425fb, ambient: 0x400, env: []string{"A b=1", "B=\n"}, groups: []string{"/g/memory", "/g/pids"}, filter: "/f",
			},
			argv: []string{"/bin/a", "--", "-R"}},
		{name: "an app's end needs no program", args: []string{"-s", "web"}, want: options{bounding: allCapabilities, record: "web"}},
		{name: "an app's end in the app's root", args: []string{"-p", "-s", "web"}, want: options{bounding: allCapabilities, record: "web", inApp: true}},
		{name: "a value may look like an option", args: []string{"-w", "--", "--", "x"}, want: options{bounding: allCapabilities, workDir: "--"}, argv: []string{"x"}},
		{name: "sockets", args: []string{"-f", "2", "--", "x"}, want: options{bounding: allCapabilities, sockets: 2}, argv: []string{"x"}},
		{name: "an address to wait for", args: []string{"-l", "@x"}, want: options{bounding: allCapabilities, awaited: "@x"}},
		{name: "no number of sockets", args: []string{"-f", "0", "--", "x"}, err: `not a number of descriptors: "0"`},
		{name: "no arguments", err: "no program to execute"},
		{name: "options without a program", args: []string{"-R", "/x"}, err: "no program to execute"},
		{name: "nothing after the dashes", args: []string{"--"}, err: "no program to execute"},
		{name: "an option without its value", args: []string{"-R"}, err: "-R needs a value"},
		{name: "a mask without its value", args: []string{"-b"}, err: "-b needs a value"},
		{name: "a mask that is no number", args: []string{"-b", "CAP_KILL", "--", "x"}, err: `not a hexadecimal mask: "CAP_KILL"`},
		{name: "a mask too large", args: []string{"-a", "10000000000000000", "--", "x"}, err: `not a hexadecimal mask: "10000000000000000"`},
		{name: "an option that does not exist", args: []string{"-x", "--", "y"}, err: `unknown option "-x"`},
		{name: "a program without the dashes", args: []string{"/bin/a"}, err: `unknown option "/bin/a"`},
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
