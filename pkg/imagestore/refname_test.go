package imagestore

import (
	"regexp"
	"testing"
)

// FuzzRefName holds isRefName against the grammar of image-spec, "Pre-Defined
// Annotation Keys".
func FuzzRefName(f *testing.F) {
	for _, seed := range []string{
		"1.28", "r.example/app:1", "localhost:5000/a--b_c@x+y", "docker://r.example/app:1", "/x", "x/", "a---b", "a--/b", "", "ä", "a..b",
	} {
		f.Add(seed)
	}
	const component = `[A-Za-z0-9]+((?:[-._:@+]|--)[A-Za-z0-9]+)*`
	grammar := regexp.MustCompile(`^` + component + `(/` + component + `)*$`)
	f.Fuzz(func(t *testing.T, s string) {
		if got, want := isRefName(s), grammar.MatchString(s); got != want {
			t.Errorf("isRefName(%q) is %v, want %v", s, got, want)
		}
	})
}
