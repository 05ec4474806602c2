package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
)

// podArgs are pods named by their UUIDs or by a file that has one.
type podArgs struct {
	file string
}

func (p *podArgs) define(cmd *cobra.Command) {
	cmd.Flags().StringVar(&p.file, "uuid-file", "", "take the UUID from `FILE`")
}

// uuids are those named, at least one.
func (p *podArgs) uuids(cmd *cobra.Command, args []string) ([]string, error) {
	switch {
	case p.file != "" && len(args) > 0:
		return nil, usageError(cmd, "both --uuid-file and a UUID are given")
	case p.file != "":
		uuid, err := readUUIDFile(p.file)
		if err != nil {
			return nil, err
		}
		return []string{uuid}, nil
	case len(args) == 0:
		return nil, &fault{err: errors.New("no UUID given"), hint: "raket list"}
	}
	return args, nil
}

// readUUIDFile reads what --uuid-file-save wrote.
func readUUIDFile(path string) (string, error) {
	const most = 256
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("read UUID: %w", err)
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, most))
	if err != nil {
		return "", fmt.Errorf("read UUID from %q: %w", path, err)
	}
	uuid := strings.TrimSpace(string(raw))
	if uuid == "" || strings.ContainsAny(uuid, " \n\t") {
		return "", fmt.Errorf("read UUID: %q holds no UUID", path)
	}
	return uuid, nil
}

// exactly refuses any other number of arguments.
func exactly(what ...string) cobra.PositionalArgs {
	return between(len(what), len(what), what...)
}

// between takes from least to most arguments; what names them.
func between(least, most int, what ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < least:
			return usageError(cmd, "%s is missing", what[len(args)])
		case most >= 0 && len(args) > most:
			return usageError(cmd, "unexpected argument %q", args[most])
		}
		return nil
	}
}
