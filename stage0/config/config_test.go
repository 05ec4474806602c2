package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// layers makes directories from paths and contents.
func layers(t *testing.T, files map[string]string) Dirs {
	t.Helper()
	root := t.TempDir()
	for name, content := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return Dirs{System: filepath.Join(root, "sys"), Local: filepath.Join(root, "local"), User: filepath.Join(root, "user")}
}

func paths(data string) string {
	return `{"rktKind": "paths", "rktVersion": "v1", "data": "` + data + `"}`
}

func stage1(fields string) string {
	return `{"rktKind": "stage1", "rktVersion": "v1", ` + fields + `}`
}

func TestLoad(t *testing.T) {
	for name, tt := range map[string]struct {
		files map[string]string
		want  Config
	}{
		"directories that do not exist say nothing": {nil, Config{}},
		"the vendor's word holds where nobody else has one": {
			map[string]string{"sys/paths.d/a.json": paths("/sys")},
			Config{Paths: Paths{Data: "/sys"}},
		},
		"the host's word is above the vendor's, the user's above both": {
			map[string]string{"sys/paths.d/a.json": paths("/sys"), "local/paths.d/b.json": paths("/local"), "user/paths.d/c.json": paths("/user/")},
			Config{Paths: Paths{Data: "/user"}},
		},
		"keys of one kind may come from several layers and files": {
			map[string]string{
				"sys/paths.d/a.json":   `{"rktKind": "paths", "rktVersion": "v1", "stage1-images": "/images", "cni-plugins": "/plugins/"}`,
				"local/paths.d/a.json": paths("/local"),
				"sys/stage1.d/a.json":  stage1(`"name": "nspawn", "version": "1"`),
				"sys/stage1.d/b.json":  stage1(`"location": "/opt/nspawn"`),
			},
			Config{Paths: Paths{Data: "/local", Stage1Images: "/images", CNIPlugins: "/plugins"}, Stage1: Stage1{Name: "nspawn", Version: "1", Location: "/opt/nspawn"}},
		},
		"another name makes the version and place of the one before it void": {
			map[string]string{
				"sys/stage1.d/a.json":   stage1(`"name": "nspawn", "version": "1", "location": "/opt/nspawn"`),
				"local/stage1.d/a.json": stage1(`"name": "fly"`),
			},
			Config{Stage1: Stage1{Name: "fly"}},
		},
		"files of other names, directories and other kinds are not read": {
			map[string]string{
				"sys/paths.d/README": "not JSON", "sys/paths.d/deep.json/a.json": "not JSON", "sys/auths.d/a.json": "not JSON",
			},
			Config{},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Load(layers(t, tt.files))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("configuration (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLoadRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		content string
		want    string
	}{
		"an empty file":                {"", "not JSON: ends too early"},
		"a file that ends too early":   {`{"rktKind": "paths"`, "not JSON: ends too early"},
		"a list":                       {`[]`, "must be a JSON object"},
		"something behind the object":  {paths("/x") + "{}", "has something behind the JSON object"},
		"a key twice":                  {`{"rktKind": "paths", "rktKind": "paths"}`, `key "rktKind": stands twice`},
		"a key in another case":        {`{"rktkind": "paths"}`, `key "rktKind" is missing`},
		"no version":                   {`{"rktKind": "paths"}`, `key "rktVersion" is missing`},
		"a version of the future":      {`{"rktKind": "paths", "rktVersion": "v2"}`, `key "rktVersion": unknown version "v2", want "v1"`},
		"another kind":                 {`{"rktKind": "auth", "rktVersion": "v1"}`, `key "rktKind": kind "auth" does not belong into a directory paths.d`},
		"an unknown key":               {`{"rktKind": "paths", "rktVersion": "v1", "date": "/x"}`, `key "date": kind paths has no such key`},
		"a value that is no string":    {`{"rktKind": "paths", "rktVersion": "v1", "data": 1}`, `key "data": must be a string`},
		"a value that is empty":        {`{"rktKind": "paths", "rktVersion": "v1", "data": ""}`, `key "data": must not be empty`},
		"a path that is not absolute":  {`{"rktKind": "paths", "rktVersion": "v1", "data": "x"}`, `key "data": "x" is not an absolute path`},
		"a file that is far too large": {strings.Repeat(" ", maxFileBytes+1), "is larger than 1024 KiB"},
	} {
		t.Run(name, func(t *testing.T) {
			dirs := layers(t, map[string]string{"sys/paths.d/x.json": tt.content})
			_, err := Load(dirs)
			if err == nil {
				t.Fatal("no error")
			}
			if path := filepath.Join(dirs.System, "paths.d/x.json"); !strings.Contains(err.Error(), path) {
				t.Errorf("%q does not name %s", err, path)
			}
			if !strings.HasSuffix(err.Error(), tt.want) {
				t.Errorf("got %q, want the end %q", err, tt.want)
			}
		})
	}
}

func TestAKeyIsSetOnceInALayer(t *testing.T) {
	dirs := layers(t, map[string]string{"sys/paths.d/a.json": paths("/a"), "sys/paths.d/b.json": paths("/b")})
	_, err := Load(dirs)
	want := "read configuration: " + dirs.System + `/paths.d/b.json: key "data": ` + dirs.System + "/paths.d/a.json sets it already"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestAVersionNeedsAName(t *testing.T) {
	_, err := Load(layers(t, map[string]string{"sys/stage1.d/a.json": stage1(`"version": "1"`)}))
	if err == nil || !strings.HasSuffix(err.Error(), `key "version": key "name" must stand beside it`) {
		t.Errorf("got %v", err)
	}
}

// FuzzParseObject holds the reader of configuration to what it promises: it never
// panics, and an object it takes has each key once and a whole value behind it.
func FuzzParseObject(f *testing.F) {
	for _, seed := range []string{paths("/x"), stage1(`"name": "x"`), auth(`["a.example"]`, "aws", `{"accessKeyID": "a", "secretAccessKey": "b"}`), dockerAuth(`["[::1]:5000"]`, "u"), `{"a": [1, {"b": null}]}`, `{"a": 1, "a": 2}`, "{", "[]", ""} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		doc, err := parseObject(raw)
		if err != nil {
			return
		}
		for key, value := range doc {
			if len(value) == 0 {
				t.Errorf("key %q has no value", key)
			}
		}
		l := layer{setBy: make(map[string]string)}
		for _, d := range directories() {
			if err := l.readDocument("x.json", raw, d); err != nil && err.Error() == "" {
				t.Error("an error without a text")
			}
		}
	})
}
