package appspec

import (
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// TestEveryFieldOfTheRuntimeSpecIsInTheTable walks the types of the pinned runtime-spec: a field
// that comes with a new version has to be decided on, and said in docs/app-spec.md.
func TestEveryFieldOfTheRuntimeSpecIsInTheTable(t *testing.T) {
	text, err := os.ReadFile("../../docs/app-spec.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, ok := strings.Cut(string(text), "## Fields")
	if !ok {
		t.Fatal("docs/app-spec.md has no table of fields")
	}
	table, _, _ = strings.Cut(table, "\n## ")
	covered := tableFields(table)
	var fields []string
	walkFields(reflect.TypeFor[Spec](), "", map[reflect.Type]bool{}, &fields)
	if len(fields) < 100 {
		t.Fatalf("only %d fields found", len(fields))
	}
	for _, f := range fields {
		if !slices.ContainsFunc(covered, func(c string) bool { return f == c || strings.HasPrefix(f, c+".") }) {
			t.Errorf("%s is not in the table", f)
		}
	}
	for _, c := range covered {
		if strings.HasPrefix(c, "annotations[") || strings.HasPrefix(c, "…") {
			continue // a map's
		}
		if !slices.ContainsFunc(fields, func(f string) bool { return f == c || strings.HasPrefix(f, c+".") }) {
			t.Errorf("%s is in the table, and the runtime-spec has no such field", c)
		}
	}
}

// walkFields lists the JSON names of all fields, those of fields that have none below them.
func walkFields(typ reflect.Type, path string, above map[reflect.Type]bool, fields *[]string) {
	for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice || typ.Kind() == reflect.Map {
		typ = typ.Elem()
	}
	if typ.Kind() != reflect.Struct || above[typ] || typ.PkgPath() == "time" {
		*fields = append(*fields, path)
		return
	}
	above[typ] = true
	for i := range typ.NumField() {
		f := typ.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		at := path
		if name != "" {
			at = strings.TrimPrefix(path+"."+name, ".")
		}
		walkFields(f.Type, at, above, fields)
	}
	above[typ] = false
}

// tableFields reads the first column of the table: names in backticks. One that begins with a dot
// is beside the one before it; those behind a colon are below the one before that.
func tableFields(table string) []string {
	var all []string
	for line := range strings.Lines(table) {
		cell, ok := strings.CutPrefix(line, "| ")
		if cell, _, _ = strings.Cut(cell, " | "); !ok || !strings.Contains(cell, "`") {
			continue
		}
		head, rest, below := strings.Cut(cell, "`: ")
		base := ""
		if below {
			base = head[strings.LastIndexByte(head, '`')+1:] + "."
			cell = rest
		}
		last := ""
		for i, name := range strings.Split(cell, "`") {
			if i%2 == 0 {
				continue
			}
			if strings.HasPrefix(name, ".") {
				name = last[:strings.LastIndexByte(last, '.')] + name
			} else {
				name = base + name
			}
			last = name
			all = append(all, expand(name)...)
		}
	}
	return all
}

// expand writes out "throttle…Device", which stands for a family of names.
func expand(name string) []string {
	before, after, ok := strings.Cut(name, "throttle…Device")
	if !ok {
		return []string{name}
	}
	var names []string
	for _, which := range []string{"ReadBps", "WriteBps", "ReadIOPS", "WriteIOPS"} {
		names = append(names, before+"throttle"+which+"Device"+after)
	}
	return names
}
