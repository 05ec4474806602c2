package cli

import (
	"bufio"
	"fmt"
	"time"

	"github.com/spf13/cobra"
)

func newAppList(e *env) *cobra.Command {
	var from podArgs
	var t tableFlags
	cmd := &cobra.Command{
		Use:         "list UUID",
		Short:       "List the apps of a pod",
		Long:        `One line for each app: its name, and whether it is created, running or exited.`,
		Example:     `raket app list 2fd6e2e1`,
		Annotations: exits(exitOK, exitError),
		RunE: func(cmd *cobra.Command, args []string) error {
			uuids, err := from.uuids(cmd, args)
			if err != nil {
				return err
			}
			if len(uuids) > 1 {
				return usageError(cmd, "unexpected argument %q", uuids[1])
			}
			p, err := e.findPod(cmd, uuids[0])
			if err != nil {
				return fmt.Errorf("list apps: %w", err)
			}
			if t.isJSON() {
				return t.printJSON(e.stdout, toJSON(p).Apps)
			}
			return e.printTable(t.appLegend(), e.appRows(p, t.full))
		},
		ValidArgsFunction: e.completePods(func(pod) bool { return true }, 1),
	}
	from.define(cmd)
	t.define(cmd, "print image, times and exit code too")
	return cmd
}

func (t *tableFlags) appLegend() []string {
	switch {
	case t.noLegend:
		return nil
	case t.full:
		return []string{"NAME", "STATE", "IMAGE NAME", "CREATED", "STARTED", "FINISHED", "EXIT CODE", "RESTARTS"}
	}
	return []string{"NAME", "STATE"}
}

func (e *env) appRows(p pod, full bool) [][]string {
	var rows [][]string
	for _, a := range p.Apps {
		row := []string{a.Name, a.State}
		if full {
			code := ""
			if a.ExitCode != nil {
				code = fmt.Sprint(*a.ExitCode)
			}
			row = append(row, a.ImageName, e.moment(a.Created, true), e.moment(a.Started, true), e.moment(a.Ended, true), code, fmt.Sprint(a.Restarts))
		}
		rows = append(rows, row)
	}
	return rows
}

func newAppStatus(e *env) *cobra.Command {
	var from appArgs
	var format *choice
	cmd := &cobra.Command{
		Use:   "status UUID APP",
		Short: "Print the state of an app",
		Long: `As lines of NAME=VALUE: name, state, image, image_id, created_at, started_at, finished_at, exit_code,
signal, reason and restarts, of which those are left out that do not apply. finished_at and what follows are
of the last run that ended; they outlive the app's end and the pod's. Where the last raket app update was
taken back, update_taken_back_at, update_image and update_error say when, to what image, and why.`,
		Example:     `raket app status --format=json 2fd6e2e1 web`,
		Annotations: exits(exitOK, exitError),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, name, err := from.find(e, cmd, args, true)
			if err != nil {
				return fmt.Errorf("app status: %w", err)
			}
			for i, a := range p.Apps {
				if a.Name != name {
					continue
				}
				if format.value != formatTable {
					return printJSON(e.stdout, toJSON(p).Apps[i], format.value == formatJSONPretty)
				}
				return e.printAppStatus(a)
			}
			return fmt.Errorf("app status: pod %s has no app %q", p.UUID, name)
		},
	}
	from.define(e, cmd)
	format = choiceFlag(cmd, "format", formatTable, "print lines or JSON", formatTable, formatJSON, formatJSONPretty)
	return cmd
}

func (e *env) printAppStatus(a podApp) error {
	w := bufio.NewWriter(e.stdout)
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(w, "%s=%s\n", name, printable(value))
		}
	}
	moment := func(name string, t time.Time) {
		if !t.IsZero() {
			line(name, t.Format(timeLayout))
		}
	}
	line("name", a.Name)
	line("state", a.State)
	line("image", a.ImageName)
	line("image_id", a.ImageID)
	moment("created_at", a.Created)
	moment("started_at", a.Started)
	moment("finished_at", a.Ended)
	if a.ExitCode != nil {
		line("exit_code", fmt.Sprint(*a.ExitCode))
	}
	line("signal", a.Signal)
	line("reason", a.Reason)
	line("restarts", fmt.Sprint(a.Restarts))
	if b := a.Setback; b != nil {
		moment("update_taken_back_at", b.At)
		line("update_image", b.Image)
		line("update_error", b.Why)
	}
	return w.Flush()
}

func newAppSpec(e *env) *cobra.Command {
	var from appArgs
	cmd := &cobra.Command{
		Use:   "spec UUID APP",
		Short: "Print how an app runs, as an OCI runtime-spec config.json",
		Long: `The spec is what the pod's stage1 made the app's unit of: what the image says and what was said
about the app, resolved. With the app's root beside it, it is an OCI bundle.`,
		Example:     `raket app spec 2fd6e2e1 web`,
		Annotations: exits(exitOK, exitError),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, app, err := from.find(e, cmd, args, false)
			if err != nil {
				return fmt.Errorf("app spec: %w", err)
			}
			k, err := service(e, e.services.apps)
			if err != nil {
				return err
			}
			text, err := k.Spec(cmd.Context(), p.UUID, app)
			if err != nil {
				return fmt.Errorf("app spec: pod %s: %w", p.UUID, err)
			}
			_, err = e.stdout.Write(text)
			return err
		},
	}
	from.define(e, cmd)
	return cmd
}
