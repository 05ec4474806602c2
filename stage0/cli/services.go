package cli

import (
	"context"
	"io"
	"time"

	"github.com/raket/raket/pkg/image"
	"github.com/raket/raket/stage0/cli/appargs"
)

// services make the parts of raket that do the work. Each is made when a verb
// first needs it, so that version and help touch no disk.
type services struct {
	fetcher  func(settings) (fetcher, error)
	images   func(settings) (imageStore, error)
	pods     func(settings) (podStore, error)
	preparer func(settings) (preparer, error)
	launcher func(settings) (launcher, error)
	keeper   func(settings) (keeper, error)
	trusted  func(settings) (trustedKeys, error)
	web      func(settings) (keyWeb, error)
}

// fetcher brings an image into the store.
type fetcher interface {
	Fetch(ctx context.Context, r fetchRequest) (image.Image, error)
}

// fetchRequest says what to fetch and how.
type fetchRequest struct {
	Name string
	// Signature is the path or URL of a detached signature; "" is where the
	// image's own place for it is.
	Signature string
	// PullPolicy is "", "new", "never" or "update".
	PullPolicy string
	// Quiet prints no progress.
	Quiet bool
}

// imageStore is what the image verbs ask.
type imageStore interface {
	// List is in no particular order.
	List(ctx context.Context) ([]image.Image, error)
	// Find takes a reference, a name or a shortened ID.
	Find(ctx context.Context, name string) (image.Image, error)
	// Config is the image's config: an OCI image config or an appc ImageManifest.
	Config(ctx context.Context, img image.Image) ([]byte, error)
	Remover() imageRemover
}

// imageRemover takes images out of the store.
type imageRemover interface {
	// Remove fails where a pod uses the image, and names the pod.
	Remove(ctx context.Context, img image.Image) error
	// Collect removes what no pod uses and nobody used within the grace
	// period, and returns what it removed.
	Collect(ctx context.Context, grace time.Duration) ([]image.Image, error)
}

// podStore is what the verbs that look at pods ask.
type podStore interface {
	// List is in no particular order. A pod that can't be read is in it with
	// its UUID and state alone, and the joined error says why.
	List(ctx context.Context) ([]pod, error)
	// Find takes a UUID, possibly shortened.
	Find(ctx context.Context, uuid string) (pod, error)
	// Manifest is the appc PodManifest.
	Manifest(ctx context.Context, uuid string) ([]byte, error)
}

// preparer makes a pod directory.
type preparer interface {
	// Prepare fetches what is missing and returns the new pod's UUID. Each app's
	// override has the environment of all apps in it already. A pod to keep is
	// run later, and must outlast a power loss.
	Prepare(ctx context.Context, p appargs.Pod, keep bool) (uuid string, err error)
}

// launcher starts pods and enters them. It does not come back where all is well:
// the process becomes the pod, or the command in it.
type launcher interface {
	Run(ctx context.Context, r runRequest) error
	Enter(ctx context.Context, r enterRequest) error
	// Logs writes an app's or all apps' lines.
	Logs(ctx context.Context, r logsRequest, w io.Writer) error
}

// runRequest is a prepared pod to start.
type runRequest struct {
	UUID    string
	Options appargs.RunOptions
	Quiet   bool
}

// enterRequest is a command to run in an app of a running pod.
type enterRequest struct {
	UUID string
	// App may be empty where the pod has one app.
	App string
	// Command is the default shell where it is empty.
	Command []string
}

// logsRequest says which lines.
type logsRequest struct {
	UUID   string
	App    string // "" is all
	Follow bool
	// Lines is how many of the last to show; negative is all.
	Lines int
}

// keeper ends pods and takes away what is left of them.
type keeper interface {
	// Stop comes back when the pod has ended. Forced, it is killed at once.
	Stop(ctx context.Context, uuid string, force bool) error
	// Remove takes away a pod that does not run.
	Remove(ctx context.Context, uuid string) error
	// Collect takes away what has been over for long enough.
	Collect(ctx context.Context, r collectRequest) (collected, error)
}

// collectRequest says what is old enough.
type collectRequest struct {
	// Grace is how long a pod that ended is kept, Expire how long one that was
	// prepared and never ran.
	Grace, Expire time.Duration
	// MarkOnly moves pods to garbage and removes nothing.
	MarkOnly bool
}

// collected are UUIDs.
type collected struct {
	Marked  []string
	Removed []string
}

// pod is what the verbs show of a pod.
type pod struct {
	UUID string
	// State is in rkt's words, as "running" or "exited garbage".
	State string
	Apps  []podApp
	// Networks are those it is attached to, where they are known.
	Networks []network
	// Created, Started and Ended are zero where it has not come to that.
	Created, Started, Ended time.Time
	// PID is of the pod's first process on the host, 0 where there is none.
	PID int
	// Ready says that every app has started.
	Ready bool
}

// podApp is what the verbs show of an app.
type podApp struct {
	Name      string
	ImageName string
	// ImageID is the full one.
	ImageID string
	// State is "created", "running" or "exited".
	State          string
	Started, Ended time.Time
	// ExitCode is nil where the app has not ended.
	ExitCode *int
}

// network is one a pod is attached to.
type network struct {
	Name string
	IP   string // may be empty
}

// running reports whether the pod has processes.
func (p pod) running() bool { return p.State == stateRunning }

// ended reports whether the pod has run and no longer does.
func (p pod) ended() bool {
	switch p.State {
	case "exited", "exited garbage", "garbage", "deleting":
		return true
	}
	return false
}

const stateRunning = "running"
