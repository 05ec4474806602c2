package appargs

import (
	"errors"

	"github.com/raket/raket/pkg/appspec"
)

// streamFlags connect an app's standard streams.
func streamFlags() []flag {
	f := func(stream, arg, usage string, of func(*appspec.Streams) *appspec.StreamMode) flag {
		words := appspec.StreamModes(stream)
		return flag{Flag: Flag{Name: stream, Arg: arg, Usage: usage, Scope: ForApp, Words: words}, app: func(a *App, v string) error {
			mode, err := appspec.ParseStreamMode(stream, v)
			if err != nil {
				return &wordError{words}
			}
			*of(&a.Override.Streams) = mode
			return nil
		}}
	}
	return []flag{
		f("stdin", "FROM", "where the app reads: null, or a tty or a stream for raket attach", func(s *appspec.Streams) *appspec.StreamMode { return &s.Stdin }),
		f("stdout", "WHERE", "where the app writes: log, null, or a tty or a stream for raket attach, which the log has too", func(s *appspec.Streams) *appspec.StreamMode { return &s.Stdout }),
		f("stderr", "WHERE", "where the app's errors go: as --stdout", func(s *appspec.Streams) *appspec.StreamMode { return &s.Stderr }),
	}
}

// interactiveFlag gives the pod's app what raket run itself reads.
func interactiveFlag() flag {
	return flag{
		Flag: Flag{Name: "interactive", Usage: "give the only app this standard input, and where that is a terminal, a terminal; also -i, -it", Scope: ForRun},
		bare: "true",
		pod:  func(p *Pod, v string) error { return setBool(&p.Run.Interactive, v) },
	}
}

// checkInteractive refuses what an interactive pod cannot be.
func (p *Pod) checkInteractive() error {
	if !p.Run.Interactive {
		return nil
	}
	if len(p.Apps) > 1 {
		return errors.New("--interactive is for one app: start the others by another pod, or attach to one with raket attach")
	}
	for _, a := range p.Apps {
		if a.Override.Streams != (appspec.Streams{}) {
			return errors.New("--interactive excludes --stdin, --stdout and --stderr: the app has what raket run has")
		}
		if len(a.Sockets) > 0 {
			return errors.New("--interactive excludes --socket")
		}
	}
	return nil
}
