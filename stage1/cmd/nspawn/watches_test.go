package main

import (
	"errors"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestAPodNeedsWhatItsInitWatchesBy(t *testing.T) {
	for name, tc := range map[string]struct {
		left int // -1: any number
		err  error
		want string
	}{
		"enough":      {left: watchesToStart},
		"one too few": {left: watchesToStart - 1, err: unix.EMFILE, want: "too few inotify instances are left"},
		"no memory":   {left: 0, err: unix.ENOMEM, want: "make an inotify instance: cannot allocate memory"},
	} {
		t.Run(name, func(t *testing.T) {
			opened := 0
			err := checkWatches(func() (int, error) {
				if opened++; opened > tc.left && tc.err != nil {
					return -1, tc.err
				}
				return unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
			})
			if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("error %v, want %q", err, tc.want)
			}
			if errors.Is(err, unix.EMFILE) {
				t.Error("the error speaks of files")
			}
		})
	}
}
