package stageabi

import "path/filepath"

// Version is the contract's version. A stage1 that declares another one is
// refused before anything is executed.
const Version = "1"

// AnnotationPrefix begins the names of the annotations that a stage1 image's
// manifest carries: "interface-version", and each Entrypoint with the path of
// an executable, relative to the image's root file system.
const AnnotationPrefix = "raket/stage1/"

// An Entrypoint is one thing that stage0 asks a stage1 to do.
type Entrypoint string

// The entrypoints. Run is executed in place of stage0 and becomes the pod; the
// others are children of a raket command. A stage1 has to name Run; a verb
// whose entrypoint it lacks is refused by name.
const (
	Run    Entrypoint = "run"
	Enter  Entrypoint = "enter"
	Stop   Entrypoint = "stop"
	GC     Entrypoint = "gc"
	Status Entrypoint = "status"
	Copy   Entrypoint = "cp"
	Attach Entrypoint = "attach"
	// AppKill sends a running app a signal.
	AppKill Entrypoint = "app/kill"
)

// What an entrypoint finds in its environment, beside what the caller had.
const (
	// EnvLockFD is the decimal number of the descriptor that holds the pod's
	// lock, of Run only. It must stay open, without close-on-exec, for as long as
	// the pod lives, and in no process of an app.
	EnvLockFD = "RAKET_LOCK_FD"
	// EnvCredentialsFD is the decimal number of a descriptor, of Run only and only where an app
	// has credentials: a directory, mounted nowhere, with one for each such app and a file for
	// each of its credentials.
	EnvCredentialsFD = "RAKET_CREDENTIALS_FD"
	// EnvStage1 is the directory of the stage1 image: manifest and rootfs.
	EnvStage1 = "RAKET_STAGE1"
	// EnvDebug is "1" where --debug was given.
	EnvDebug = "RAKET_DEBUG"
)

// Names in a pod's directory, which is the working directory of every
// entrypoint.
const (
	ManifestFile = "pod"          // appc PodManifest, JSON
	SandboxFile  = "sandbox.json" // Sandbox
	AppsDir      = "apps"         // one directory per app: an OCI bundle
	SpecFile     = "config.json"  // in an app's directory: its OCI runtime-spec
	RootfsDir    = "rootfs"       // in an app's directory: its root, absent where layers are stacked
	UpperDir     = "upper"        // in an app's directory: overlay upper directory
	WorkDir      = "work"         // in an app's directory: overlay work directory
	VolumesDir   = "volumes"      // volumes of kind empty
	LogsDir      = "logs"         // APP.log, where logs go to files
	PIDFile      = "pid"          // written by Run: decimal PID of the process that is the pod
	StatusDir    = "status"       // written by stage1: how apps ended, a file per app
	GarbageFile  = "garbage"      // its time is when the pod was marked for collection
)

// Paths of one pod.
func AppPath(pod, app string) string    { return filepath.Join(pod, AppsDir, app) }
func StatusPath(pod, app string) string { return filepath.Join(pod, StatusDir, app) }
func LogPath(pod, app string) string    { return filepath.Join(pod, LogsDir, app+".log") }

// CredentialsPath is where an app finds its credentials in its root, which is also in
// CREDENTIALS_DIRECTORY. Where systemd makes a root, it hides what others have put into its own
// place for them, /run/credentials.
const CredentialsPath = "/run/raket/credentials"

// ExitPath is the file in which a stage1 records the status of the pod as a
// whole; app names hold no dots.
func ExitPath(pod string) string { return filepath.Join(pod, StatusDir, ".exit") }

// Exit statuses of raket and its stages.
const (
	ExitOK        = 0
	ExitExec      = 203 // an app's program cannot be executed
	ExitNamespace = 226 // an app's root or namespaces cannot be made
	ExitCommand   = 254 // the command itself failed; the app was not started, or its fate is not known
)
