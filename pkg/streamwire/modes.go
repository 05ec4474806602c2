package streamwire

import (
	"errors"
	"strconv"
)

// What a standard stream of an app is connected to.
const (
	Null   = 'n' // nothing
	Log    = 'l' // the pod's log; of output only
	TTY    = 't' // a terminal, one for all streams that have it
	Stream = 's' // a pipe
)

// Modes are those of standard input, output and error.
type Modes [3]byte

// ParseModes reads three letters.
func ParseModes(s string) (m Modes, err error) {
	if len(s) != len(m) {
		return m, errors.New("not the modes of three streams: " + strconv.Quote(s))
	}
	for i := range m {
		switch m[i] = s[i]; {
		case m[i] == Null, m[i] == TTY, m[i] == Stream, m[i] == Log && i > 0:
		default:
			return m, errors.New("not a mode: " + strconv.Quote(s[i:i+1]))
		}
	}
	return m, nil
}

func (m Modes) String() string { return string(m[:]) }

// Has reports whether one of the streams has a mode.
func (m Modes) Has(mode byte) bool { return m[0] == mode || m[1] == mode || m[2] == mode }

// Held reports whether somebody has to hold one of the streams for the app.
func (m Modes) Held() bool { return m.Has(TTY) || m.Has(Stream) }
