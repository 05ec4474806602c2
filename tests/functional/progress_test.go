package functional

import (
	"strings"
	"testing"
	"time"

	"github.com/raket/raket/tests/images"
)

func TestFetchTellsWhatItDoes(t *testing.T) {
	p := newPods(t)
	s := p.serve(t)
	image := func(tag string, seed byte) (name, digest string) {
		digest = p.put(t, s, "team/told:"+tag, images.New().Layer(noise(seed, 1<<20)).Layer(images.File("tag", tag, 0o644)))
		return "docker://" + s.Addr + "/team/told:" + tag, digest
	}
	type event struct {
		Time                   time.Time
		Event, Image, ID, Blob string
		Bytes, Total           int64
		Text                   string
	}
	events := func(t *testing.T, stdout string) []event {
		t.Helper()
		var all []event
		for line := range strings.Lines(stdout) {
			all = append(all, decode[event](t, line))
			if last := all[len(all)-1]; last.Time.IsZero() || last.Event == "" {
				t.Errorf("%q has no time or no event", line)
			}
		}
		if len(all) == 0 {
			t.Fatalf("no event in %q", stdout)
		}
		return all
	}
	t.Run("to programs, as JSON", func(t *testing.T) {
		name, digest := image("json", 20)
		r := p.raket(t, "fetch", "--format=json", name)
		all := events(t, r.Stdout)
		ended := map[string]int64{}
		for _, e := range all {
			if e.Event == "finish" {
				if e.Bytes != e.Total {
					t.Errorf("%+v ended before its end", e)
				}
				ended[e.Blob] = e.Bytes
			}
		}
		first, last := all[0], all[len(all)-1]
		if r.Code != 0 || r.Stderr != "" || len(ended) != 2 || first.Event != "resolving" || last.Event != "done" || last.ID != digest || last.Image != name {
			t.Errorf("%+v", r)
		}
		again := events(t, p.must(t, "fetch", "--format=json", name))
		if len(again) != 2 || again[0].Event != "present" || again[1].Event != "done" {
			t.Errorf("of a present image it tells %+v", again)
		}
		r = p.raket(t, "fetch", "--format=json", "docker://"+s.Addr+"/team/told:none")
		failed := events(t, r.Stdout)
		if last := failed[len(failed)-1]; r.Code != 254 || last.Event != "failed" || !strings.Contains(last.Text, "404") {
			t.Errorf("of a missing image it tells %+v", r)
		}
	})
	t.Run("quietly, the ID alone", func(t *testing.T) {
		name, digest := image("quiet", 21)
		if r := p.raket(t, "fetch", "--quiet", name); r.Code != 0 || r.Stderr != "" || len(r.Stdout) < 20 || !strings.HasPrefix(digest+"\n", strings.TrimSuffix(r.Stdout, "\n")) || strings.Count(r.Stdout, "\n") != 1 {
			t.Errorf("%+v", r)
		}
		name, digest = image("full", 22)
		if r := p.raket(t, "fetch", "--quiet", "--full", name); r.Code != 0 || r.Stderr != "" || r.Stdout != digest+"\n" {
			t.Errorf("%+v", r)
		}
	})
	t.Run("to a file, a line a blob", func(t *testing.T) {
		name, _ := image("lines", 23)
		r := p.raket(t, "fetch", name)
		lines := strings.Split(strings.TrimSuffix(r.Stderr, "\n"), "\n")
		if r.Code != 0 || len(lines) != 2 || strings.ContainsAny(r.Stderr, "\x1b\r") || strings.Count(r.Stdout, "\n") != 1 {
			t.Errorf("%+v", r)
		}
		for _, line := range lines {
			if !strings.HasPrefix(line, "sha256:") || !strings.Contains(line, " in ") {
				t.Errorf("a line is %q", line)
			}
		}
	})
	t.Run("to a terminal, in place", func(t *testing.T) {
		name, _ := image("terminal", 24)
		r := p.Run(t, "TERM=xterm script -qec "+quote(p.cmd()+" fetch "+name)+" /dev/null </dev/null")
		if r.Code != 0 || !strings.Contains(r.Stdout, "\x1b[") || !strings.Contains(r.Stdout, "1.0 MiB") {
			t.Errorf("%+v", r)
		}
	})
}
