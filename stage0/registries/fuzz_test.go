package registries

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/BurntSushi/toml"

	"github.com/raket/raket/pkg/image"
)

// FuzzParse holds the reader to what it promises: no panic, an error that names a
// line of the file, and of a file that it takes endpoints that are names of images.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		example, "", "[registries.search]\nregistries = ['a']", "a = '''x'''''\nb = \"\"\"\\\"\"\"\"\"\n", "[a.b]\n'c d' = {x.y = [1, {z = 2}]}",
		"x = 1979-05-27 07:32:00Z # y\r\n", "[[registry]]\nprefix = \"*.a\"\n", "\ufeffa = 1",
	} {
		f.Add([]byte(seed))
	}
	refs := []string{"docker://nginx", "docker://example.com/foo/a:1", "docker://a.b.corp.example:5000/x@sha256:" + hex64}
	f.Fuzz(func(t *testing.T, raw []byte) {
		file, err := parse("x.conf", raw)
		if err != nil {
			var bad *FileError
			if !errors.As(err, &bad) || bad.Line < 1 || bad.Line > strings.Count(string(raw), "\n")+2 {
				t.Fatalf("error %v", err)
			}
			return
		}
		c := &Config{registries: file.registries, aliases: file.aliases, search: file.search}
		for _, s := range refs {
			ref, err := image.Parse(s)
			if err != nil {
				t.Fatal(err)
			}
			list, err := c.Endpoints(ref)
			if err == nil && (len(list) == 0 || list[len(list)-1].Mirror) {
				t.Errorf("endpoints %v", list)
			}
			for _, e := range list {
				if again, err := image.Parse("docker://" + e.Registry + "/" + e.Repository); err != nil || again.Registry != e.Registry || again.Repository != e.Repository {
					t.Errorf("endpoint %+v is no image's name: %v", e, err)
				}
			}
		}
		for short := range file.aliases {
			if _, _, err := c.Alias(short); err != nil {
				t.Errorf("alias %q: %v", short, err)
			}
		}
	})
}

// FuzzLines holds the scanner to the TOML package: it knows a line for every key
// of a file that is right.
func FuzzLines(f *testing.F) {
	for _, seed := range []string{
		example, "a = '''x'''''\nb = \"\"\"\\\"\"\"\"\"\n", "[a.b]\n'c d' = {x.y = [1, {z = 2}]}", "[[a]]\n[[a.b]]\n[[a.b]]\nc=1\n[[a]]\n[a.b]\n",
		"a = \"\\\\\" # \"\nb = '\\'\nc = 1979-05-27 07:32:00Z\r\n", "a = [ # x\n 1,\n # ]\n]\n",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		at, err := lines(text)
		if err != nil && (strings.Contains(err.Error(), "deep") || strings.Contains(err.Error(), "longer")) || len(text) > 4096 || !utf8.ValidString(text) {
			return
		}
		var doc map[string]any
		if _, decodes := toml.Decode(text, &doc); decodes != nil {
			return
		}
		if err != nil {
			t.Fatalf("refused: %v", err)
		}
		for key := range doc {
			if strings.Trim(key, "abcdefghijklmnopqrstuvwxyz") != "" || at[key] != 0 || at[key+"[0]"] != 0 {
				continue
			}
			// In quotes it may be spelled in other ways.
			if !strings.Contains(text, `\u`) && !strings.Contains(text, `\U`) && !strings.Contains(text, `\x`) {
				t.Errorf("no line for %q in %v", key, at)
			}
		}
	})
}
