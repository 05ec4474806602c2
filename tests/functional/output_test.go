package functional

import (
	"fmt"
	"strings"
	"testing"

	"github.com/raket/raket/tests/images"
)

// opens writes to standard output and errors as they are, and by their names.
const opens = "echo plain; echo out >/dev/stdout; echo out >>/proc/self/fd/1; echo err >/dev/stderr; echo log >>/var/log/app.log"

// says is the same by a script of the image of putLogger: the command does not tell.
const says = ". /bin/opens"

// putLogger makes an image as those of web servers are, whose log files are links, open to
// every user.
func putLogger(t *testing.T, p *pods) string {
	t.Helper()
	return putImage(t, p.Host, "logger", images.Busybox().Layer(images.File("bin/opens", opens, 0o755), images.Dir("var/log", 0o755), images.Symlink("var/log/app.log", "/dev/stdout")))
}

func TestImagesWhoseLogsAreLinksToStandardOutput(t *testing.T) {
	p := newPods(t)
	image := putLogger(t, p)
	for name, tt := range map[string]struct{ pod, app []string }{
		"as root":                 {},
		"as a user":               {app: []string{"--user=1000"}},
		"with users of its own":   {pod: []string{"--private-users"}, app: []string{"--user=1000"}},
		"to files":                {pod: []string{"--log=file"}, app: []string{"--user=1000"}},
		"without overlays":        {pod: []string{"--no-overlay"}},
		"with systemd's own root": {app: []string{"--property=PrivateTmp=yes"}},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "without overlays" {
				tt.app = append(tt.app, "--stdout=stream", "--stderr=stream") // what such an image is made of is not kept
			}
			uuid, unit := p.start(t, append(tt.pod, "--exit-policy=none"), app{name: "a", image: image, script: says, flags: tt.app})
			p.WaitFor(t, limit, p.cmd()+" status "+uuid+" | grep -x app-a=0")
			want := "err\nlog\nout\nout\nplain"
			p.WaitFor(t, limit, fmt.Sprintf("journalctl --sync; test \"$(%s logs %s a | sort)\" = %s", p.cmd(), uuid, quote(want)))
			_ = unit
		})
	}
	t.Run("but for what was said", func(t *testing.T) {
		uuid, _ := p.start(t, []string{"--exit-policy=none"}, app{name: "a", image: image, script: says + " || exit 3", flags: []string{"--stdout=log"}})
		p.WaitFor(t, limit, p.cmd()+" status "+uuid+" | grep -x app-a=3")
	})
}

// What an app opens may be said by its command, its environment, or a configuration in its image.
func TestAppsThatAreToldToOpenStandardOutput(t *testing.T) {
	p := newPods(t)
	configured := putImage(t, p.Host, "configured", images.Busybox().Layer(images.Dir("etc", 0o755), images.File("etc/app.conf", "# where to\nlog=/proc/self/fd/1\n", 0o644)))
	const want = "told"
	uuid, _ := p.start(t, []string{"--exit-policy=none"},
		app{name: "command", script: "echo told >/dev/stderr"},
		app{name: "environment", script: "echo told >$LOG", flags: []string{"--environment=LOG=/dev/stdout"}},
		app{name: "image", image: configured, script: ". /etc/app.conf; echo told >$log"},
		app{name: "none", script: "d=/dev; echo told >$d/stdout || exit 3"})
	for name, code := range map[string]int{"command": 0, "environment": 0, "image": 0, "none": 3} {
		p.WaitFor(t, limit, fmt.Sprintf("%s status %s | grep -x app-%s=%d", p.cmd(), uuid, name, code))
		if code == 0 {
			p.WaitFor(t, limit, fmt.Sprintf("journalctl --sync; test \"$(%s logs %s %s)\" = %s", p.cmd(), uuid, name, want))
		}
	}
}

// From a shell an app writes to the pipe itself, whoever it is.
func TestPipesOfTheCallerCanBeOpenedAgain(t *testing.T) {
	p := newPods(t)
	image := putLogger(t, p)
	want := "err\nlog\nout\nout\nplain\n"
	for name, tt := range map[string]struct{ pod, app []string }{
		"as a user":             {pod: []string{"--net=none"}, app: []string{"--user=1000", "--stdout=log"}},
		"with users of its own": {pod: []string{"--net=none", "--private-users"}, app: []string{"--user=1000", "--stdout=log"}},
		"with pipes of its own": {pod: []string{"--net=none"}, app: []string{"--user=1000"}},
		"interactive":           {pod: []string{"--net=none", "--interactive"}, app: []string{"--user=1000"}},
		"in fly":                {pod: []string{"--stage1-name=fly"}, app: []string{"--user=1000"}},
	} {
		t.Run(name, func(t *testing.T) {
			line := append([]string{"run", "--quiet"}, tt.pod...)
			line = append(line, app{name: "a", image: image, script: says, flags: tt.app}.line()...)
			if got := p.MustRun(t, p.cmd()+" "+quote(line...)+" 2>&1 </dev/null | sort"); got+"\n" != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
	t.Run("a command in an app", func(t *testing.T) {
		uuid, _ := p.start(t, []string{"--log=none"}, app{image: image, script: "exec sleep 1000", flags: []string{"--user=1000"}})
		if got := p.MustRun(t, p.cmd()+" exec "+uuid+" sh -c "+quote(opens)+" 2>&1 | sort"); got+"\n" != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
	t.Run("a prepared pod that is made interactive", func(t *testing.T) {
		uuid := p.must(t, append([]string{"prepare", "--quiet"}, app{name: "a", image: image, script: "cat; " + opens}.line()...)...)
		if got := p.MustRun(t, "echo in | "+p.cmd()+" run-prepared --net=none --interactive "+uuid+" 2>&1 | sort"); got != "err\nin\nlog\nout\nout\nplain" {
			t.Errorf("got %q", got)
		}
	})
	t.Run("a pipe with a name stays as it is", func(t *testing.T) {
		dir, _ := p.meeting(t)
		mode := p.MustRun(t, fmt.Sprintf("mkfifo -m 600 %[1]s/pipe; cat %[1]s/pipe >/dev/null & %[2]s run --quiet --net=none %[3]s --exec=/bin/true >%[1]s/pipe; stat -c %%a %[1]s/pipe", dir, p.cmd(), busybox))
		if strings.TrimSpace(mode) != "600" {
			t.Errorf("its mode is %s", mode)
		}
	})
}
