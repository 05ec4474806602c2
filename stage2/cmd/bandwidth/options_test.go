package main

import "testing"

func TestCommandLines(t *testing.T) {
	for name, tc := range map[string]struct {
		args []string
		want options
		bad  bool
	}{
		"to limit":           {args: []string{"-h", "a", "-u", "web.service", "-s", "5", "a"}, want: options{identifier: "a", unit: "web.service", bytes: 5, app: "a"}},
		"in the app's root":  {args: []string{"-p", "-j", "-h", "a", "-u", "", "-s", "5", "a"}, want: options{identifier: "a", onErrors: true, inApp: true, bytes: 5, app: "a"}},
		"with streams held":  {args: []string{"-m", "nsl", "-s", "5", "a"}, want: options{modes: "nsl", bytes: 5, app: "a"}},
		"to free":            {args: []string{"-d", "a"}, want: options{remove: true, app: "a"}},
		"nothing":            {bad: true},
		"no app":             {args: []string{"-s", "5"}, bad: true},
		"nothing to do":      {args: []string{"a"}, bad: true},
		"both":               {args: []string{"-d", "-s", "5", "a"}, bad: true},
		"no number":          {args: []string{"-s", "x", "a"}, bad: true},
		"no bytes":           {args: []string{"-s", "0", "a"}, bad: true},
		"a number too large": {args: []string{"-s", "9223372036854775808", "a"}, bad: true},
		"two apps":           {args: []string{"-d", "a", "b"}, bad: true},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := parse(tc.args)
			if (err != nil) != tc.bad || !tc.bad && got != tc.want {
				t.Errorf("got %+v, %v; want %+v", got, err, tc.want)
			}
		})
	}
}
