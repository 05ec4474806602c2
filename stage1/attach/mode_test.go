package attach_test

import (
	"strings"
	"testing"

	"github.com/raket/raket/pkg/streamwire"
	"github.com/raket/raket/stage1/attach"
)

func TestModes(t *testing.T) {
	for _, tt := range []struct {
		name, asked, modes, have string
		want                     byte
		terminal                 bool
		err                      string
	}{
		{name: "all of a terminal", asked: "auto", modes: "ttt", have: "tty-in tty-out", want: streamwire.WantIn | streamwire.WantOut, terminal: true},
		{name: "both directions of a terminal", asked: "tty", modes: "ttl", have: "tty-in tty-out", want: streamwire.WantIn | streamwire.WantOut, terminal: true},
		{name: "output of a terminal alone", asked: "tty-out", modes: "ttt", have: "tty-in tty-out", want: streamwire.WantOut, terminal: true},
		{name: "all pipes", asked: "auto", modes: "sss", have: "stdin stdout stderr", want: streamwire.WantIn | streamwire.WantOut | streamwire.WantErr},
		{name: "some pipes", asked: "stdin,stderr", modes: "sss", have: "stdin stdout stderr", want: streamwire.WantIn | streamwire.WantErr},
		{name: "output where input is nothing", asked: "auto", modes: "nsl", have: "stdout", want: streamwire.WantOut},
		{name: "a terminal of what has pipes", asked: "tty", modes: "sss", have: "stdin stdout stderr", err: `no "tty-in"`},
		{name: "a stream that is the log's", asked: "stderr", modes: "nsl", have: "stdout", err: "it has stdout"},
		{name: "no word", asked: "", modes: "nsl", have: "stdout", err: `no ""`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, err := streamwire.ParseModes(tt.modes)
			if err != nil {
				t.Fatal(err)
			}
			if have := strings.Join(attach.Endpoints(m), " "); have != tt.have {
				t.Errorf("endpoints %q, want %q", have, tt.have)
			}
			want, terminal, err := attach.Mode(tt.asked, m)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("error %v, want %s", err, tt.err)
				}
			} else if err != nil || want != tt.want || terminal != tt.terminal {
				t.Errorf("got %d, %t, %v", want, terminal, err)
			}
		})
	}
}
