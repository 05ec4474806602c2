package ownoutput

import "testing"

func TestNamesInText(t *testing.T) {
	for name, tc := range map[string]struct {
		text string
		want bool
	}{
		"a redirection":            {"echo x >/dev/stderr", true},
		"a value":                  {"--log-file=/dev/stdout", true},
		"in quotes":                {`"access": "/proc/self/fd/1",`, true},
		"with a scheme":            {"access_log stdio:/dev/stdout combined", true},
		"in a list":                {"a:/dev/fd/2:b", true},
		"the second one":           {"/srv/dev/stdout /dev/stdout", true},
		"a longer path":            {"/srv/dev/stdout", false},
		"the start of a name":      {"/dev/stdout2", false},
		"a directory of that name": {"/dev/stdout/x", false},
		"another descriptor":       {"/proc/self/fd/12", false},
		"standard input":           {"/dev/stdin", false},
		"nothing":                  {"", false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := In(tc.text); got != tc.want {
				t.Errorf("%q: %v", tc.text, got)
			}
		})
	}
}

func TestNamesInConfigurations(t *testing.T) {
	for name, tc := range map[string]struct {
		text string
		want bool
	}{
		"httpd's":                        {"# log\nErrorLog /proc/self/fd/2\n", true},
		"php-fpm's, without a last line": {"[global]\n  error_log = /proc/self/fd/2", true},
		"a comment":                      {"  # error_log /dev/stderr\n;log=/dev/stdout\n", false},
		"nothing of the kind":            {"listen 80\n", false},
		"an empty one":                   {"", false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := InConfig([]byte(tc.text)); got != tc.want {
				t.Errorf("%v", got)
			}
		})
	}
}

func TestPathsThatAreNames(t *testing.T) {
	for name, want := range map[string]bool{"/dev/stdout": true, "/dev/../proc/self/fd/2": true, "dev/stdout": false, "/dev/stdin": false, "/srv/dev/stdout": false} {
		if got := Is(name); got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
