package cli

import (
	"context"
	"syscall"
	"time"

	"github.com/raket/raket/stage0/cli/appargs"
)

// appKeeper changes the apps of running pods.
type appKeeper interface {
	// Add adds an app, or replaces the one that it names, and returns its name.
	Add(ctx context.Context, r addRequest) (string, error)
	// Control does something to an app that is there.
	Control(ctx context.Context, r controlRequest) error
	// Spec is the app's OCI runtime-spec config.json.
	Spec(ctx context.Context, uuid, app string) ([]byte, error)
}

// addRequest is an app to add to a running pod.
type addRequest struct {
	UUID string
	// Pod has the app as its only one, and the volumes that come with it.
	Pod appargs.Pod
	// Replace is the app whose place it takes; "" for none.
	Replace string `json:",omitempty"`
	// Start it at once. One that replaces another is started anyway.
	Start bool `json:",omitempty"`
	// Settle is how long one that replaces another has to run before it counts as
	// started.
	Settle time.Duration `json:",omitempty"`
}

// controlRequest says what to do to an app.
type controlRequest struct {
	UUID, App string
	// Do is one of the constants below.
	Do     string
	Force  bool           `json:",omitempty"`
	Signal syscall.Signal `json:",omitempty"` // of doKill
}

const (
	doStart   = "start"
	doRestart = "restart"
	doStop    = "stop"
	doRemove  = "rm"
	doKill    = "kill"
)
