package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/raket/raket/stage2/bare"
)

func TestOptions(t *testing.T) {
	for _, tc := range []struct {
		name string
		args []string
		want options
		argv []string
		// what is repeated
		groups []string
		err    string
	}{
		{name: "a program alone keeps all capabilities", args: []string{"--", "/bin/a"}, want: options{bounding: allCapabilities}, argv: []string{"/bin/a"}},
		{name: "everything that units pass",
			args: []string{
				"-h", "web", "-u", "web.service", "-R", "/raket/apps/web/rootfs", "-r", "-o", "-n", "-w", "/srv", "-b", "a80425fb", "-a", "400",
				"-e", "/env", "-g", "/g/memory", "-g", "/g/pids", "-c", "/f", "--", "/bin/a", "--", "-R",
			},
			want: options{
				identifier: "web\x00", unit: "web.service\x00", root: "/raket/apps/web/rootfs\x00", readOnly: true, openPaths: true, notify: true, workDir: "/srv\x00",
				bounding: 0xa80425fb, ambient: 0x400, envFile: "/env\x00", filter: "/f\x00",
			},
			groups: []string{"/g/memory", "/g/pids"},
			argv:   []string{"/bin/a", "--", "-R"}},
		{name: "an app's end needs no program", args: []string{"-s", "web"}, want: options{bounding: allCapabilities, record: "web\x00"}},
		{name: "an app's end in the app's root", args: []string{"-p", "-s", "web"}, want: options{bounding: allCapabilities, record: "web\x00", inApp: true}},
		{name: "a value may look like an option", args: []string{"-w", "--", "--", "x"}, want: options{bounding: allCapabilities, workDir: "--\x00"}, argv: []string{"x"}},
		{name: "another service manager", args: []string{"-N", "/raket/forward/in/web", "--", "x"}, want: options{bounding: allCapabilities, notify: true, notifyFrom: "/raket/forward/in/web\x00"}, argv: []string{"x"}},
		{name: "sockets", args: []string{"-f", "2", "--", "x"}, want: options{bounding: allCapabilities, sockets: 2}, argv: []string{"x"}},
		{name: "streams that are held", args: []string{"-m", "tls", "--", "x"}, want: options{bounding: allCapabilities, modes: "tls\x00"}, argv: []string{"x"}},
		{name: "a journal of errors alone", args: []string{"-h", "a", "-u", "b", "-j", "--", "x"}, want: options{bounding: allCapabilities, identifier: "a\x00", unit: "b\x00", errorsLog: true}, argv: []string{"x"}},
		{name: "an address to wait for", args: []string{"-l", "@x"}, want: options{bounding: allCapabilities, awaited: "@x\x00"}},
		{name: "no number of sockets", args: []string{"-f", "-1", "--", "x"}, err: `option "-f": needs a number`},
		{name: "no arguments", err: "no program to execute"},
		{name: "options without a program", args: []string{"-R", "/x"}, err: "no program to execute"},
		{name: "nothing after the dashes", args: []string{"--"}, err: "no program to execute"},
		{name: "an option without its value", args: []string{"-R"}, err: `option "-R": needs a value`},
		{name: "a mask without its value", args: []string{"-b"}, err: `option "-b": needs a value`},
		{name: "a mask that is no number", args: []string{"-b", "CAP_KILL", "--", "x"}, err: `option "-b": needs a number`},
		{name: "a mask too large", args: []string{"-a", "10000000000000000", "--", "x"}, err: `option "-a": needs a number`},
		{name: "an option that does not exist", args: []string{"-z", "--", "y"}, err: `unknown option "-z"`},
		{name: "a program without the dashes", args: []string{"/bin/a"}, err: `unknown option "/bin/a"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := bare.New(append([]string{"exec"}, tc.args...), nil)
			got, bad := parse(p)
			if message := bad.String(); message != tc.err {
				t.Fatalf("error %q, want %q", message, tc.err)
			}
			if bad.Failed() {
				return
			}
			var argv []string
			for i := got.program; i > 0 && i < p.Len(); i++ {
				argv = append(argv, p.Arg(i).Text())
			}
			if diff := cmp.Diff(tc.argv, argv); diff != "" {
				t.Error("program (-want +got):\n" + diff)
			}
			for option, want := range map[string][]string{"-g": tc.groups} {
				var values []string
				for v, i := got.next(p, option, 0); i > 0; v, i = got.next(p, option, i) {
					values = append(values, v.Text())
				}
				if diff := cmp.Diff(want, values); diff != "" {
					t.Errorf("values of %s (-want +got):\n%s", option, diff)
				}
			}
			got.program = 0
			if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(options{})); diff != "" {
				t.Error("options (-want +got):\n" + diff)
			}
		})
	}
}
