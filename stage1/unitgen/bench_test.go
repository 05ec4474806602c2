package unitgen_test

import (
	"encoding/json"
	"fmt"
	"os"
	"testing"

	"github.com/raket/raket/stage1/unitgen"
)

// Each app is looked at for each of the others.
func BenchmarkHundredApps(b *testing.B) {
	text, err := os.ReadFile("testdata/one-app/pod.json")
	if err != nil {
		b.Fatal(err)
	}
	var p unitgen.Pod
	if err := json.Unmarshal(text, &p); err != nil {
		b.Fatal(err)
	}
	one := p.Apps[0]
	p.Apps = nil
	for i := range 100 {
		one.Name = fmt.Sprintf("a%d", i)
		p.Apps = append(p.Apps, one)
	}
	for b.Loop() {
		if _, err := unitgen.Generate(p); err != nil {
			b.Fatal(err)
		}
	}
}
