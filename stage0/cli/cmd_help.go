package cli

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

const topicExitCodes = "exit-codes"

func newHelp(e *env) *cobra.Command {
	return &cobra.Command{
		Use:         "help [VERB | exit-codes]",
		Short:       "Print help on a verb",
		Long:        `Without a verb the verbs are listed; exit-codes is the table of raket's exit codes.`,
		Annotations: exits(exitOK, exitError),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 && args[0] == topicExitCodes {
				return printExitCodes(e.stdout)
			}
			about := cmd.Root()
			for _, word := range args {
				sub, err := subcommand(about, word)
				if err != nil {
					return err
				}
				if sub == nil {
					return errors.New("no help on " + word)
				}
				about = sub
			}
			return printHelp(e.stdout, about)
		},
		ValidArgsFunction: func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			about := cmd.Root()
			for _, word := range args {
				sub, err := subcommand(about, word)
				if err != nil || sub == nil {
					return nil, cobra.ShellCompDirectiveNoFileComp
				}
				about = sub
			}
			var words []string
			for _, sub := range about.Commands() {
				words = append(words, cobra.CompletionWithDesc(sub.Name(), sub.Short))
			}
			return words, cobra.ShellCompDirectiveNoFileComp
		},
	}
}

func printExitCodes(w io.Writer) error {
	for _, r := range exitTable() {
		if _, err := fmt.Fprintf(w, "%3s  %s\n", r.name(), r.meaning); err != nil {
			return err
		}
	}
	return nil
}
