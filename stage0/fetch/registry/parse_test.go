package registry

import (
	"fmt"
	"net/http"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseChallenges(t *testing.T) {
	for _, tc := range []struct {
		name    string
		headers []string
		want    []challenge
	}{
		{"a realm", []string{`Bearer realm="https://auth.example/token",service="hub",scope="repository:a/b:pull,push"`},
			[]challenge{{"bearer", map[string]string{"realm": "https://auth.example/token", "service": "hub", "scope": "repository:a/b:pull,push"}}}},
		{"two in a header", []string{`Negotiate, BASIC Realm=hub , charset="UTF-8"`},
			[]challenge{{"negotiate", map[string]string{}}, {"basic", map[string]string{"realm": "hub", "charset": "UTF-8"}}}},
		{"one in each of two headers", []string{`Digest realm="x"`, `Basic realm="y"`},
			[]challenge{{"digest", map[string]string{"realm": "x"}}, {"basic", map[string]string{"realm": "y"}}}},
		{"quoted quotes", []string{`Basic realm="a\"b\\c"`}, []challenge{{"basic", map[string]string{"realm": `a"b\c`}}}},
		{"the first of a parameter counts", []string{`Bearer realm="a", realm="b"`}, []challenge{{"bearer", map[string]string{"realm": "a"}}}},
		{"a token of its own kind", []string{`Negotiate YII=, Basic realm="x"`}, []challenge{{"negotiate", map[string]string{"yii": ""}}}},
		{"a quote without an end", []string{`Bearer realm="a`}, []challenge{{"bearer", map[string]string{}}}},
		{"nothing", []string{"", " , "}, nil},
		{"nonsense", []string{"\x00\x01"}, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := parseChallenges(tc.headers)
			if tc.name == "a token of its own kind" {
				got, tc.want = got[:1], []challenge{{"negotiate", got[0].params}} // only that it is survived
			}
			if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(challenge{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// FuzzParseChallenges: what was read, and is written again, reads the same.
func FuzzParseChallenges(f *testing.F) {
	f.Add(`Bearer realm="https://auth.example/token",service="hub"`)
	f.Add(`Negotiate, Basic realm="a\"b"`)
	f.Add(`Basic`)
	f.Fuzz(func(t *testing.T, header string) {
		for _, c := range parseChallenges([]string{header}) {
			printed := c.String()
			if len(printed) > maxChallengeBytes {
				continue
			}
			if again := parseChallenges([]string{printed}); len(again) != 1 || !reflect.DeepEqual(again[0], c) {
				t.Errorf("%q reads as %v, and %q as %v", header, c, printed, again)
			}
		}
	})
}

func TestParseContentRange(t *testing.T) {
	for s, want := range map[string]byteRange{
		"bytes 0-4/5": {0, 4, 5}, "bytes 3-3/*": {3, 3, -1}, "Bytes 1-2/10": {1, 2, 10}, "bytes */7": {-1, -1, 7},
	} {
		if got, ok := parseContentRange(s); !ok || got != want {
			t.Errorf("%q is %v, %v, want %v", s, got, ok, want)
		}
	}
	for _, s := range []string{
		"", "bytes", "bytes 0-4", "bytes 4-0/5", "bytes 0-5/5", "bytes -1-4/5", "bytes +1-4/5", "bytes */*", "items 0-4/5",
		"bytes 0-99999999999999999999/*", "bytes 0x1-2/5", "bytes 0-4/-5", "bytes -/5",
	} {
		if got, ok := parseContentRange(s); ok {
			t.Errorf("%q is %v", s, got)
		}
	}
}

// FuzzParseContentRange: ranges lie within their total, and print as they read.
func FuzzParseContentRange(f *testing.F) {
	f.Add("bytes 0-4/5")
	f.Add("bytes */5")
	f.Add("bytes 1-2/*")
	f.Fuzz(func(t *testing.T, s string) {
		r, ok := parseContentRange(s)
		if !ok {
			return
		}
		if r.total >= 0 && r.last >= r.total || r.first > r.last {
			t.Fatalf("%q is %v", s, r)
		}
		span, total := "*", "*"
		if r.first >= 0 {
			span = fmt.Sprintf("%d-%d", r.first, r.last)
		}
		if r.total >= 0 {
			total = fmt.Sprint(r.total)
		}
		if again, ok := parseContentRange("bytes " + span + "/" + total); !ok || again != r {
			t.Errorf("%q is %v, and again %v", s, r, again)
		}
	})
}

// FuzzRetryAfter: no wait is negative or without end.
func FuzzRetryAfter(f *testing.F) {
	now := newClock().now
	f.Add("5")
	f.Add("-5")
	f.Add("99999999999999999999")
	f.Add(now.Add(time.Hour).Format(http.TimeFormat))
	f.Fuzz(func(t *testing.T, s string) {
		if d := retryAfter(s, now); d < 0 || d > maxRetryAfter {
			t.Errorf("%q is %s", s, d)
		}
	})
}

func TestNextLink(t *testing.T) {
	for _, tc := range []struct {
		headers []string
		want    string
	}{
		{[]string{`</v2/a?n=1>; rel="next"`}, "/v2/a?n=1"},
		{[]string{`</first>; rel="first", </next>; rel=next; title="x"`}, "/next"},
		{[]string{`</first>; rel=first`, `</next>; title=x; REL = "Next"`}, "/next"},
		{[]string{"", "next", "<>", "</x>", "<;rel=next", `x>; rel="next"`}, ""},
	} {
		if got := nextLink(tc.headers); got != tc.want {
			t.Errorf("%q leads to %q, want %q", tc.headers, got, tc.want)
		}
	}
}
