package terminal

import (
	"errors"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

// Session is the caller's side of a command: its signals and, if it has one, its
// terminal.
type Session struct {
	// Stdin and Stdout are the caller's, of a command with a terminal. A nil Stdin
	// is not read.
	Stdin, Stdout *os.File
	// Pair is nil for a command without a terminal of its own.
	Pair *Pair
	// Signal hands a signal to the command.
	Signal func(syscall.Signal)

	signals chan os.Signal
	restore func() error
	output  sync.WaitGroup
}

// forwarded are the signals that are meant for the command when they come to whoever
// waits for it.
var forwarded = [...]os.Signal{
	syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGALRM, syscall.SIGCONT,
}

// Catch keeps signals from ending this process. Call it before the command starts:
// one that comes in between reaches the command.
func (s *Session) Catch() {
	s.signals = make(chan os.Signal, 64)
	signal.Notify(s.signals, forwarded[:]...)
	if s.Pair != nil {
		signal.Notify(s.signals, syscall.SIGWINCH)
		s.resize()
	}
}

// Begin connects the started command. The slave is the command's alone from now on.
func (s *Session) Begin() error {
	if s.Pair != nil {
		if err := s.Pair.Slave.Close(); err != nil {
			return err
		}
		if s.Stdin != nil && Is(int(s.Stdin.Fd())) {
			restore, err := Raw(int(s.Stdin.Fd()))
			if err != nil {
				return err
			}
			s.restore = restore
		}
		s.output.Go(s.copyOutput)
		if s.Stdin != nil {
			go func() { _, _ = io.Copy(onlyWriter{s.Pair.Master}, s.Stdin) }()
		}
	}
	go func() {
		for sig := range s.signals {
			switch sig, _ := sig.(syscall.Signal); sig {
			case syscall.SIGWINCH:
				s.resize()
			default:
				s.Signal(sig)
			}
		}
	}()
	return nil
}

// onlyWriter keeps io.Copy to plain reads and writes.
type onlyWriter struct{ io.Writer }

// copyOutput copies until nobody has the slave any more or, once the command has ended,
// until nothing has come for a while.
func (s *Session) copyOutput() {
	buf := make([]byte, 32<<10)
	quiet := false
	for {
		n, err := s.Pair.Master.Read(buf)
		if n > 0 {
			quiet = false
			if _, err := s.Stdout.Write(buf[:n]); err != nil {
				return
			}
		}
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded) && !quiet:
			quiet = true
			if s.Pair.Master.SetReadDeadline(time.Now().Add(drain)) != nil {
				return
			}
		case err != nil:
			return
		}
	}
}

func (s *Session) resize() {
	for _, f := range [...]*os.File{s.Stdin, s.Stdout} {
		if f != nil && CopySize(int(f.Fd()), s.Pair.master) == nil {
			return
		}
	}
}

// drain is how long to wait for output of a terminal that something in the background
// holds open, after the command has ended.
const drain = 50 * time.Millisecond

// End waits for the last output of the command, which has ended, and puts the caller's
// terminal back.
func (s *Session) End() error {
	var errs []error
	if s.Pair != nil {
		// The end of the output comes when nobody has the slave any more.
		errs = append(errs, s.Pair.Master.SetReadDeadline(time.Now()))
		s.output.Wait()
		errs = append(errs, s.Pair.Master.Close())
	}
	errs = append(errs, s.Restore())
	signal.Stop(s.signals)
	return errors.Join(errs...)
}

// Restore puts the caller's terminal back; it may be called at any time after Begin.
func (s *Session) Restore() error {
	if s.restore == nil {
		return nil
	}
	return s.restore()
}
