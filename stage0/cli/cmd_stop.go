package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
)

func newStop(e *env) *cobra.Command {
	var from podArgs
	var force bool
	cmd := &cobra.Command{
		Use:   "stop UUID...",
		Short: "Stop pods and wait until they have ended",
		Long: `Every app gets its stop signal, and is killed when its stop timeout is over. The UUID of each pod
that was stopped is printed.`,
		Annotations: exits(exitOK, exitError),
		RunE: func(cmd *cobra.Command, args []string) error {
			return e.eachPod(cmd, &from, args, func(ctx context.Context, k keeper, p pod) error {
				if !p.running() {
					return fmt.Errorf("pod %s is %s, not running", p.UUID, p.State)
				}
				return k.Stop(ctx, p.UUID, force)
			})
		},
		ValidArgsFunction: e.completePods(pod.running, -1),
	}
	from.define(cmd)
	cmd.Flags().BoolVar(&force, "force", false, "kill at once")
	return cmd
}

// eachPod does something to each pod named, and prints the UUIDs of those it
// was done to. A pod that fails does not keep the others from their turn.
func (e *env) eachPod(cmd *cobra.Command, from *podArgs, args []string, do func(context.Context, keeper, pod) error) error {
	uuids, err := from.uuids(cmd, args)
	if err != nil {
		return err
	}
	pods, err := service(e, e.services.pods)
	if err != nil {
		return err
	}
	k, err := service(e, e.services.keeper)
	if err != nil {
		return err
	}
	var failed []error
	for _, uuid := range uuids {
		p, err := pods.Find(cmd.Context(), uuid)
		if err == nil {
			err = do(cmd.Context(), k, p)
		}
		if err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", cmd.Name(), err))
			continue
		}
		if err := e.printUUID(p.UUID); err != nil {
			return err
		}
	}
	return errors.Join(failed...)
}

// printUUID prints it as rkt's stop and rm did when called as rkt.
func (e *env) printUUID(uuid string) error {
	if e.asRkt {
		uuid = fmt.Sprintf("%q", uuid)
	}
	_, err := fmt.Fprintln(e.stdout, uuid)
	return err
}
