package appcredential_test

import (
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/raket/raket/pkg/appcredential"
)

func TestAnnotations(t *testing.T) {
	for _, tc := range []struct{ name, load, imported, set, want, err string }{
		{name: "none"},
		{name: "files and names", load: "db:/etc/my db\nkey\nother:host.other", want: "load=db:/etc/my db|load=key:key|load=other:host.other"},
		{name: "a pattern beside", load: "db\n", imported: "web.*\nx", want: "load=db:db|import=web.*|import=x"},
		{name: "a path that is relative", load: "db:etc/db", err: "io.raket.load-credential"},
		{name: "standard input", load: "db:-", err: "standard input"},
		{name: "a pattern that is none", imported: "[", err: "io.raket.import-credential"},
		{name: "a value", set: "db:hunter2", err: "no place for a secret"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			notes := map[string]string{"other": "kept"}
			for name, text := range map[string]string{appcredential.AnnotationLoad: tc.load, appcredential.AnnotationImport: tc.imported, "io.raket.set-credential": tc.set} {
				if text != "" {
					notes[name] = text
				}
			}
			wishes, err := appcredential.TakeAnnotations(notes)
			if tc.err != "" {
				if err == nil || !strings.Contains(err.Error(), tc.err) || strings.Contains(err.Error(), "hunter2") {
					t.Errorf("error %v, want %q", err, tc.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, w := range wishes {
				got = append(got, w.String())
			}
			if diff := cmp.Diff(tc.want, strings.Join(got, "|")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(map[string]string{"other": "kept"}, notes); diff != "" {
				t.Errorf("left (-want +got):\n%s", diff)
			}
		})
	}
}

func FuzzAnnotations(f *testing.F) {
	f.Add("db:/etc/db\nkey", "web.*")
	f.Add("a:-", "[")
	f.Fuzz(func(t *testing.T, load, imported string) {
		wishes, err := appcredential.TakeAnnotations(map[string]string{appcredential.AnnotationLoad: load, appcredential.AnnotationImport: imported})
		if err != nil {
			return
		}
		notes := map[string]string{}
		appcredential.AddAnnotations(notes, wishes)
		again, err := appcredential.TakeAnnotations(maps.Clone(notes))
		if diff := cmp.Diff(wishes, again); err != nil || diff != "" {
			t.Errorf("%q, read again, are others: %v\n%s", notes, err, diff)
		}
	})
}
