package stageabi

import "time"

// The entrypoints that change the apps of a running pod. A stage1 has all of them, or
// its pods are what they were started as.
const (
	AppAdd    Entrypoint = "app/add"
	AppStart  Entrypoint = "app/start"
	AppStop   Entrypoint = "app/stop"
	AppRemove Entrypoint = "app/rm"
)

// Change is what is being done to the apps of a running pod: in a Sandbox it says that
// somebody is at it, holding the lock of the pod's AppsDir, or was killed at it.
type Change struct {
	Op  ChangeOp `json:"op"`
	App App      `json:"app"` // as it will be; of ChangeRemove, as it was
	// Sockets are those of App, as in Sandbox.
	Sockets []Socket `json:"sockets,omitempty"`
	// Handed: a stage1 has been asked to do it, and may have begun.
	Handed bool `json:"handed,omitempty"`
	// Running: of ChangeReplace, the app that is replaced ran.
	Running bool `json:"running,omitempty"`
	// Force: of ChangeStop, the app is killed.
	Force bool `json:"force,omitempty"`
}

// ChangeOp is a kind of change.
type ChangeOp string

const (
	// ChangeAdd adds an app. Its bundle is where those of all apps are.
	ChangeAdd ChangeOp = "add"
	// ChangeReplace puts an app, whose bundle is at NewAppPath, in the place of the one
	// of the same name.
	ChangeReplace ChangeOp = "replace"
	// ChangeReplaced takes away what is left of the one that was replaced.
	ChangeReplaced ChangeOp = "replaced"
	// ChangeStop stops an app.
	ChangeStop ChangeOp = "stop"
	// ChangeRemove removes an app, which has been stopped.
	ChangeRemove ChangeOp = "remove"
)

// NewAppPath is the bundle of an app that is to replace the one of its name; names of
// apps have no dots.
func NewAppPath(pod, app string) string { return AppPath(pod, ".new-"+app) }

// BundlePath is where the bundle of the change's app is.
func (c Change) BundlePath(pod string) string {
	if c.Op == ChangeReplace {
		return NewAppPath(pod, c.App.Name)
	}
	return AppPath(pod, c.App.Name)
}

// Find returns the app of that name.
func (s Sandbox) Find(app string) (App, bool) {
	for _, a := range s.Apps {
		if a.Name == app {
			return a, true
		}
	}
	return App{}, false
}

// Setback is an update of an app that was taken back.
type Setback struct {
	Image string    `json:"image"` // the one that was to replace it
	At    time.Time `json:"at"`
	Why   string    `json:"why"`
}

// WasStarted reports whether an app of a pod that has been started, has been too: one
// that was added since waits for that.
func (a App) WasStarted() bool { return a.Added.IsZero() || !a.Started.IsZero() }

// CreatedAt is when the app was made, with the pod or later.
func (a App) CreatedAt(pod time.Time) time.Time {
	if a.Added.IsZero() {
		return pod
	}
	return a.Added
}
