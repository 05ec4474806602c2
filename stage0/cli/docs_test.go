package cli

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestTheGuideHasTheTableOfExitCodes holds docs/cli.md to exitTable.
func TestTheGuideHasTheTableOfExitCodes(t *testing.T) {
	guide, err := os.ReadFile("../../docs/cli.md")
	if err != nil {
		t.Fatal(err)
	}
	var want strings.Builder
	for _, r := range exitTable() {
		fmt.Fprintf(&want, "| %s | %s |\n", r.name(), r.meaning)
	}
	if !strings.Contains(string(guide), want.String()) {
		t.Errorf("docs/cli.md lacks the table\n%s", want.String())
	}
}

// TestEveryFeatureOfRktIsAccountedFor counts the numbers in docs/rkt-features.md.
func TestEveryFeatureOfRktIsAccountedFor(t *testing.T) {
	const features = 199
	table, err := os.ReadFile("../../docs/rkt-features.md")
	if err != nil {
		t.Fatal(err)
	}
	row := regexp.MustCompile(`(?m)^\| ([0-9]+(?:[–,] ?[0-9]+)*) \| [^\n]*? \| (?:same|better|refused|planned|same, refused) \|`)
	span := regexp.MustCompile(`([0-9]+)(?:–([0-9]+))?`)
	times := make(map[int]int)
	for _, m := range row.FindAllStringSubmatch(string(table), -1) {
		for _, s := range span.FindAllStringSubmatch(m[1], -1) {
			first, _ := strconv.Atoi(s[1])
			last := first
			if s[2] != "" {
				last, _ = strconv.Atoi(s[2])
			}
			for n := first; n <= last; n++ {
				times[n]++
			}
		}
	}
	for n := 1; n <= features; n++ {
		if times[n] != 1 {
			t.Errorf("feature %d is in the table %d times", n, times[n])
		}
	}
}
