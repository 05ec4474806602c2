package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/coreos/go-systemd/v22/daemon"

	"github.com/raket/raket/tests/images/inotify"
)

// maxText bounds the trigger file: it is a line or two.
const maxText = 4096

type options struct {
	conf, trigger, pidfile string
	port                   int
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var o options
	flags := flag.NewFlagSet("reloader", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&o.conf, "conf", "/etc/nginx/conf.d/default.conf", "configuration `file` to write")
	flags.StringVar(&o.trigger, "trigger", "/etc/nginx/conf.d/answer.txt", "`file` whose text becomes the answer")
	flags.StringVar(&o.pidfile, "pidfile", "", "nginx's pid `file` (default: look in /proc)")
	flags.IntVar(&o.port, "listen", 80, "`port` that nginx listens on")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	if err := serve(ctx, o, stdout); err != nil {
		fmt.Fprintln(stderr, "reloader:", err)
		return 1
	}
	return 0
}

func serve(ctx context.Context, o options, stdout io.Writer) error {
	if _, err := os.Stat(o.conf); errors.Is(err, fs.ErrNotExist) {
		if err := writeConf(o, "hello from the pod"); err != nil {
			return err
		}
		fmt.Fprintf(stdout, "wrote a first %s\n", o.conf)
		// An nginx that has started already has read nothing; one that has not will read it.
		if pid := awaitMaster(ctx, o.pidfile); pid != 0 {
			if err := syscall.Kill(pid, syscall.SIGHUP); err != nil {
				return fmt.Errorf("send HUP to %d: %w", pid, err)
			}
		}
	}
	w, err := inotify.Dir(filepath.Dir(o.trigger))
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { w.Close() })
	defer stop()

	changed := make(chan error)
	go func() {
		for {
			err := w.Wait()
			select {
			case changed <- err:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
	}()
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGUSR1)
	defer signal.Stop(asked)

	last, err := readTrigger(o.trigger)
	if err != nil {
		return err
	}
	if _, err := daemon.SdNotify(false, daemon.SdNotifyReady); err != nil {
		return fmt.Errorf("tell the service manager: %w", err)
	}
	for {
		force := false
		select {
		case <-ctx.Done():
			return nil
		case err := <-changed:
			if err != nil {
				if ctx.Err() != nil {
					return nil
				}
				return err
			}
		case <-asked:
			force = true
		}
		text, err := readTrigger(o.trigger)
		if err != nil {
			return err
		}
		if text == "" || text == last && !force {
			continue
		}
		last = text
		pid, err := reload(o, text)
		if err != nil {
			// The next change may find nginx there again.
			fmt.Fprintln(stdout, "cannot reload:", err)
			continue
		}
		fmt.Fprintf(stdout, "reloaded nginx (PID %d): %q\n", pid, text)
	}
}

// readTrigger returns the trigger's text, "" when it is not there or empty.
func readTrigger(path string) (string, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxText))
	return strings.TrimSpace(string(b)), err
}
