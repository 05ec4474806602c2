package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/raket/raket/pkg/terminal"
)

func newAttach(e *env) *cobra.Command {
	var from podArgs
	var r attachRequest
	cmd := &cobra.Command{
		Use:   "attach [FLAGS] UUID",
		Short: "Connect to the standard streams of a running app",
		Long: `The app has to have been given streams to attach to: --stdin, --stdout or --stderr as tty or stream, or
--interactive, of raket run or prepare. Any number of clients may be attached; each sees all that the app writes
meanwhile, and any may write to it. Whoever comes after nobody was there sees the last 64 KiB of what was missed.

Attached to an app's terminal, keys go to the app as they are typed, and the terminal has the size of the one that
changed last. ctrl-p ctrl-q leaves the app as it is, and so does the end of this process. Where the app ends, raket
exits with its status.`,
		Example: `raket attach 2fd6e2e1
raket attach --mode=list --app=shell 2fd6e2e1
echo reload | raket attach --mode=stdin 2fd6e2e1`,
		Annotations: exits(exitOK, exitApp, exitError),
		RunE: func(cmd *cobra.Command, args []string) error {
			for word := range strings.SplitSeq(r.Mode, ",") {
				if !slices.Contains(attachModes(), word) || word == "list" && r.Mode != word {
					return usageError(cmd, "--mode: %q is not one of %s", word, strings.Join(attachModes(), ", "))
				}
			}
			if _, err := terminal.ParseKeys(r.DetachKeys); err != nil {
				return usageError(cmd, "--detach-keys: %w", err)
			}
			p, rest, err := e.runningPod(cmd, &from, args)
			if err != nil {
				return err
			}
			if len(rest) > 0 {
				return usageError(cmd, "unexpected argument %q", rest[0])
			}
			r.UUID = p.UUID
			if r.App, err = p.pickApp(r.App); err != nil {
				return err
			}
			l, err := service(e, e.services.launcher)
			if err != nil {
				return err
			}
			if err := l.Attach(cmd.Context(), r); err != nil {
				return fmt.Errorf("attach to pod %s: %w", p.UUID, err)
			}
			return nil
		},
		ValidArgsFunction: e.completePods(pod.running, 1),
	}
	from.define(cmd)
	f := cmd.Flags()
	f.StringVar(&r.App, "app", "", "the app, where the pod has several")
	f.StringVar(&r.Mode, "mode", "auto", "what to connect: auto, all there is; list, print it; or `PARTS` with commas between: tty, tty-in, tty-out, stdin, stdout, stderr")
	f.StringVar(&r.DetachKeys, "detach-keys", terminal.DefaultDetachKeys, "the `KEYS` that leave the app alone, as ctrl-a,d; none if empty")
	f.BoolVar(&r.CloseStdin, "close-stdin", false, "end the app's standard input, if it is a stream, when this one's ends")
	e.mustCompleteAppFlag(cmd, "app")
	mustCompleteFlag(cmd, "mode", attachModes()...)
	return cmd
}

// attachModes are rkt's words.
func attachModes() []string {
	return []string{"auto", "list", "tty", "tty-in", "tty-out", "stdin", "stdout", "stderr"}
}
