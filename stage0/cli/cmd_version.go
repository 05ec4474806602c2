package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/raket/raket/pkg/version"
)

// appcVersion is of the appc specification that manifests follow.
const appcVersion = "0.8.11"

func newVersion(e *env) *cobra.Command {
	var format *choice
	cmd := &cobra.Command{
		Use:         "version",
		Short:       "Print the version",
		Annotations: exits(exitOK, exitError),
		Args:        exactly(),
		RunE: func(*cobra.Command, []string) error {
			b := version.Get()
			if format.value != formatTable {
				return printJSON(e.stdout, b, format.value == formatJSONPretty)
			}
			if e.asRkt {
				_, err := fmt.Fprintf(e.stdout, "raket Version: %s\nappc Version: %s\nGo Version: %s\nGo OS/Arch: %s/%s\n",
					b.Version, appcVersion, b.Go, b.OS, b.Arch)
				return err
			}
			_, err := fmt.Fprintf(e.stdout, "raket %s %s %s/%s\n", b, b.Go, b.OS, b.Arch)
			return err
		},
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	format = choiceFlag(cmd, "format", formatTable, "print a line or JSON", formatTable, formatJSON, formatJSONPretty)
	return cmd
}
