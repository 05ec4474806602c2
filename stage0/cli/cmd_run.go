package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/raket/raket/pkg/appcredential"
	"github.com/raket/raket/pkg/atomicfile"
	"github.com/raket/raket/stage0/cli/appargs"
)

const grammarHelp = `A flag before the first image is for the pod, one after an image for that app. After
"--" come the app's arguments, to the end of the line or to "---", which lets
another image follow:

  raket %s --net=host docker://nginx --name=web -- -g "daemon off;" --- docker://filebeat

Environment variables come from, the later ones winning: --inherit-env, the image,
--set-env-file, --set-env, --environment.`

func newRun(e *env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "run [POD FLAGS] IMAGE [APP FLAGS] [-- ARGS... [---]] ...",
		Short: "Prepare a pod from images and run it",
		Long: `The images are fetched where the store lacks them, a pod is made of them, and this process
becomes the pod: raket does not stay. TERM ends the pod in order.

` + fmt.Sprintf(grammarHelp, "run"),
		Example: `raket run --net=host docker://registry.example/nginx:1.28
raket run --volume=logs,kind=empty --mount=volume=logs,target=/var/log/nginx nginx filebeat`,
		Annotations: exits(exitOK, exitApp, exitExec, exitNamespace, exitError),
	}
	takePodArgs(e, cmd, appargs.Run, func(ctx context.Context, p appargs.Pod) error {
		// First of all: what is missing is missing before anything is fetched.
		credentials, err := findCredentials(p, appcredential.HostSources())
		if err != nil {
			return err
		}
		uuid, err := e.prepare(ctx, p, false)
		if err != nil {
			return err
		}
		return e.launchNew(ctx, uuid, p, credentials)
	})
	return cmd
}

// launchNew starts a pod that was prepared for that. It comes back only with an error.
func (e *env) launchNew(ctx context.Context, uuid string, p appargs.Pod, credentials [][]appcredential.Credential) error {
	err := e.launch(ctx, runRequest{UUID: uuid, Options: p.Run, Quiet: p.Quiet, Credentials: credentials})
	if became := exitWith(0); errors.As(err, &became) {
		return err
	}
	// Nobody else knows of the pod that did not start.
	return errors.Join(err, e.discard(ctx, uuid, p.UUIDFile))
}

// grammarAnnotation says which appargs.Verb a command has the grammar of.
const grammarAnnotation = "grammar"

// takePodArgs gives a command the grammar of appargs: cobra sees the flags, for
// help and completion, but does not parse them.
func takePodArgs(e *env, cmd *cobra.Command, verb appargs.Verb, do func(context.Context, appargs.Pod) error) {
	cmd.DisableFlagParsing = true
	cmd.Annotations[grammarAnnotation] = strconv.Itoa(int(verb))
	for _, f := range appargs.Flags(verb) {
		if cmd.Flags().Lookup(f.Name) != nil {
			continue // of the pod already; after an image it means the app
		}
		described := cmd.Flags().VarPF(describedFlag{f}, f.Name, "", f.Usage)
		if f.Arg == "" {
			described.NoOptDefVal = "true"
		}
	}
	cmd.ValidArgsFunction = e.completePodArgs(verb)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		p, err := appargs.Parse(args, appargs.Options{Verb: verb, Globals: e.flags})
		switch {
		case errors.Is(err, pflag.ErrHelp):
			return printHelp(e.stdout, cmd)
		case err != nil:
			return cmp.Or(otherFlag(err), usageError(cmd, "%w", err))
		}
		return do(cmd.Context(), p)
	}
}

// describedFlag is a flag that cobra shows and appargs parses.
type describedFlag struct{ appargs.Flag }

func (f describedFlag) Set(string) error { return nil }
func (f describedFlag) String() string   { return "" }
func (f describedFlag) Type() string {
	if f.Arg == "" {
		return "bool"
	}
	return f.Arg
}

// prepare makes a pod of what was said, and leaves its UUID where it is wanted.
// keep is for a pod that is not started at once.
func (e *env) prepare(ctx context.Context, p appargs.Pod, keep bool) (string, error) {
	if err := addEnvironment(&p); err != nil {
		return "", err
	}
	prep, err := service(e, e.services.preparer)
	if err != nil {
		return "", err
	}
	uuid, err := prep.Prepare(ctx, p, keep)
	if err != nil {
		return "", fmt.Errorf("prepare pod: %w", err)
	}
	if p.UUIDFile != "" {
		if err := saveUUID(p.UUIDFile, uuid); err != nil {
			return "", errors.Join(err, e.discard(ctx, uuid, ""))
		}
	}
	return uuid, nil
}

// discard takes away a pod that was prepared in vain, and the file that names it.
func (e *env) discard(ctx context.Context, uuid, uuidFile string) error {
	k, err := service(e, e.services.keeper)
	if err != nil {
		return err
	}
	// Also where the user interrupted what went before.
	if err := k.Remove(context.WithoutCancel(ctx), uuid); err != nil {
		return &fault{err: fmt.Errorf("remove pod %s: %w", uuid, err), hint: "raket gc"}
	}
	if uuidFile == "" {
		return nil
	}
	return os.Remove(uuidFile)
}

// saveUUID replaces the file in one step: a reader sees a UUID or none.
func saveUUID(path, uuid string) error {
	const readable = 0o644
	abs, err := filepath.Abs(path)
	if err == nil {
		// Scripts read it while the pod lives; after a power loss there is no pod.
		err = atomicfile.Write(abs, []byte(uuid+"\n"), readable, atomicfile.Options{NoSync: true})
	}
	if err != nil {
		return fmt.Errorf("save UUID: %w", err)
	}
	return nil
}

// launch starts a prepared pod. It comes back only with an error.
func (e *env) launch(ctx context.Context, r runRequest) error {
	l, err := service(e, e.services.launcher)
	if err != nil {
		return err
	}
	if err := l.Run(ctx, r); err != nil {
		return fmt.Errorf("run pod %s: %w", r.UUID, err)
	}
	return nil
}
