package stageabi

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCommandsGoRound(t *testing.T) {
	for name, c := range map[string]Command{
		"a program":  {UUID: "u", App: "a", Argv: []string{"ls"}},
		"all of it":  {UUID: "u", App: "a", Argv: []string{"ls", "--tty", ""}, Privileged: true, User: "0", Group: "g=h", WorkingDir: "/w", Env: []string{"A=", "B=c=d"}, TTY: true, Stdin: true},
		"odd values": {UUID: "u", App: "a", Argv: []string{"--", "x"}, User: "--tty"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ParseCommand(c.Args())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c, got); diff != "" {
				t.Error("(-want +got):\n" + diff)
			}
		})
	}
}

func TestCommandsOfNoSense(t *testing.T) {
	for args, want := range map[string]string{
		"":                     "want UUID, APP and a command",
		"u a":                  "want UUID, APP and a command",
		"--tty u a":            "want UUID, APP and a command",
		"--user u a ls":        `option "--user" with a wrong value`,
		"--tty=yes u a ls":     `option "--tty" with a wrong value`,
		"--env=A u a ls":       "want NAME=VALUE",
		"--env==b u a ls":      "want NAME=VALUE",
		"--working u a ls":     `unknown option "--working"`,
		"--privileged= u a ls": `option "--privileged" with a wrong value`,
	} {
		if _, err := ParseCommand(strings.Fields(args)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %q", args, err, want)
		}
	}
}
