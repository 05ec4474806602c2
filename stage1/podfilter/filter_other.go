//go:build !amd64

package podfilter

import "errors"

// Available reports that nspawn's own filter has to do.
func Available([]string) bool { return false }

// Install fails: see Available.
func Install() error { return errors.New("there is no system call filter for this architecture") }
