package main

import (
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/raket/raket/pkg/podmetadata"
)

// listener is the descriptor that systemd passes (sd_listen_fds(3)).
const listener = 3

// idle is how long the program waits for a connection before it ends.
const idle = 10 * time.Second

func main() {
	if err := run(os.Args[1:]); err != nil {
		_, _ = unix.Write(2, []byte("raket: metadata service: "+err.Error()+"\n"))
		unix.Exit(1)
	}
}

func run(args []string) error {
	if len(args) < 1 || len(args) > 2 {
		return errorText("want DIR [HOSTKEY]")
	}
	s := service{dir: args[0]}
	token, err := os.ReadFile(args[0] + "/" + podmetadata.TokenFile)
	if err != nil {
		return err
	}
	s.token = string(token)
	if s.key, err = readKey(args[0] + "/" + podmetadata.KeyFile); err != nil {
		return err
	}
	uuid, err := os.ReadFile(args[0] + "/" + podmetadata.Pod + "/" + podmetadata.UUID)
	if err != nil {
		return err
	}
	s.uuid = string(uuid)
	if len(args) > 1 {
		if s.hostKey, err = readKey(args[1]); err != nil {
			return err
		}
	}
	srv := server{listener: listener, idle: idle, answer: s.answer}
	return srv.serve()
}

func readKey(path string) ([]byte, error) {
	key, err := os.ReadFile(path)
	if err == nil && len(key) != podmetadata.KeyBytes {
		err = errorText(path + ": not a key")
	}
	return key, err
}

// errorText is an error. The fmt package is left out on purpose.
type errorText string

func (e errorText) Error() string { return string(e) }
