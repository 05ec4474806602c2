package main

import (
	"fmt"

	"github.com/raket/raket/pkg/stageabi"
)

// killName is the file of the entrypoint stageabi.AppKill.
const killName = "app-kill"

// kill sends the app's main process a signal: app-kill SIGNAL UUID APP.
func kill(args []string) error {
	k, err := stageabi.ParseKill(args)
	if err != nil {
		return err
	}
	e := entry{Command: stageabi.Command{UUID: k.UUID, App: k.App}}
	if err := e.find(); err != nil {
		return err
	}
	if e.app.dir == "" {
		return fmt.Errorf("app %s does not run", k.App)
	}
	return e.app.held.Signal(k.Signal)
}
