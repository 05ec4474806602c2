package cli

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
)

// What a hint says to type has to be there.
func TestHintsForOtherWordsAreTrue(t *testing.T) {
	var help bytes.Buffer
	e := &env{stdout: &help, stderr: &help}
	e.define()
	root := newRoot(e)
	run, _, err := root.Find([]string{"run"})
	if err != nil {
		t.Fatal(err)
	}
	if err := printHelp(&help, run); err != nil {
		t.Fatal(err)
	}
	verb := regexp.MustCompile(`raket ([a-z-]+)((?: [a-z-]+)?)`)
	flag := regexp.MustCompile(`--[a-z-]+`)
	for _, words := range []map[string]string{otherVerbs, otherFlags} {
		for word, hint := range words {
			if !strings.HasPrefix(word, "-") {
				if cmd, _, err := root.Find([]string{word}); err == nil && cmd != root {
					t.Errorf("%s is raket's own", word)
				}
			}
			for _, m := range verb.FindAllStringSubmatch(hint, -1) {
				if m[1] == "runs" {
					continue // what other tools build
				}
				if cmd, rest, err := root.Find(strings.Fields(m[1] + m[2])); err != nil || cmd == root || cmd.HasSubCommands() && len(rest) > 0 {
					t.Errorf("%s: there is no verb %q", word, m[0])
				}
			}
			for _, f := range flag.FindAllString(hint, -1) {
				if !strings.Contains(help.String(), f) && root.PersistentFlags().Lookup(strings.TrimPrefix(f, "--")) == nil && f != "--wait" && f != "--format" {
					t.Errorf("%s: there is no flag %s", word, f)
				}
			}
		}
	}
}
