package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/raket/raket/pkg/streamwire"
)

func TestOptions(t *testing.T) {
	for line, want := range map[string]options{
		"-d /d -m ttt":                     {dir: "/d", modes: streamwire.Modes{'t', 't', 't'}, uid: -1},
		"-d /d -m nls -i 7 -l 2 -o /owner": {dir: "/d", modes: streamwire.Modes{'n', 'l', 's'}, uid: 7, logs: 2, owner: "/owner"},
		"-d /d -m sss -l 1 -h a -u b":      {dir: "/d", modes: streamwire.Modes{'s', 's', 's'}, uid: -1, logs: 1, identifier: "a", unit: "b"},
	} {
		if got, err := parse(strings.Fields(line)); err != nil || got != want {
			t.Errorf("%s: %+v, %v", line, got, err)
		}
	}
	for _, line := range []string{"", "-d", "-d /d", "-m ttt", "-d /d -m nll", "-d /d -m ttt -l 3", "-d /d -m ttt -i x", "-x y"} {
		if got, err := parse(strings.Fields(line)); err == nil {
			t.Errorf("%s: %+v", line, got)
		}
	}
}

// The app waits for a receiver that is full, but not for longer than patience, and what did
// not wait is counted.
func TestPatience(t *testing.T) {
	now := time.Now()
	var q queue
	for !q.blocks() {
		q.add(make([]byte, 1<<14), 1<<14, now)
	}
	if left := q.expire(now); left != patience {
		t.Errorf("%v are left, want %v", left, patience)
	}
	// One that goes on a little and stays full has its time all the same.
	q.took(10)
	if left := q.expire(now.Add(patience / 2)); left != patience/2 {
		t.Errorf("%v are left, want %v", left, patience/2)
	}
	q.add(make([]byte, 10), 10, now)
	q.expire(now.Add(patience))
	if q.blocks() {
		t.Error("the app waits for ever")
	}
	q.add([]byte("xlost"), 4, now)
	if _, ok := q.caughtUp(); ok {
		t.Error("it has caught up with a full queue")
	}
	for len(q.items) > 0 {
		q.took(len(q.items[0]))
	}
	if lost, ok := q.caughtUp(); !ok || lost != 4 || q.bytes != 0 {
		t.Errorf("lost %d, %v, %d bytes are left", lost, ok, q.bytes)
	}
	if _, ok := q.caughtUp(); ok {
		t.Error("it has caught up twice")
	}
	// One that catches up in time loses nothing.
	for !q.blocks() {
		q.add(make([]byte, 1<<14), 1<<14, now)
	}
	for q.bytes >= queueLimit/2 {
		q.took(len(q.items[0]))
	}
	if left := q.expire(now.Add(2 * patience)); left >= 0 || q.lagging {
		t.Errorf("%v are left, lagging %v", left, q.lagging)
	}
}

// What nobody was there for is kept, the last of it, for the first who comes.
func TestWhatWasMissed(t *testing.T) {
	m := newMux(options{modes: streamwire.Modes{'s', 's', 's'}}, -1)
	now := time.Now()
	for i := range 40 {
		m.deliver(kindOut, append([]byte{0}, bytes.Repeat([]byte{byte('a' + i%26)}, 3000)...), now)
	}
	m.deliver(kindErr, []byte("\x00oops"), now)
	if m.kept > missedLimit {
		t.Errorf("%d bytes are kept", m.kept)
	}
	errs := &client{fd: -1, want: streamwire.WantErr}
	m.recall(errs, now)
	if len(errs.items) != 1 || string(errs.items[0]) != "Roops" {
		t.Errorf("errors: %q", errs.items)
	}
	out := &client{fd: -1, want: streamwire.WantOut}
	m.recall(out, now)
	total := 0
	for _, f := range out.items {
		if f[0] != streamwire.Output {
			t.Fatalf("a frame %q", f[:1])
		}
		total += len(f) - 1
	}
	last := out.items[len(out.items)-1]
	if total < missedLimit-3100 || total > missedLimit || last[1] != byte('a'+39%26) || m.kept != 0 {
		t.Errorf("%d bytes, the last are %q; %d are still kept", total, last[1:3], m.kept)
	}
}

// The loop goes on when the only one to wait for does not read, and ends in time when it is
// told to.
func TestAStoppedClientStopsNobody(t *testing.T) {
	t.Chdir(t.TempDir())
	var end [2]int
	if err := unix.Pipe(end[:]); err != nil {
		t.Fatal(err)
	}
	m := newMux(options{dir: "mux", modes: streamwire.Modes{'n', 's', 's'}, uid: -1}, end[0])
	if err := errors.Join(m.makePipes(), m.listen()); err != nil {
		t.Fatal(err)
	}
	attach := func(want byte) int {
		pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET, 0)
		if err == nil {
			_, err = unix.Write(pair[1], []byte{streamwire.Hello, want})
		}
		if err != nil {
			t.Fatal(err)
		}
		m.clients = append(m.clients, &client{fd: pair[0]})
		return pair[1]
	}
	attach(streamwire.WantOut) // never reads
	reader := attach(streamwire.WantOut)
	const size = 3 << 20
	app := m.pipes[1].w
	over := make(chan error, 1)
	go func() { over <- m.loop() }()
	go func() {
		_ = writeAll(app, make([]byte, size))
		_ = unix.Close(end[1])
	}()
	got := 0
	for buf := make([]byte, streamwire.MaxFrame); ; {
		n, err := unix.Read(reader, buf)
		if err != nil || n == 0 {
			t.Fatalf("after %d bytes: %v", got, err)
		}
		if buf[0] == streamwire.Output {
			got += n - 1
		}
		if buf[0] == streamwire.Lost || buf[0] == streamwire.End {
			break
		}
	}
	if got != size {
		t.Errorf("who reads got %d bytes of %d", got, size)
	}
	if err := <-over; err != nil {
		t.Error(err)
	}
}

// An owner says Detach and is gone before that is read: also when output cannot reach it any
// more, the app keeps its terminal. Without a Detach it hangs up.
func TestAnOwnerThatIsGoneAtOnce(t *testing.T) {
	for name, tt := range map[string]struct {
		frames []string
		unread bool
		hungUp bool
	}{
		"detached":                        {frames: []string{"Ix", "D"}},
		"detached, with something unread": {frames: []string{"Ix", "D"}, unread: true},
		"gone":                            {frames: []string{"Ix"}, hungUp: true},
		"gone, with something unread":     {frames: []string{"Ix"}, unread: true, hungUp: true},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMux(options{modes: streamwire.Modes{'t', 't', 't'}}, -1)
			pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_NONBLOCK, 0)
			if err != nil {
				t.Fatal(err)
			}
			c := &client{fd: pair[0], owner: true}
			m.clients = append(m.clients, c)
			m.take(c, []byte{streamwire.Hello, streamwire.WantIn | streamwire.WantOut}, time.Now())
			if tt.unread {
				m.flush(c, time.Now())
			}
			for _, f := range tt.frames {
				if _, err := unix.Write(pair[1], []byte(f)); err != nil {
					t.Fatal(err)
				}
			}
			if err := unix.Close(pair[1]); err != nil {
				t.Fatal(err)
			}
			m.deliver(kindTTY, []byte("\x00output"), time.Now())
			for range 10 {
				m.serveClient(c, time.Now())
			}
			if c.fd >= 0 {
				t.Error("it is still there")
			}
			if m.hungUp != tt.hungUp {
				t.Errorf("hung up: %v, want %v", m.hungUp, tt.hungUp)
			}
		})
	}
}

// Clients are anybody who may reach the socket: what is no frame costs only who sent it.
func TestBadFrames(t *testing.T) {
	for name, frames := range map[string][]string{
		"no hello":              {"Ix"},
		"two":                   {"H\x07", "H\x07"},
		"a hello of nothing":    {"H\x00"},
		"a hello of a length":   {"H\x07\x07"},
		"an unknown letter":     {"H\x07", "?"},
		"input of who has none": {"H\x02", "Ix"},
		"input without an ack":  {"H\x07", "Ix", "Iy"},
		"input of no length":    {"H\x07", "I"},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMux(options{modes: streamwire.Modes{'s', 's', 's'}}, -1)
			// An input pipe that is full.
			var p [2]int
			if err := unix.Pipe2(p[:], unix.O_NONBLOCK); err != nil {
				t.Fatal(err)
			}
			defer unix.Close(p[0])
			for {
				if _, err := unix.Write(p[1], make([]byte, 4096)); err != nil {
					break
				}
			}
			m.pipes[0] = pipe{r: p[0], w: p[1]}
			pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_NONBLOCK, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer unix.Close(pair[1])
			c := &client{fd: pair[0]}
			m.clients = append(m.clients, c)
			for _, f := range frames {
				m.take(c, []byte(f), time.Now())
			}
			if c.fd >= 0 {
				t.Error("it is still there")
			}
		})
	}
}

func FuzzFrames(f *testing.F) {
	f.Add([]byte("H\x0f"), []byte("Ihello"), []byte("W\x00\x10\x00\x20"))
	f.Add([]byte("H\x01"), []byte("Z"), []byte("D"))
	f.Fuzz(func(t *testing.T, one, two, three []byte) {
		m := newMux(options{modes: streamwire.Modes{'t', 't', 't'}}, -1)
		pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_NONBLOCK, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(pair[1])
		c := &client{fd: pair[0]}
		m.clients = append(m.clients, c)
		for _, frame := range [][]byte{one, two, three} {
			if c.fd >= 0 && len(frame) > 0 {
				m.take(c, frame, time.Now())
			}
		}
		held := 0
		for _, in := range m.input {
			held += len(in.data)
		}
		if held > typedLimit {
			t.Errorf("%d bytes wait for a terminal", held)
		}
		if c.fd >= 0 {
			m.drop(c)
		}
	})
}
