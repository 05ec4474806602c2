package main

import (
	"errors"

	"golang.org/x/sys/unix"

	"github.com/raket/raket/pkg/stageabi"
)

// killName is the file of the entrypoint stageabi.AppKill.
const killName = "app-kill"

// kill sends the app's process a signal: app-kill SIGNAL UUID APP.
func kill(args []string) error {
	k, err := stageabi.ParseKill(args)
	if err != nil {
		return err
	}
	fd, p, err := appProcess()
	if err != nil {
		return err
	}
	return errors.Join(unix.PidfdSendSignal(fd, k.Signal, nil, 0), p.Close(), unix.Close(fd))
}
