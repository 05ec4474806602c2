package unitgen

import (
	"fmt"
	"hash/fnv"
	"strconv"

	"github.com/raket/raket/pkg/appspec"
	"github.com/raket/raket/pkg/journalstream"
	"github.com/raket/raket/pkg/stageabi"
	"github.com/raket/raket/pkg/streamwire"
	"github.com/raket/raket/pkg/unitfile"
)

// MuxPath has a directory for each app whose streams somebody holds, in the pod's root.
const MuxPath = "/raket/mux"

// muxProgram holds the streams of one app.
const muxProgram = "/raket/bin/mux"

// OwnerPath is the socket of whoever owns the terminal of an interactive pod's app.
const OwnerPath = "/raket/owner"

// Interactive says how an app has the standard input of raket run.
type Interactive string

// The ways.
const (
	InteractiveNot      Interactive = ""
	InteractivePipe     Interactive = "pipe"     // it opens it itself: a pipe or a file
	InteractiveTerminal Interactive = "terminal" // all its streams are a terminal, whose owner is at OwnerPath
)

// MuxDir is the directory of an app's streams. The names of its sockets have to fit into
// an address of 108 bytes, names of apps do not.
func MuxDir(app string) string { return MuxPath + "/" + shortName(app) }

// shortName stands for an app in the address of a socket.
func shortName(app string) string {
	const most = 48
	if len(app) <= most {
		return app
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(app))
	return "." + strconv.FormatUint(h.Sum64(), 16) // no app's name begins with a dot
}

// MuxUnit is the unit that holds an app's streams. It has a dot in its name, which no
// app has.
func MuxUnit(app string) string { return app + ".mux.service" }

// Modes are what an app's streams are connected to.
func Modes(a App) (streamwire.Modes, error) {
	read := appspec.StreamsOf
	if a.Interactive != InteractiveNot {
		read = appspec.SaidStreams // the caller's can be opened
	}
	s, err := read(a.Spec)
	if err != nil {
		return streamwire.Modes{}, err
	}
	if a.Interactive != InteractiveNot && s != (appspec.Streams{}) {
		return streamwire.Modes{}, fmt.Errorf("its streams have modes of their own (--stdin, --stdout, --stderr), and an interactive pod's are the caller's")
	}
	if a.Interactive == InteractiveTerminal {
		return streamwire.Modes{streamwire.TTY, streamwire.TTY, streamwire.TTY}, nil
	}
	letter := map[appspec.StreamMode]byte{
		appspec.StreamNull: streamwire.Null, appspec.StreamLog: streamwire.Log, appspec.StreamTTY: streamwire.TTY, appspec.StreamPipe: streamwire.Stream,
	}
	m := streamwire.Modes{streamwire.Null, streamwire.Log, streamwire.Log}
	for i, mode := range [...]appspec.StreamMode{s.Stdin, s.Stdout, s.Stderr} {
		if mode != "" {
			m[i] = letter[mode]
		}
	}
	return m, nil
}

// streams connects an app's standard streams. A path that turns out to be a socket is
// connected to; with one path for input and output, the two are one connection, on which
// exec asks for the streams that somebody holds.
func streams(f *unitfile.File, p Pod, a App, m streamwire.Modes) {
	if m.Held() {
		socket := "file:" + MuxDir(a.Name) + "/" + streamwire.AppSocket
		f.Set("StandardInput", socket)
		f.Set("StandardOutput", socket)
		f.Set("StandardError", "inherit")
		f.Set("SyslogIdentifier", a.Name)
		return
	}
	if m == (streamwire.Modes{streamwire.Null, streamwire.Log, streamwire.Log}) && a.Interactive == InteractiveNot {
		output(f, p.Log, a.Name)
		return
	}
	stdin, stdout, stderr := "null", logTarget(p.Log, a.Name, 1), logTarget(p.Log, a.Name, 2)
	if a.Interactive == InteractivePipe {
		stdin = "file:" + StreamsPath + "/0"
	}
	switch {
	case m[1] == streamwire.Null:
		stdout = "null"
	case stderr == stdout:
		stderr = "inherit"
	}
	if m[2] == streamwire.Null {
		stderr = "null"
	}
	f.Set("StandardInput", stdin)
	f.Set("StandardOutput", stdout)
	f.Set("StandardError", stderr)
	f.Set("SyslogIdentifier", a.Name)
}

// output connects the output of a unit of an app to the log, and its input to nothing.
// Where it is a socket, exec speaks journald's protocol there.
func output(f *unitfile.File, l Log, app string) {
	stdout, stderr := logTarget(l, app, 1), logTarget(l, app, 2)
	if stderr == stdout && stdout != "null" {
		stderr = "inherit"
	}
	f.Set("StandardInput", "null")
	f.Set("StandardOutput", stdout)
	f.Set("StandardError", stderr)
	f.Set("SyslogIdentifier", app)
}

// logTarget is where the log of a stream is: 1 for output, 2 for errors.
func logTarget(l Log, app string, stream int) string {
	switch l.Mode {
	case stageabi.LogJournal:
		return "file:" + journalstream.SocketPath
	case stageabi.LogFile:
		return "append:" + LogsPath + "/" + app + ".log"
	case stageabi.LogConsole:
		return "append:" + StreamsPath + "/" + strconv.Itoa(stream)
	}
	return "null"
}

// journalArgs tell exec to introduce itself to journald, where one of its descriptors is
// a connection to it.
func journalArgs(l Log, app string, m streamwire.Modes) []string {
	if l.Mode != stageabi.LogJournal || m.Held() || m[1] != streamwire.Log && m[2] != streamwire.Log {
		return nil
	}
	args := []string{"-h", app, "-u", l.HostUnit}
	if m[1] != streamwire.Log {
		args = append(args, "-j")
	}
	return args
}

// muxUnit renders the unit that holds an app's streams. It comes and goes with the app's,
// but for restarts, and is in no limit of the apps'.
func muxUnit(p Pod, a App, m streamwire.Modes) *unitfile.File {
	f := newUnit("Streams of " + a.Name)
	f.Words("Conflicts", "shutdown.target")
	f.Words("Before", "shutdown.target")
	f.Set("StopWhenUnneeded", "yes")
	f.Section("Service")
	f.Set("Type", "notify")
	f.Set("Slice", "-.slice")
	f.Set("Restart", "on-failure")
	f.Set("RestartSec", "0")
	f.Set("FileDescriptorStoreMax", "16")
	f.Set("NoNewPrivileges", "yes")
	uid := a.Spec.Process.User.UID
	if uid == 0 {
		f.Set("CapabilityBoundingSet", "")
	} else {
		f.Words("CapabilityBoundingSet", "CAP_CHOWN")
	}
	output(f, p.Log, a.Name)
	argv := []string{muxProgram, "-d", MuxDir(a.Name), "-m", m.String()}
	if uid != 0 {
		argv = append(argv, "-i", strconv.FormatUint(uint64(uid), 10))
	}
	switch p.Log.Mode {
	case stageabi.LogJournal:
		argv = append(argv, "-l", "1", "-h", a.Name, "-u", p.Log.HostUnit)
	case stageabi.LogFile:
		argv = append(argv, "-l", "1")
	case stageabi.LogConsole:
		argv = append(argv, "-l", "2")
	}
	if a.Interactive == InteractiveTerminal {
		argv = append(argv, "-o", OwnerPath)
	}
	f.Exec("ExecStart", "", argv)
	return f
}
