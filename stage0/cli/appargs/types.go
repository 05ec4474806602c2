package appargs

import (
	"time"

	"github.com/raket/raket/pkg/appcredential"
	"github.com/raket/raket/pkg/appspec"
	"github.com/raket/raket/pkg/podmanifest"
	"github.com/raket/raket/pkg/podport"
	"github.com/raket/raket/pkg/uidrange"
)

// Pod is a parsed command line. Zero values mean that nothing was said.
type Pod struct {
	// Apps has one element for each image, in order; it is empty where
	// Manifest is set.
	Apps []App
	// Manifest is the path of a pod manifest (appc PodManifest JSON).
	Manifest string
	Volumes  []podmanifest.Volume
	// IDMapped are the names of volumes whose files are seen under the pod's own IDs.
	IDMapped []string
	// Mounts are for all apps; those of one app are in App.Mounts.
	Mounts      []podmanifest.MountFlag
	Annotations []KeyValue
	// Ports are published on the host; with PublishAll, all that the images name are, too.
	Ports      []podport.Flag
	PublishAll bool
	// Env, EnvFiles and InheritEnv are for all apps. Later ones win: the
	// caller's environment, the image's, the files', Env, the app's own.
	Env        []string // NAME=VALUE
	EnvFiles   []string
	InheritEnv bool
	// Stage1 chooses the flavour.
	Stage1 Stage1
	// PullPolicy is "", "new", "never" or "update".
	PullPolicy string
	// NoOverlay asks for copies in place of an overlay.
	NoOverlay bool
	// Users are the user IDs that the pod asks for.
	Users uidrange.Wish
	// ExitPolicy is "", "all-ended", "any-failed" or "none".
	ExitPolicy string
	// Log is "", "auto", "journal", "file", "console" or "none".
	Log   string
	Quiet bool
	// Capabilities are what apps that are added later may have beyond the default set.
	Capabilities []string `json:",omitempty"`
	// Words are what stands before the image: the UUID of the pod and, of Update, the app.
	Words []string `json:",omitempty"`
	// Settle is, of Update, how long the app has to run before it is taken as good, where
	// nothing else shows that; nil where nothing was said. Wait bounds that it shows it.
	Settle *time.Duration `json:",omitempty"`
	Wait   time.Duration  `json:",omitempty"`
	// Limits bound all apps together; those of one app are in its Override.
	Limits appspec.Limits
	// Metadata asks for the metadata service, or for none; nil leaves that to the
	// images.
	Metadata *bool
	// Sysctls are kernel parameters of the pod's namespaces.
	Sysctls map[string]string
	// UUIDFile is the path to which the pod's UUID is written.
	UUIDFile string
	Run      RunOptions
}

// RunOptions are what run-prepared takes too: what is decided only when a
// pod starts.
type RunOptions struct {
	// Net are the networks that were asked for, host, none or all in place of them.
	Net []NetChoice
	// Aliases are names of hosts.
	Aliases  []string
	Hostname string
	// DNS has name server addresses, or the one word "host" or "none".
	DNS       []string
	DNSSearch []string
	DNSOpt    []string
	DNSDomain string
	// Hosts are entries for /etc/hosts; HostsFromHost takes the host's file.
	Hosts         []HostsEntry
	HostsFromHost bool
	// Interactive gives the pod's only app raket's own standard input and terminal.
	Interactive bool
}

// App is one image with what was said about it.
type App struct {
	// Image is the reference as typed.
	Image string
	// Name is "" where the image's name is to be made one.
	Name string
	// Override is what the flags say of the app spec, and the arguments behind
	// "--" as its Args: not nil where there was a "--". It has been applied to an
	// empty app spec without an error. Its Env is of --environment alone.
	Override appspec.Override
	Mounts   []podmanifest.MountFlag
	// SeccompProfile is "", "default", "unconfined" or the path of a profile, which
	// is still to be read.
	SeccompProfile string
	// Sockets are those the app asks for; podsocket.ParseWish reads each.
	Sockets []string
	// Credentials say where the app's credentials come from; CredentialValues has the
	// values of those of kind Set.
	Credentials      []appcredential.Wish
	CredentialValues map[string][]byte
	// Devices are what --device asks for, as it was typed.
	Devices []string
	// Security confines the app further.
	Security appspec.Security
	// Sysctls are kernel parameters, of the pod as a whole.
	Sysctls map[string]string
	// EnvFiles are files of environment variables, below Override.Env and above what all
	// apps have.
	EnvFiles []string
	// Signature is the path or URL of the image's detached signature, "" where
	// it is beside the image.
	Signature string
}

// KeyValue is one NAME=VALUE.
type KeyValue struct{ Key, Value string }

// HostsEntry is one --hosts-entry.
type HostsEntry struct {
	IP    string
	Names []string
}

// Stage1 says which flavour to use; at most one field is set.
type Stage1 struct {
	Name string
	// Image is an ACI: a file (with a "/" in its name), a URL, or an image ID.
	Image string
	// FromDir is a name within the directory of flavours.
	FromDir string
}
