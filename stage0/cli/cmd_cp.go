package cli

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
)

func newCopy(e *env) *cobra.Command {
	var app string
	cmd := &cobra.Command{
		Use:   "cp [--app=NAME] SRC UUID:PATH | UUID:PATH DST",
		Short: "Copy files into a running app, or out of one that runs or has ended",
		Long: `A file or a directory goes into DST where that is a directory, else it gets that name. Of a directory
named as SRC/. the content is copied. In place of a path of the host, - is a tar stream: on standard input of what
goes into a directory of the app, on standard output of what comes out.

Owners, modes, times and extended attributes are kept. Symbolic links are copied as links, and none of the app's
leads out of its root. Files that come out of an app lose set-ID bits and capabilities; devices and sockets are left
out. Where copying fails, the target is as it was.

Of a pod that has ended, files come out until it is collected: those of the image as the app left them, and those of
its volumes. What the app had in memory file systems, /dev/shm among them, is gone.`,
		Example: `raket cp nginx.conf 2fd6e2e1:/etc/nginx/
raket cp --app=db 2fd6e2e1:/var/lib/db/. backup
raket cp 2fd6e2e1:/var/log - | tar -tv`,
		Annotations: exits(exitOK, exitError),
		Args:        exactly("SRC", "DST"),
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := parseCopy(cmd, args[0], args[1])
			if err != nil {
				return err
			}
			s, err := service(e, e.services.pods)
			if err != nil {
				return err
			}
			p, err := s.Look(cmd.Context(), r.UUID)
			if err != nil {
				return err
			}
			if !p.running() && (r.In || p.State != "exited" && p.State != "exited garbage") {
				return &fault{
					err:  fmt.Errorf("cp: pod %s is %s, not running", p.UUID, p.State),
					hint: "files come out of pods that run or have ended, and go into pods that run",
				}
			}
			r.UUID = p.UUID
			if r.App, err = p.pickApp(app); err != nil {
				return err
			}
			l, err := service(e, e.services.launcher)
			if err != nil {
				return err
			}
			if !r.In && r.Local == "" && e.terminal {
				return errors.New("cp: a tar stream is not for a terminal")
			}
			if err := l.Copy(cmd.Context(), r); err != nil {
				return fmt.Errorf("cp: pod %s: %w", r.UUID, err)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&app, "app", "", "the app, where the pod has several")
	e.mustCompleteAppFlag(cmd, "app")
	return cmd
}

// parseCopy reads both places; one is in a pod.
func parseCopy(cmd *cobra.Command, src, dst string) (copyRequest, error) {
	uuid, from, isPod := inPod(src)
	if isPod {
		if _, _, both := inPod(dst); both {
			return copyRequest{}, usageError(cmd, "both places are in pods")
		}
		local, err := local(dst)
		return copyRequest{UUID: uuid, Path: from, Local: local}, err
	}
	uuid, to, isPod := inPod(dst)
	if !isPod {
		return copyRequest{}, usageError(cmd, "none of the places is in a pod: want UUID:PATH")
	}
	if src == "-" && !strings.HasSuffix(to, "/") {
		to += "/" // an archive may have several roots
	}
	name, err := local(src)
	return copyRequest{UUID: uuid, Path: to, Local: name, In: true}, err
}

// inPod splits UUID:PATH. A path of the host that holds a colon is written with a
// slash before it.
func inPod(place string) (uuid, path string, ok bool) {
	uuid, path, ok = strings.Cut(place, ":")
	if !ok || uuid == "" || path == "" || strings.Contains(uuid, "/") {
		return "", "", false
	}
	return uuid, path, true
}

// local makes a path of the host absolute, and keeps what its end means.
func local(name string) (string, error) {
	if name == "-" {
		return "", nil
	}
	abs, err := filepath.Abs(name)
	if err != nil {
		return "", err
	}
	switch {
	case name == "." || strings.HasSuffix(name, "/."):
		abs += "/."
	case strings.HasSuffix(name, "/"):
		abs += "/"
	}
	return abs, nil
}
