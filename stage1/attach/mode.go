package attach

import (
	"fmt"
	"slices"
	"strings"

	"github.com/raket/raket/pkg/streamwire"
)

// Endpoints are what of an app can be attached to, in rkt's words.
func Endpoints(m streamwire.Modes) []string {
	var list []string
	if m[0] == streamwire.TTY {
		list = append(list, "tty-in")
	}
	if m.Has(streamwire.TTY) {
		list = append(list, "tty-out") // the echo, where it is no more
	}
	for i, name := range [...]string{"stdin", "stdout", "stderr"} {
		if m[i] == streamwire.Stream {
			list = append(list, name)
		}
	}
	return list
}

// Mode is what a client of an app with the modes m takes part in, and whether that is a
// terminal. asked is words of Endpoints with commas between, "tty" for both directions of
// it, or "auto" for all there are.
func Mode(asked string, m streamwire.Modes) (want byte, terminal bool, err error) {
	have := Endpoints(m)
	var words []string
	for word := range strings.SplitSeq(asked, ",") {
		switch word {
		case "auto":
			words = append(words, have...)
		case "tty":
			words = append(words, "tty-in", "tty-out")
		default:
			words = append(words, word)
		}
	}
	for _, word := range words {
		if !slices.Contains(have, word) {
			return 0, false, fmt.Errorf("the app has no %q to attach to; it has %s", word, strings.Join(have, ", "))
		}
		switch word {
		case "tty-in", "stdin":
			want |= streamwire.WantIn
		case "tty-out", "stdout":
			want |= streamwire.WantOut
		case "stderr":
			want |= streamwire.WantErr
		}
		terminal = terminal || strings.HasPrefix(word, "tty")
	}
	return want, terminal, nil
}
