package functional

import (
	"strings"
	"testing"

	"github.com/raket/raket/tests/images"
)

// What the kernel would not execute fails the start, not the pod a moment after it was ready.
func TestAnAppThatCannotRunFailsTheStart(t *testing.T) {
	p := newPods(t)
	dir, flags := p.meeting(t)
	p.MustRun(t, "cd "+dir+` && printf '#!/bin/bash\n' >bash && echo 'echo hello' >text && cp /bin/true dynamic && chmod 755 *`)
	for name, tt := range map[string]struct {
		app    app
		code   string
		stderr string
	}{
		"a script of a shell the image lacks": {app{args: []string{"/v/bash"}}, "203", `exec "/v/bash" needs the interpreter "/bin/bash"`},
		"a script that names no shell":        {app{args: []string{"/v/text"}}, "203", `exec "/v/text" is neither a program nor a script`},
		"a program of a C library it lacks":   {app{args: []string{"/v/dynamic"}}, "203", `exec "/v/dynamic" needs the interpreter "/lib`},
		"a program of no volume":              {app{args: []string{"/v/none"}}, "203", `exec "/v/none" not found in image`},
		"a working directory":                 {app{script: "exec sleep 1000", flags: []string{"--working-dir=/v/none"}}, "226", `working directory "/v/none" not found in image`},
		"a file for a working directory":      {app{script: "exec sleep 1000", flags: []string{"--working-dir=/v/text"}}, "226", `working directory "/v/text": not a directory`},
	} {
		t.Run(name, func(t *testing.T) {
			unit := p.unit(t, append(flags, "--log=journal"), tt.app)
			if r := p.Run(t, "systemctl start "+unit); r.Code == 0 {
				t.Error("systemctl start succeeded")
			}
			if got := p.show(t, unit, "ExecMainStatus"); got != tt.code {
				t.Errorf("the unit's status is %s, want %s", got, tt.code)
			}
			p.WaitFor(t, limit, "journalctl --sync; journalctl -o cat -u "+unit+" | grep -F "+quote(tt.stderr))
		})
	}
}

func TestProgramsOfVolumes(t *testing.T) {
	p := newPods(t)
	dir, flags := p.meeting(t)
	p.MustRun(t, "cd "+dir+` && printf '#!/v/sh\necho in $PWD' >run && cp `+"$(command -v busybox || echo /bin/busybox)"+` sh; chmod 755 *`)
	for name, tt := range map[string]struct {
		flags []string
		args  []string
		want  string
	}{
		"by its path":        {nil, []string{"/v/run"}, "in /"},
		"from its directory": {[]string{"--working-dir=/v"}, []string{"./run"}, "in /v"},
		"by PATH":            {[]string{"--environment=PATH=/v"}, []string{"run"}, "in /"},
	} {
		t.Run(name, func(t *testing.T) {
			r := p.run(t, flags, app{args: tt.args, flags: tt.flags})
			if r.Code != 0 || r.Stdout != tt.want+"\n" {
				t.Errorf("got %+v, want %q", r, tt.want)
			}
		})
	}
}

func TestTheWorkingDirectoryOfAnImageIsMade(t *testing.T) {
	p := newPods(t)
	dir, flags := p.meeting(t)
	for name, tt := range map[string]struct {
		dir   string
		flags []string
	}{
		"in the root":              {"/deep/er", nil},
		"in a root to read only":   {"/deep/er", []string{"--readonly-rootfs=true"}},
		"in a volume":              {"/v/" + strings.ToLower(plain(t.Name())), nil},
		"in one of a user of pods": {"/srv/x", nil},
	} {
		t.Run(name, func(t *testing.T) {
			image := putImage(t, p.Host, "workdir", images.Busybox().WorkingDir(tt.dir))
			pod := flags
			if strings.Contains(name, "user of pods") {
				pod = append([]string{"--private-users"}, flags...)
			}
			r := p.run(t, pod, app{image: image, script: "pwd; stat -c '%u %a' .", flags: tt.flags})
			if r.Code != 0 || r.Stdout != tt.dir+"\n0 755\n" {
				t.Errorf("got %+v; in the volume: %s", r, p.Run(t, "ls -l "+dir).Stdout)
			}
		})
	}
}
