package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
)

func newStatus(e *env) *cobra.Command {
	var from podArgs
	var wait, waitReady *optionalWait
	var format *choice
	var verify bool
	cmd := &cobra.Command{
		Use:   "status UUID",
		Short: "Print the state of a pod",
		Long: `As lines of NAME=VALUE: state, created, started, networks, ports, pid, exited, and of each app app-NAME, its exit
code, if it has ended; health-NAME (starting, healthy or unhealthy), if its health is checked; and status-NAME, what it
says of itself (STATUS= of sd_notify(3)). Networks are as NAME:ip4=ADDRESS, published ports as 8080:80/tcp; --format=json has the networks' interfaces and all their
addresses. The same lines always stand in the same order.`,
		Example: `raket status --wait 2fd6e2e1
raket status --format=json 2fd6e2e1`,
		Annotations: exits(exitOK, exitUnreadable, exitError),
		RunE: func(cmd *cobra.Command, args []string) error {
			uuids, err := from.uuids(cmd, args)
			switch {
			case err != nil && from.file != "" && len(args) == 0:
				return &fault{err: err, code: exitUnreadable}
			case err != nil:
				return err
			case len(uuids) > 1:
				return usageError(cmd, "unexpected argument %q", uuids[1])
			}
			s, err := service(e, e.services.pods)
			if err != nil {
				return err
			}
			p, err := s.Find(cmd.Context(), uuids[0])
			if err == nil && waitReady.set {
				p, err = await(cmd.Context(), s, p, waitReady.limit, "is not ready", func(p pod) bool { return p.Ready && p.running() })
			}
			if err == nil && wait.set {
				p, err = await(cmd.Context(), s, p, wait.limit, "has not ended", pod.ended)
			}
			if err != nil {
				return fmt.Errorf("status: %w", err)
			}
			if verify {
				k, err := service(e, e.services.keeper)
				if err == nil {
					err = k.Verify(cmd.Context(), p.UUID)
				}
				if err != nil {
					return fmt.Errorf("status: pod %s: %w", p.UUID, err)
				}
			}
			if format.value != formatTable {
				return printJSON(e.stdout, toJSON(p), format.value == formatJSONPretty)
			}
			return e.printStatus(p)
		},
		ValidArgsFunction: e.completePods(func(pod) bool { return true }, 1),
	}
	from.define(cmd)
	format = choiceFlag(cmd, "format", formatTable, "print lines or JSON", formatTable, formatJSON, formatJSONPretty)
	cmd.Flags().BoolVar(&verify, "verify", false, "fail unless the pod runs and its networks are as their plugins made them")
	wait = waitFlag(cmd.Flags(), "wait", "first wait until the pod has ended")
	waitReady = waitFlag(cmd.Flags(), "wait-ready", "first wait until every app has started")
	return cmd
}

// pollEvery is how long a change may go unseen by a waiting status.
const pollEvery = 100 * time.Millisecond

// await looks at a pod until it is as wanted. It fails after the limit, where that
// is not 0, and as soon as the pod can't become so any more.
func await(ctx context.Context, s podStore, p pod, limit time.Duration, not string, wanted func(pod) bool) (pod, error) {
	waiting := ctx
	if limit > 0 {
		var cancel context.CancelFunc
		waiting, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for !wanted(p) {
		if p.ended() {
			return p, fmt.Errorf("pod %s %s, and is %s", p.UUID, not, p.State)
		}
		select {
		case <-waiting.Done():
			if errors.Is(waiting.Err(), context.DeadlineExceeded) {
				return p, fmt.Errorf("pod %s %s after %s", p.UUID, not, limit)
			}
			return p, waiting.Err()
		case <-tick.C:
		}
		var err error
		if p, err = s.Find(ctx, p.UUID); err != nil {
			return p, err
		}
	}
	return p, nil
}

// printStatus prints the lines that rkt printed.
func (e *env) printStatus(p pod) error {
	w := bufio.NewWriter(e.stdout)
	line := func(name, value string) { fmt.Fprintf(w, "%s=%s\n", name, printable(value)) }
	line("state", p.State)
	if !p.Created.IsZero() {
		line("created", p.Created.Format(timeLayout))
	}
	if !p.Started.IsZero() {
		line("started", p.Started.Format(timeLayout))
	}
	if len(p.Networks) > 0 || p.running() {
		line("networks", networksText(p.Networks))
	}
	if len(p.Ports) > 0 {
		line("ports", portsText(p.Ports))
	}
	if p.running() || p.ended() {
		line("pid", fmt.Sprint(p.PID))
		line("exited", fmt.Sprint(p.ended()))
		for _, a := range p.Apps {
			if a.ExitCode != nil {
				line("app-"+a.Name, fmt.Sprint(*a.ExitCode))
			}
			if a.Health != nil {
				line("health-"+a.Name, a.Health.Status)
			}
			if a.StatusText != "" {
				line("status-"+a.Name, a.StatusText)
			}
		}
	}
	return w.Flush()
}

// findPod finds the pod that a (shortened) UUID means.
func (e *env) findPod(cmd *cobra.Command, uuid string) (pod, error) {
	s, err := service(e, e.services.pods)
	if err != nil {
		return pod{}, err
	}
	return s.Find(cmd.Context(), uuid)
}
