package netrate

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTake(t *testing.T) {
	for name, tt := range map[string]struct {
		args  string
		want  Limits
		rest  string
		fails string
	}{
		"nothing of it":              {args: "IP=10.1.0.9;ROOM=7", rest: "IP=10.1.0.9;ROOM=7"},
		"a burst is found":           {args: "ingressRate=8M", want: Limits{IngressRate: 8e6, IngressBurst: 800e3}},
		"a small one's is larger":    {args: "egressRate=8k;A=b", want: Limits{EgressRate: 8000, EgressBurst: 256e3}, rest: "A=b"},
		"a large one's is smaller":   {args: "egressRate=1T", want: Limits{EgressRate: 1e12, EgressBurst: 8e9}},
		"both, with all":             {args: "ingressRate=1Mi;ingressBurst=64k;egressRate=2.5M;egressBurst=1M", want: Limits{1 << 20, 64e3, 2.5e6, 1e6}},
		"a burst alone":              {args: "egressBurst=1M", fails: "egressBurst says nothing without egressRate"},
		"twice":                      {args: "egressRate=1M;egressRate=2M", fails: "egressRate is given twice"},
		"no number":                  {args: "ingressRate=fast", fails: `ingressRate: quantity "fast"`},
		"nothing passes":             {args: "ingressRate=0", fails: "ingressRate: 0 lets nothing pass"},
		"slower than can be kept":    {args: "ingressRate=100", fails: "ingressRate: 100 bits per second, want 8k to 1T"},
		"a burst less than a packet": {args: "ingressRate=1M;ingressBurst=8k", fails: "ingressBurst: 8000 bits, want 16k to 8G"},
		"a burst of minutes":         {args: "ingressRate=10k;ingressBurst=2M", fails: "at most 120 seconds of ingressRate"},
	} {
		t.Run(name, func(t *testing.T) {
			got, rest, err := Take(split(tt.args))
			if (err == nil) != (tt.fails == "") || err != nil && !strings.Contains(err.Error(), tt.fails) {
				t.Fatalf("got %v, want %q", err, tt.fails)
			}
			if err != nil {
				return
			}
			if got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
			if diff := cmp.Diff(split(tt.rest), rest); diff != "" {
				t.Errorf("rest (-want +got):\n%s", diff)
			}
		})
	}
}

func split(args string) [][2]string {
	var list [][2]string
	for arg := range strings.SplitSeq(args, ";") {
		if k, v, ok := strings.Cut(arg, "="); ok {
			list = append(list, [2]string{k, v})
		}
	}
	return list
}
