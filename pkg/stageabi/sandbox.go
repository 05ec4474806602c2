package stageabi

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// Sandbox is what a stage1 has to know of a pod beside its app specs. It is
// complete before the pod leaves the prepare state. Of a running pod it is replaced, in one
// step, by whoever changes its apps and holds the lock of AppsDir.
type Sandbox struct {
	UUID     string    `json:"uuid"`
	Created  time.Time `json:"created"`
	Hostname string    `json:"hostname"`
	Network  Network   `json:"network"`
	// Hosts and ResolvConf are the contents of each app's /etc/hosts and
	// /etc/resolv.conf; nil leaves the image's.
	Hosts      *string    `json:"hosts,omitempty"`
	ResolvConf *string    `json:"resolvConf,omitempty"`
	ExitPolicy ExitPolicy `json:"exitPolicy"`
	Log        LogMode    `json:"log"`
	Apps       []App      `json:"apps"` // in the order of the pod manifest
	Stage1     Stage1     `json:"stage1"`
	// Sockets are those that apps are handed; decided at the start. The inherited
	// ones come first, in the order of their descriptors.
	Sockets []Socket `json:"sockets,omitempty"`
	// Users is the pod's user namespace; nil for the host's.
	Users *Users `json:"users,omitempty"`
	// Insecure has protections of the pod that the user has left out.
	Insecure Insecure `json:"insecure,omitzero"`
	// Metadata, if there, is the metadata service that apps find at AC_METADATA_URL.
	Metadata *Metadata `json:"metadata,omitempty"`
	// Interactive: the only app has the standard input that Run was started with, and
	// where that is a terminal all its streams are a terminal.
	Interactive bool `json:"interactive,omitempty"`
	// Sysctls are kernel parameters of the pod's namespaces, by their names with dots: what was said
	// about the pod, and what its apps' specs have.
	Sysctls map[string]string `json:"sysctls,omitempty"`
	// Resources bound all apps together: the runtime-spec's linux.resources.
	Resources json.RawMessage `json:"resources,omitempty"`
	// NetworkBandwidth is how many bytes a second all apps together may send to, and receive from,
	// others than each other, each; 0 for no limit.
	NetworkBandwidth int64 `json:"networkBandwidth,omitempty"`
	// Capabilities are those that apps may have beyond the stage1's default set though
	// no app of the pod's start has them.
	Capabilities []string `json:"capabilities,omitempty"`
	// Change is under way in a running pod, or was when its maker was killed. Its app is
	// not in Apps, or there as it was before.
	Change *Change `json:"change,omitempty"`
}

// Insecure says what a stage1 is not to do, though it usually does. What apps may have of
// capabilities is in their specs.
type Insecure struct {
	// Paths: the kernel's files in /proc and /sys are not masked nor made read-only.
	Paths bool `json:"paths,omitempty"`
	// Seccomp: there is no system call filter.
	Seccomp bool `json:"seccomp,omitempty"`
}

// App is one app of a pod.
type App struct {
	Name    string `json:"name"`
	Image   string `json:"image"`   // the image's name, for people
	ImageID string `json:"imageID"` // "sha256:…" of the manifest
	// PrintID is the ID that people see: "sha512-…" for an ACI.
	PrintID string `json:"printID"`
	// Lowers are absolute directories to stack below UpperDir, the top one
	// first. None: RootfsDir is the app's root as it stands.
	Lowers []string `json:"lowers,omitempty"`
	// Sockets are the sockets that the app asks for, in the words of --socket: what
	// Sandbox.Sockets is made of. A stage1 needs none of it.
	Sockets []string `json:"sockets,omitempty"`
	// Credentials say where the app's credentials come from (pkg/appcredential). A
	// stage1 needs to know only whether there are any: what they are is in EnvCredentialsFD.
	Credentials []string `json:"credentials,omitempty"`
	// Added is when the app was added to the running pod; zero for those that it was
	// started with. Started is when somebody last started it by itself.
	Added   time.Time `json:"added,omitzero"`
	Started time.Time `json:"started,omitzero"`
	// Setback is the last update of this app that was taken back; nil for none.
	Setback *Setback `json:"setback,omitempty"`
}

// ExitPolicy says when a pod ends by itself.
type ExitPolicy string

const (
	// ExitAnyFailed ends the pod when all its apps have ended, or one has failed.
	ExitAnyFailed ExitPolicy = "any-failed"
	// ExitAllEnded ends the pod when all its apps have ended, however.
	ExitAllEnded ExitPolicy = "all-ended"
	// ExitNone keeps the pod until it is stopped.
	ExitNone ExitPolicy = "none"
)

// LogMode says where the output of a pod's apps goes.
type LogMode string

const (
	// LogAuto is LogJournal for a pod that a unit started, LogConsole for one
	// that was started with somewhere to write to, else LogJournal or LogFile.
	LogAuto    LogMode = "auto"
	LogJournal LogMode = "journal" // the host's journal
	LogFile    LogMode = "file"    // files in LogsDir
	LogConsole LogMode = "console" // the standard output and error of raket run
	LogNone    LogMode = "none"    // nowhere
)

// Stage1 is the stage1 of a pod.
type Stage1 struct {
	Name        string                `json:"name"`
	Dir         string                `json:"dir"` // absolute; of manifest and rootfs
	Entrypoints map[Entrypoint]string `json:"entrypoints"`
	// Requires names programs that have to be in $PATH, from the annotation
	// "requires".
	Requires []string `json:"-"`
	// Metadata says, from the annotation "metadata", that it serves MetadataDir.
	Metadata bool `json:"-"`
	// Network is the mode of pods for which nobody chose one, from the
	// annotation "network"; NetNone by default.
	Network string `json:"-"`
}

// Path is the absolute path of the executable of an entrypoint.
func (s Stage1) Path(e Entrypoint) (string, error) {
	rel, ok := s.Entrypoints[e]
	if !ok {
		return "", fmt.Errorf("stage1 %q has no entrypoint %q", s.Name, e)
	}
	return filepath.Join(s.Dir, "rootfs", rel), nil
}

// maxSandboxBytes bounds what is read of a pod's directory.
const maxSandboxBytes = 16 << 20

// ReadSandbox reads the sandbox of the pod in dir.
func ReadSandbox(dir string) (Sandbox, error) {
	var s Sandbox
	err := readJSON(filepath.Join(dir, SandboxFile), &s)
	return s, err
}

func readJSON(path string, v any) (err error) {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	b, err := io.ReadAll(io.LimitReader(f, maxSandboxBytes+1))
	if err != nil {
		return err
	}
	if len(b) > maxSandboxBytes {
		return fmt.Errorf("%s: larger than %d bytes", path, maxSandboxBytes)
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}
