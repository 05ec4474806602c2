package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// newRoot makes the whole tree of commands: it costs a fraction of a
// millisecond, so nothing is made only when wanted.
func newRoot(e *env) *cobra.Command {
	root := &cobra.Command{
		Use:           program,
		Short:         "Launch pods of applications under systemd",
		SilenceErrors: true,
		SilenceUsage:  true,
		// The completion command is ours, for its help.
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
		RunE: func(cmd *cobra.Command, _ []string) error {
			return printHelp(e.stdout, cmd)
		},
	}
	root.SetIn(e.stdin)
	root.SetOut(e.stdout)
	root.SetErr(e.stderr)
	root.PersistentFlags().AddFlagSet(e.flags)
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) {
		// A failing standard output is found again by whoever reads it.
		_ = printHelp(e.stdout, cmd)
	})
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usageError(cmd, "%w", err)
	})
	root.SetHelpCommand(newHelp(e))
	root.AddCommand(
		newFetch(e), newRun(e), newPrepare(e), newRunPrepared(e),
		newList(e), newStatus(e), newStop(e), newRemove(e), newCollect(e),
		newApp(e), newEnter(e), newExec(e), newAttach(e), newCopy(e), newLogs(e), newCatManifest(e), newImage(e), newNetwork(e),
		newTrust(e), newConfig(e), newVersion(e), newCompletion(e),
	)
	return root
}

// resolve takes the global flags that stand before the verb, and writes out a
// shortened verb. What it returns is for cobra.
func (e *env) resolve(root *cobra.Command, args []string) ([]string, error) {
	var verbs []string
	for cmd := root; ; {
		if cmd == root || cmd.HasSubCommands() {
			if err := e.flags.Parse(args); err != nil {
				if errors.Is(err, pflag.ErrHelp) {
					return append(verbs, "--help"), nil
				}
				return nil, usageError(cmd, "%w", err)
			}
			args = e.flags.Args()
		}
		if len(args) == 0 || !(cmd == root || cmd.HasSubCommands()) {
			return append(verbs, args...), nil
		}
		sub, err := subcommand(cmd, args[0])
		if err != nil {
			return nil, err
		}
		if sub == nil {
			return append(verbs, args...), nil
		}
		verbs, args, cmd = append(verbs, sub.Name()), args[1:], sub
	}
}

// subcommand finds the command that word names or begins. It is nil where
// the word is one of cobra's own, for completion.
func subcommand(parent *cobra.Command, word string) (*cobra.Command, error) {
	if word == cobra.ShellCompRequestCmd || word == cobra.ShellCompNoDescRequestCmd {
		return nil, nil
	}
	parent.InitDefaultHelpCmd()
	var begun []*cobra.Command
	var names []string
	for _, c := range parent.Commands() {
		if c.Name() == word || slices.Contains(c.Aliases, word) {
			return c, nil
		}
		if strings.HasPrefix(c.Name(), word) {
			begun = append(begun, c)
			names = append(names, c.Name())
		}
	}
	switch len(begun) {
	case 1:
		return begun[0], nil
	case 0:
		return nil, unknownCommand(parent, word)
	}
	return nil, usageError(parent, "command %q is ambiguous: %s", word, strings.Join(names, ", "))
}

func unknownCommand(parent *cobra.Command, word string) error {
	err := fmt.Errorf("unknown command %q", strings.TrimSpace(verbOf(parent)+" "+word))
	if hint, ok := otherVerbs[word]; ok && !parent.HasParent() {
		return &fault{err: err, hint: hint}
	}
	const typos = 2
	parent.SuggestionsMinimumDistance = typos
	if near := parent.SuggestionsFor(word); len(near) > 0 {
		return &fault{err: err, hint: fmt.Sprintf("did you mean %s?", strings.Join(near, " or "))}
	}
	return &fault{err: err, hint: strings.TrimSpace("raket help " + verbOf(parent))}
}
