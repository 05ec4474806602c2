package registries

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"
)

func TestLoadRefuses(t *testing.T) {
	const reg = "[[registry]]\n"
	for name, tt := range map[string]struct{ content, want string }{
		"version 1":                           {"[registries.search]\nregistries = ['a.example']\n", `1: key "registries": this is version 1 of the format, want version 2`},
		"an unknown key":                      {"\nunqualified-search-registry = []\n", `2: key "unqualified-search-registry": unknown`},
		"an unknown table":                    {"# x\n[registri]\na = 1\n", `2: key "registri": unknown`},
		"an unknown key of a registry":        {reg + "location = \"a.example\"\n" + reg + "location = \"b.example\"\n\nblock = true\n", `6: key "block": unknown`},
		"an unknown key of a mirror":          {reg + "location = \"a.example\"\n[[registry.mirror]]\nlocation = \"m.example\"\n[[registry.mirror]]\nlocation = \"m.example\"\nblocked = true\n", `7: key "blocked": unknown`},
		"a key of a mirror in line":           {reg + "location = \"a.example\"\nmirror = [{location = \"m.example\"},\n  {location = \"m.example\", x = 1}]\n", `4: key "x": unknown`},
		"a key in another case":               {reg + "Location = \"a.example\"\n", `2: key "Location": unknown`},
		"no TOML":                             {"a\n", `1: a key without a value`},
		"a value that ends too early":         {"x = \"a\n", `1: a string does not end`},
		"a key twice":                         {reg + "location = \"a.example\"\nlocation = \"b.example\"\n", `3: Key 'registry.location' has already been defined.`},
		"a registry that is no list":          {"[registry]\nlocation = \"a.example\"\n", `1: key "registry": must be a list of tables, as [[registry]]`},
		"a list of no tables":                 {"registry = [1]\n", `1: key "registry": must be a list of tables, as [[registry]]`},
		"text for a truth":                    {reg + "location = \"a.example\"\nblocked = \"yes\"\n", `3: key "blocked": must be true or false`},
		"a number for text":                   {reg + "location = 1\n", `2: key "location": must be a string`},
		"neither prefix nor location":         {"\n" + reg + "blocked = true\n", `2: key "prefix": it or location must be there`},
		"a prefix without a location":         {reg + "prefix = \"a.example\"\n", `2: key "prefix": "a.example" needs a location beside it, as only *.HOST does not`},
		"a scheme":                            {reg + "location = \"https://a.example\"\n", `2: key "location": "https://a.example" must not have a scheme`},
		"a mirror with a scheme":              {reg + "location = \"a.example\"\n[[registry.mirror]]\nlocation = \"http://m.example\"\n", `4: key "location": "http://m.example" must not have a scheme`},
		"a mirror without a location":         {reg + "location = \"a.example\"\n[[registry.mirror]]\ninsecure = true\n", `3: key "location": is missing`},
		"a location that is no host":          {reg + "location = \"library/nginx\"\n", `2: key "location": "library/nginx" does not begin with a registry's host`},
		"a control character":                 {reg + "location = \"a.example/\\u001b[31m\"\n", `2: key "location": "a.example/\x1b[31m" is not the beginning of an image's name: image name has a control character`},
		"a wildcard with a path":              {reg + "prefix = \"*.a.example/b\"\n", `2: key "prefix": "*.a.example/b" has a wildcard, and must be *.HOST and no more`},
		"a wildcard with a port":              {reg + "prefix = \"*.a.example:5000\"\n", `2: key "prefix": "*.a.example:5000" has a wildcard, and must be *.HOST and no more`},
		"a wildcard in the middle":            {reg + "prefix = \"a.*.example\"\n", `bad registry host "a.*.example"`},
		"a wildcard as a location":            {reg + "prefix = \"*.a.example\"\nlocation = \"*.b.example\"\n", `bad registry host "*.b.example"`},
		"a prefix twice":                      {reg + "location = \"a.example\"\n" + reg + "prefix = \"A.example/\"\nlocation = \"b.example\"\n", `4: key "prefix": "a.example" has a table in line 1 already`},
		"a location with another tag":         {reg + "prefix = \"a.example/b:1\"\nlocation = \"a.example/b:2\"\n", `3: key "location": "a.example/b:2" must not have another tag or digest than the prefix "a.example/b:1"`},
		"an unknown pull-from-mirror":         {reg + "location = \"a.example\"\n[[registry.mirror]]\nlocation = \"m.example\"\npull-from-mirror = \"none\"\n", `5: key "pull-from-mirror": unknown value "none", want all, digest-only or tag-only`},
		"pull-from-mirror beside its default": {reg + "location = \"a.example\"\nmirror-by-digest-only = true\n[[registry.mirror]]\nlocation = \"m.example\"\npull-from-mirror = \"all\"\n", `6: key "pull-from-mirror": cannot stand beside mirror-by-digest-only of its registry`},
		"an unknown short-name-mode":          {"short-name-mode = \"guess\"\n", `1: key "short-name-mode": unknown mode "guess", want enforcing, permissive or disabled`},
		"a search list with a path":           {"unqualified-search-registries = [\n\"a.example\", \"b.example/c\"]\n", `1: key "unqualified-search-registries": "b.example/c" is more than a host`},
		"a search list of numbers":            {"unqualified-search-registries = [1]\n", `1: key "unqualified-search-registries": must be a list of strings`},
		"a helper with a path":                {"credential-helpers = [\"../x\"]\n", `1: key "credential-helpers": "../x" is not a helper's name`},
		"an alias of a full name":             {"[aliases]\n\"a.example/b\" = \"b.example/b\"\n", `2: key "a.example/b": is not a short name without tag and digest`},
		"an alias with a tag":                 {"[aliases]\n\"a:1\" = \"b.example/b\"\n", `2: key "a:1": is not a short name without tag and digest`},
		"an alias for a short name":           {"[aliases]\na = \"b\"\n", `2: key "a": "b" does not begin with a registry's host`},
		"an alias for a tag":                  {"[aliases]\na = \"b.example/c:1\"\n", `2: key "a": "b.example/c:1" is not a full name without tag and digest`},
		"an alias for a host":                 {"[aliases]\na = \"b.example\"\n", `2: key "a": "b.example" is not a full name without tag and digest`},
		"an alias twice":                      {"[aliases]\na = \"b.example/c\"\na = \"d.example/c\"\n", `3: Key 'aliases.a' has already been defined.`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := load(t, map[string]string{"etc/registries.conf": tt.content}, "etc")
			var bad *FileError
			if !errors.As(err, &bad) {
				t.Fatalf("got %v", err)
			}
			if !strings.HasSuffix(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "read registries: /") {
				t.Errorf("got %q, want the end %q", err, tt.want)
			}
		})
	}
}

func TestVersion1ComesWithAHint(t *testing.T) {
	_, err := load(t, map[string]string{"etc/registries.conf": "[registries.block]\nregistries = []\n"}, "etc")
	var bad *FileError
	if !errors.As(err, &bad) || !strings.Contains(bad.Hint(), "unqualified-search-registries = [HOST, …]") {
		t.Errorf("got %v", err)
	}
}

// TestHostileNestingIsCheap holds the reader to a bound where the TOML package
// takes the square of the depth.
func TestHostileNestingIsCheap(t *testing.T) {
	const n = 1 << 17
	for name, content := range map[string]string{
		"lists":       "a=" + strings.Repeat("[", n) + strings.Repeat("]", n),
		"tables":      "a=" + strings.Repeat("{a=", n) + "1" + strings.Repeat("}", n),
		"dotted keys": strings.Repeat("a.", n) + "a=1",
		"table names": "[" + strings.Repeat("a.", n) + "a]",
		"many keys":   "a=[" + strings.Repeat("{a=1},", n/3) + "]",
		"long keys":   strings.Repeat("a", n) + "=1",
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			_, err := load(t, map[string]string{"etc/registries.conf": content}, "etc")
			var bad *FileError
			if !errors.As(err, &bad) || len(err.Error()) > 500 {
				t.Errorf("got %v", err)
			}
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
	if _, err := load(t, map[string]string{"etc/registries.conf": strings.Repeat(" ", maxFileBytes+1)}, "etc"); err == nil || !strings.HasSuffix(err.Error(), "is larger than 1024 KiB") {
		t.Errorf("a large file: %v", err)
	}
}

// TestDebiansFilesAreRead reads what Debian installs.
func TestDebiansFilesAreRead(t *testing.T) {
	const shortNames = "/etc/containers/registries.conf.d/shortnames.conf"
	raw, err := os.ReadFile(shortNames)
	if err != nil {
		t.Skipf("missing %s (Debian package golang-github-containers-common)", shortNames)
	}
	f, err := parse(shortNames, raw)
	if err != nil {
		t.Fatal(err)
	}
	if len(f.aliases) < 20 || f.aliases["debian"].value != "docker.io/library/debian" {
		t.Errorf("%d aliases, debian is %q", len(f.aliases), f.aliases["debian"].value)
	}
}
