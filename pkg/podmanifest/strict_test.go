package podmanifest

import "testing"

func TestFoldMakesOneOfNamesThatJSONTakesForTheSame(t *testing.T) {
	for _, name := range []string{"acKind", "ACKIND", "ac\u212aind"} {
		if fold(name) != "ackind" {
			t.Errorf("fold(%q) = %q", name, fold(name))
		}
	}
	if fold("volume\u017f") != "volumes" {
		t.Errorf("fold of a long s = %q", fold("volume\u017f"))
	}
}
