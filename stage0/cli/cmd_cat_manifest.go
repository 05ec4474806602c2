package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

func newCatManifest(e *env) *cobra.Command {
	var from podArgs
	var pretty bool
	cmd := &cobra.Command{
		Use:         "cat-manifest UUID",
		Short:       "Print a pod's manifest",
		Long:        `It is an appc pod manifest: raket run --pod-manifest takes it.`,
		Annotations: exits(exitOK, exitError),
		RunE: func(cmd *cobra.Command, args []string) error {
			uuids, err := from.uuids(cmd, args)
			if err != nil {
				return err
			}
			if len(uuids) > 1 {
				return usageError(cmd, "unexpected argument %q", uuids[1])
			}
			s, err := service(e, e.services.pods)
			if err != nil {
				return err
			}
			p, err := s.Find(cmd.Context(), uuids[0])
			if err != nil {
				return err
			}
			raw, err := s.Manifest(cmd.Context(), p.UUID)
			if err != nil {
				return fmt.Errorf("manifest of pod %s: %w", p.UUID, err)
			}
			return printDocument(e.stdout, raw, pretty)
		},
		ValidArgsFunction: e.completePods(func(pod) bool { return true }, 1),
	}
	from.define(cmd)
	cmd.Flags().BoolVar(&pretty, "pretty-print", false, "indent it")
	return cmd
}

// printDocument prints JSON on one line or indented.
func printDocument(w io.Writer, raw []byte, pretty bool) error {
	var out bytes.Buffer
	var err error
	if pretty {
		err = json.Indent(&out, raw, "", "\t")
	} else {
		err = json.Compact(&out, raw)
	}
	if err != nil {
		return fmt.Errorf("print manifest: %w", err)
	}
	out.WriteByte('\n')
	_, err = w.Write(out.Bytes())
	return err
}
