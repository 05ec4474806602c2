package cli

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

// Shells are those that Completion writes for.
func Shells() []string { return []string{"bash", "zsh", "fish"} }

func newCompletion(e *env) *cobra.Command {
	return &cobra.Command{
		Use:   "completion SHELL",
		Short: "Print a completion script for bash, zsh or fish",
		Long:  `The script asks raket itself, so that it completes UUIDs, apps and images too.`,
		Example: `raket completion bash >/etc/bash_completion.d/raket
raket completion fish >~/.config/fish/completions/raket.fish`,
		Annotations: exits(exitOK, exitError),
		Args:        exactly("SHELL"),
		ValidArgs:   Shells(),
		RunE: func(cmd *cobra.Command, args []string) error {
			return writeCompletion(cmd, e.stdout, args[0])
		},
	}
}

func writeCompletion(cmd *cobra.Command, w io.Writer, shell string) error {
	root := cmd.Root()
	switch shell {
	case "bash":
		return root.GenBashCompletionV2(w, true)
	case "zsh":
		return root.GenZshCompletion(w)
	case "fish":
		return root.GenFishCompletion(w, true)
	}
	return usageError(cmd, "there is no completion for %q", shell)
}

// Completion writes the script that raket completion prints.
func Completion(w io.Writer, shell string) error {
	e := &env{stdout: w, stderr: io.Discard}
	e.define()
	root := newRoot(e)
	for _, cmd := range root.Commands() {
		if cmd.Name() == "completion" {
			return writeCompletion(cmd, w, shell)
		}
	}
	return fmt.Errorf("no completion for %q", shell)
}
