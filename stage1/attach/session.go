package attach

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/raket/raket/pkg/streamwire"
	"github.com/raket/raket/pkg/terminal"
)

// Session is one client's part.
type Session struct {
	// Want is what it takes part in (streamwire.WantIn …).
	Want byte
	// Terminal says that the app has one: the caller's, if it is one, follows in size, and
	// is in raw mode while its keys go to the app.
	Terminal bool
	// DetachKeys end the session when they are typed at a terminal; none if empty.
	DetachKeys []byte
	// Stdin, Stdout and Stderr are the caller's.
	Stdin, Stdout, Stderr *os.File
	// Signal is called for SIGINT, SIGQUIT, SIGTERM and SIGHUP, and says whether the session
	// goes on. Nil ends it.
	Signal func(syscall.Signal) bool

	conn    io.ReadWriteCloser
	raw     atomic.Bool
	restore func() error
	acks    chan struct{}
	ended   chan ending
}

// How a session ends.
type ending struct {
	how How
	sig syscall.Signal
	err error
}

// How says why a session ended.
type How int

// The ways.
const (
	AppEnded  How = iota + 1
	Detached      // the keys were typed
	InputOver     // it was of input alone, and that has ended
	Signaled      // see Result.Signal
)

// Result is how a session ended.
type Result struct {
	How    How
	Signal syscall.Signal
	// Lost is how many bytes of output did not wait for this client.
	Lost uint64
}

// Run takes part until the app has ended or the caller wants no more. The caller's terminal
// is put back. conn keeps the borders of packets, and is closed.
func (s *Session) Run(conn io.ReadWriteCloser) (r Result, err error) {
	s.conn = conn
	s.acks = make(chan struct{}, 1)
	s.ended = make(chan ending, 4)
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGWINCH, syscall.SIGCONT)
	defer signal.Stop(signals)
	defer func() { err = errors.Join(err, s.putBack(), conn.Close()) }()
	if _, err := conn.Write([]byte{streamwire.Hello, s.Want}); err != nil {
		return r, err
	}
	if err := s.takeTerminal(); err != nil {
		return r, err
	}
	go func() {
		for sig := range signals {
			s.signaled(sig.(syscall.Signal))
		}
	}()
	var lost atomic.Uint64
	go func() { s.ended <- s.output(&lost) }()
	if s.Want&streamwire.WantIn != 0 {
		go s.input()
	}
	end := <-s.ended
	if end.how == Detached {
		_, err := conn.Write([]byte{streamwire.Detach})
		end.err = errors.Join(end.err, err)
	}
	return Result{How: end.how, Signal: end.sig, Lost: lost.Load()}, end.err
}

// takeTerminal puts the caller's terminal into raw mode, if its keys are the app's.
func (s *Session) takeTerminal() error {
	if !s.Terminal {
		return nil
	}
	s.resize()
	if s.Want&streamwire.WantIn == 0 || !terminal.Is(int(s.Stdin.Fd())) {
		return nil
	}
	restore, err := terminal.Raw(int(s.Stdin.Fd()))
	if err != nil {
		return err
	}
	s.restore = restore
	s.raw.Store(true)
	return nil
}

func (s *Session) putBack() error {
	if s.restore == nil {
		return nil
	}
	s.raw.Store(false)
	return s.restore()
}

// resize tells how large the caller's terminal is, if there is one.
func (s *Session) resize() {
	for _, f := range [...]*os.File{s.Stdout, s.Stdin} {
		size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
		if err != nil || size.Row == 0 || size.Col == 0 {
			continue
		}
		frame := make([]byte, 5)
		frame[0] = streamwire.Size
		streamwire.PutUint(frame[1:3], uint64(size.Row))
		streamwire.PutUint(frame[3:5], uint64(size.Col))
		_, _ = s.conn.Write(frame)
		return
	}
}

func (s *Session) signaled(sig syscall.Signal) {
	switch sig {
	case syscall.SIGWINCH:
		if s.Terminal {
			s.resize()
		}
	case syscall.SIGCONT:
		// Whoever had the terminal meanwhile has its modes.
		if s.raw.Load() {
			_, _ = terminal.Raw(int(s.Stdin.Fd()))
			s.resize()
		}
	default:
		if s.Signal == nil || !s.Signal(sig) {
			s.ended <- ending{how: Signaled, sig: sig}
		}
	}
}

// output writes what comes until there is no more.
func (s *Session) output(lost *atomic.Uint64) ending {
	buf := make([]byte, streamwire.MaxFrame)
	for {
		n, err := s.conn.Read(buf)
		if err != nil || n == 0 {
			return ending{err: errors.New("the connection to the app's streams broke")}
		}
		body := buf[1:n]
		switch buf[0] {
		case streamwire.Output:
			_, err = s.Stdout.Write(body)
		case streamwire.Errors:
			_, err = s.Stderr.Write(body)
		case streamwire.Ack:
			select {
			case s.acks <- struct{}{}:
			default: // of nothing that was sent
			}
		case streamwire.Lost:
			count := streamwire.Uint(body)
			lost.Add(count)
			s.say(fmt.Sprintf("%d bytes of output were left out: this end did not read them in time", count))
		case streamwire.Refused:
			return ending{err: errors.New(string(body))}
		case streamwire.End:
			return ending{how: AppEnded}
		}
		if err != nil {
			return ending{err: err}
		}
	}
}

// say tells the caller something, amid the app's output.
func (s *Session) say(text string) {
	end := "\n"
	if s.raw.Load() {
		end = "\r\n"
	}
	_, _ = s.Stderr.WriteString("raket: " + text + end)
}

// input passes on what the caller types or writes.
func (s *Session) input() {
	keys := terminal.Keys{}
	if terminal.Is(int(s.Stdin.Fd())) {
		keys.Sequence = s.DetachKeys
	}
	buf := make([]byte, streamwire.MaxFrame-1)
	for {
		n, err := s.Stdin.Read(buf)
		pass, detach := keys.Filter(buf[:n])
		if len(pass) > 0 {
			if _, err := s.conn.Write(append([]byte{streamwire.Input}, pass...)); err != nil {
				return // the other half says why
			}
			<-s.acks
		}
		if detach {
			s.ended <- ending{how: Detached}
			return
		}
		if err == nil {
			continue
		}
		if s.Want&streamwire.WantEnd != 0 {
			_, _ = s.conn.Write([]byte{streamwire.EndIn})
		}
		if s.Want&(streamwire.WantOut|streamwire.WantErr) == 0 {
			s.ended <- ending{how: InputOver}
		}
		return
	}
}
