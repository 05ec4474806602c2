package cli

import (
	"context"
	"io"
	"time"

	"github.com/raket/raket/pkg/appcredential"
	"github.com/raket/raket/pkg/image"
	"github.com/raket/raket/pkg/stageabi"
	"github.com/raket/raket/stage0/cli/appargs"
)

// services make the parts of raket that do the work. Each is made when a verb
// first needs it, so that version and help touch no disk.
type services struct {
	fetcher func(settings) (fetcher, error)
	images  func(settings) (imageStore, error)
	// imageKeeper and imageFiles are of the same images.
	imageKeeper func(settings) (imageKeeper, error)
	imageFiles  func(settings) (imageFiles, error)
	pods        func(settings) (podStore, error)
	preparer    func(settings) (preparer, error)
	launcher    func(settings) (launcher, error)
	keeper      func(settings) (keeper, error)
	networks    func(settings) (networkStore, error)
	apps        func(settings) (appKeeper, error)
	trusted     func(settings) (trustedKeys, error)
	web         func(settings) (keyWeb, error)
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
	// Platform is "OS/ARCH[/VARIANT]"; this machine's by default.
	Platform string
	// Quiet prints no progress.
	Quiet bool
	// Events prints what happens to standard output, as lines of JSON.
	Events bool
}

// imageStore is what the image verbs ask.
type imageStore interface {
	// List is in no particular order.
	List(ctx context.Context) ([]image.Image, error)
	// Find takes a reference, a name or a shortened ID.
	Find(ctx context.Context, name string) (image.Image, error)
	// Config is the image's config: an OCI image config or an appc ImageManifest.
	Config(ctx context.Context, img image.Image) ([]byte, error)
	// Place is the directory of the read-only store that the image is in, or "".
	Place(img image.Image) string
}

// imageKeeper takes images out of the store, and holds them against their digests.
type imageKeeper interface {
	// Remove takes a name, from an image that has others, or removes the image:
	// with whole set in any case. It fails where a pod uses the image, and
	// names the pod.
	Remove(ctx context.Context, name string, whole bool) (removedImage, error)
	// Collect removes what no pod uses and nobody used within the grace period.
	Collect(ctx context.Context, r collectImages) (collectedImages, error)
	// Verify repairs, if it is to, what no running pod uses.
	Verify(ctx context.Context, img image.Image, repair bool) (verifiedImage, error)
}

// removedImage is what became of an image.
type removedImage struct {
	Image image.Image
	// Name is what it lost, if it is still there under others.
	Name string
}

// collectImages says which images may go.
type collectImages struct {
	Grace time.Duration
	// TargetBytes stops when the store is no larger than that; 0 is no target.
	TargetBytes int64
	// DryRun removes nothing.
	DryRun bool
}

// collectedImages are what went, or would.
type collectedImages struct {
	Images []image.Image
	// FreedBytes is of blobs and trees.
	FreedBytes int64
	// Deferred says that a fetch was under way, and blobs and trees were left.
	Deferred bool
}

// verifiedImage is what was found wrong with an image.
type verifiedImage struct {
	// Differences are lines.
	Differences []string
	// Repaired are trees that are right now, and blobs that were removed.
	Repaired []string
	// Whole says that nothing differs now.
	Whole bool
	// Unchecked says what could not be checked and why.
	Unchecked string
}

// imageFiles takes images to files and back.
type imageFiles interface {
	Export(ctx context.Context, r exportRequest) error
	Extract(ctx context.Context, r extractRequest) error
	// Import calls each with every image, as they come.
	Import(ctx context.Context, r importRequest, each func(image.Image) error) error
}

// exportRequest says what to write where.
type exportRequest struct {
	// Image is as the user named it.
	Image string
	// Path is "-" for standard output.
	Path string
	// Format is "" for the image's own, or one of exportFormats.
	Format    string
	Overwrite bool
}

// extractRequest says what to write where.
type extractRequest struct {
	Image, Dir string
	// RootfsOnly leaves the manifest out; Rendered adds what the image
	// depends on.
	RootfsOnly, Overwrite, Rendered bool
}

// importRequest says what to read.
type importRequest struct {
	// Path is an archive or a layout directory; "-" is standard input.
	Path string
	// Signature is a path or a URL, of an ACI's; may be empty.
	Signature string
	// Names takes the names that the archive gives its images as if they had
	// been fetched by them.
	Names bool
	Quiet bool
}

// podStore is what the verbs that look at pods ask.
type podStore interface {
	// List is in no particular order. A pod that can't be read is in it with
	// its UUID and state alone, and the joined error says why.
	List(ctx context.Context) ([]pod, error)
	// Find takes a UUID, possibly shortened. Look does too, and asks no pod how it is.
	Find(ctx context.Context, uuid string) (pod, error)
	Look(ctx context.Context, uuid string) (pod, error)
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
	// Attach connects the standard streams to an app's.
	Attach(ctx context.Context, r attachRequest) error
	// Copy copies files into an app or out of it.
	Copy(ctx context.Context, r copyRequest) error
	// Logs writes an app's or all apps' lines.
	Logs(ctx context.Context, r logsRequest, w io.Writer) error
}

// runRequest is a prepared pod to start.
type runRequest struct {
	UUID    string
	Options appargs.RunOptions
	Quiet   bool
	// Credentials are the apps', in their order, if they are known already. They are
	// printed nowhere.
	Credentials [][]appcredential.Credential `json:"-"`
}

// enterRequest is a command to run in an app of a running pod.
type enterRequest struct {
	UUID string
	App  string
	// Command is a program, of a path or to be searched for, and its arguments.
	Command []string
	// Privileged is as root with the pod's capabilities, else it is as the app.
	Privileged bool `json:",omitempty"`
	// User, Group and WorkingDir are the app's, or root's, where they are empty.
	User, Group, WorkingDir string   `json:",omitempty"`
	Env                     []string `json:",omitempty"`
	TTY, Stdin              bool     `json:",omitempty"`
}

// attachRequest says what of an app's to connect to.
type attachRequest struct {
	UUID, App string
	// Mode is words of attachModes with commas between.
	Mode       string
	DetachKeys string
	// CloseStdin ends the app's standard input with this one's.
	CloseStdin bool
}

// copyRequest says what to copy where.
type copyRequest struct {
	UUID, App string
	In        bool   // into the app
	Path      string // in the app
	// Local is absolute on the host; "" for a tar stream on standard input or output.
	Local string
}

// logsRequest says which lines.
type logsRequest struct {
	UUID   string
	App    string // "" is all
	Follow bool
	// Lines is how many of the last to show; negative is all.
	Lines int
}

// networkStore knows the networks of the host.
type networkStore interface {
	// Networks lists those that pods can join in their order, and then files that are none.
	Networks(ctx context.Context) ([]networkInfo, error)
	// NetworkReady asks the plugins of a network whether they are ready for pods.
	NetworkReady(ctx context.Context, name string) error
}

// keeper ends pods, takes away what is left of them, and looks after those that run.
type keeper interface {
	// Verify fails where a running pod's networks are not as they were made.
	Verify(ctx context.Context, uuid string) error
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
	// Ports are published on the host.
	Ports []stageabi.Port
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
	State string
	// Created is when the app was made, Started when its present run began or, where it
	// does not run, its last; Ended when the last run ended that did.
	Created, Started, Ended time.Time
	// ExitCode is nil where the app has not ended.
	ExitCode *int
	// Signal is the name of the one that killed it, as "TERM"; Reason is how the run
	// ended, in systemd's words ("exit-code", "signal", "timeout" …). Restarts is how
	// often it was started again.
	Signal, Reason string
	Restarts       int
	// Health is nil where nothing is checked.
	Health *appHealth
	// StatusText is what the app says of itself: STATUS= of sd_notify(3).
	StatusText string
	// Setback is the last update that was taken back; nil for none.
	Setback *appSetback
}

// appSetback is an update of an app that was taken back, to the image of that name.
type appSetback struct {
	Image string
	At    time.Time
	Why   string
}

// appHealth is what the checks of an app's health have found.
type appHealth struct {
	Status  string // "starting", "healthy", "unhealthy"
	Failing int    // checks in a row that have failed
	Checked time.Time
	Code    int // of the last check; -1 if it took too long
	Output  string
}

// network is one a pod is attached to.
type network struct {
	Name string
	// IP is the address by which others know the pod there, of IPv4 where it has one; may
	// be empty.
	IP string
	// IfName is the interface in the pod, HostIf the host's end of it; may be empty.
	IfName, HostIf string
	// Addresses are all of them, with their prefix lengths.
	Addresses, Gateways []string
	MAC                 string
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
