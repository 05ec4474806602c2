package cli

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// choice is a flag whose value is one of a few words.
type choice struct {
	value string
	words []string
}

func (c *choice) Set(v string) error {
	if !slices.Contains(c.words, v) {
		return fmt.Errorf("must be one of %s", strings.Join(c.words, ", "))
	}
	c.value = v
	return nil
}
func (c *choice) String() string { return c.value }
func (c *choice) Type() string   { return strings.Join(c.words, "|") }

// choiceFlag defines such a flag and what completes it.
func choiceFlag(cmd *cobra.Command, name, value, usage string, words ...string) *choice {
	c := &choice{value: value, words: words}
	cmd.Flags().Var(c, name, usage)
	mustCompleteFlag(cmd, name, words...)
	return c
}

// mustCompleteFlag offers words for a flag's value.
func mustCompleteFlag(cmd *cobra.Command, name string, words ...string) {
	err := cmd.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
	if err != nil {
		panic(err) // a flag of this name is not defined, or has a completion
	}
}

// optionalWait is a flag that may stand alone, or with how long to wait.
type optionalWait struct {
	set bool
	// limit is 0 for no end.
	limit time.Duration
}

func (w *optionalWait) Set(v string) error {
	if v == waitForever {
		w.set, w.limit = true, 0
		return nil
	}
	d, err := time.ParseDuration(v)
	if err != nil || d <= 0 {
		return fmt.Errorf("must be a duration, as 10s")
	}
	w.set, w.limit = true, d
	return nil
}
func (w *optionalWait) String() string { return "" }
func (w *optionalWait) Type() string   { return "DURATION" }

const waitForever = "forever"

func waitFlag(fs *pflag.FlagSet, name, usage string) *optionalWait {
	w := &optionalWait{}
	fs.Var(w, name, usage)
	fs.Lookup(name).NoOptDefVal = waitForever
	return w
}
