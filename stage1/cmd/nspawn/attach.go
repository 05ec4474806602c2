package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/raket/raket/pkg/approot"
	"github.com/raket/raket/pkg/appspec"
	"github.com/raket/raket/pkg/stageabi"
	"github.com/raket/raket/pkg/streamwire"
	"github.com/raket/raket/pkg/terminal"
	"github.com/raket/raket/stage1/attach"
	"github.com/raket/raket/stage1/unitgen"
)

// attachRequest is the entrypoint's command line.
type attachRequest struct {
	mode       string
	keys       []byte
	closeStdin bool
	app        string
}

func parseAttach(args []string) (attachRequest, error) {
	r := attachRequest{mode: "auto"}
	keys := terminal.DefaultDetachKeys
	for len(args) > 0 && strings.HasPrefix(args[0], "--") {
		name, value, _ := strings.Cut(args[0], "=")
		switch name {
		case "--mode":
			r.mode = value
		case "--detach-keys":
			keys = value
		case "--close-stdin":
			r.closeStdin = true
		default:
			return r, fmt.Errorf("attach: unknown option %q", name)
		}
		args = args[1:]
	}
	if len(args) != 2 {
		return r, errors.New("attach: want UUID and APP")
	}
	r.app = args[1]
	var err error
	if r.keys, err = terminal.ParseKeys(keys); err != nil {
		return r, fmt.Errorf("attach: --detach-keys: %w", err)
	}
	return r, nil
}

// attachTo connects the standard streams to an app's: attach [OPTION]… UUID APP. It
// returns the app's exit status, if the app ends meanwhile.
func attachTo(args []string, stdout io.Writer) (int, error) {
	r, err := parseAttach(args)
	if err != nil {
		return 0, err
	}
	modes, err := appModes(".", r.app)
	if err != nil {
		return 0, err
	}
	if !modes.Held() {
		return 0, fmt.Errorf("app %s has no streams to attach to: it was prepared without --stdin, --stdout and --stderr=tty or stream", r.app)
	}
	if r.mode == "list" {
		_, err := fmt.Fprintln(stdout, strings.Join(attach.Endpoints(modes), "\n"))
		return 0, err
	}
	s := attach.Session{DetachKeys: r.keys, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr}
	if s.Want, s.Terminal, err = attach.Mode(r.mode, modes); err != nil {
		return 0, fmt.Errorf("app %s: %w", r.app, err)
	}
	if r.closeStdin {
		s.Want |= streamwire.WantEnd
	}
	conn, err := dialStreams(r.app)
	if err != nil {
		return 0, err
	}
	result, err := s.Run(conn)
	if err != nil {
		return 0, fmt.Errorf("app %s: %w", r.app, err)
	}
	switch result.How {
	case attach.Signaled:
		return signalStatus + int(result.Signal), nil
	case attach.AppEnded:
		if st, err := stageabi.ReadAppStatus(".", r.app); err == nil && st.Code != 0 {
			return st.Code, nil
		}
	}
	if result.Lost > 0 && !terminal.Is(int(os.Stdout.Fd())) {
		return 0, fmt.Errorf("app %s: %d bytes of output were left out", r.app, result.Lost)
	}
	return 0, nil
}

// signalStatus and a signal's number are the exit status of what it killed.
const signalStatus = 128

// appModes are the modes of an app's streams.
func appModes(dir, app string) (streamwire.Modes, error) {
	s, err := stageabi.ReadSandbox(dir)
	if err != nil {
		return streamwire.Modes{}, err
	}
	spec, err := approot.ReadSpec(dir, app)
	if err != nil {
		return streamwire.Modes{}, fmt.Errorf("app %s: %w", app, err)
	}
	a := unitgen.App{Name: app, Spec: spec}
	if s.Interactive {
		a.Interactive = unitgen.InteractiveTerminal
	}
	return unitgen.Modes(a)
}

// dialStreams connects to what holds an app's streams, in the pod's root.
func dialStreams(app string) (*net.UnixConn, error) {
	pid, err := leader()
	if err != nil {
		return nil, err
	}
	path := filepath.Join("/proc", strconv.Itoa(pid), "root", unitgen.MuxDir(app), streamwire.ClientSocket)
	conn, err := net.DialUnix("unixpacket", nil, &net.UnixAddr{Name: path, Net: "unixpacket"})
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ECONNREFUSED) {
		return nil, fmt.Errorf("app %s does not run: there is nothing to attach to", app)
	}
	if err != nil {
		return nil, fmt.Errorf("attach to app %s: %w", app, err)
	}
	return conn, nil
}

// termOf completes the environment of an app with a terminal by what the caller's is.
func termOf(spec *appspec.Spec) {
	if term := os.Getenv("TERM"); term != "" {
		spec.Process.Env = appspec.MergeEnv(nil, spec.Process.Env, []string{"TERM=" + term})
	}
}
