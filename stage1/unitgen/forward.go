package unitgen

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/raket/raket/pkg/appspec"
	"github.com/raket/raket/pkg/unitfile"
)

// Of what passes on to the host what apps say of themselves, in the pod's root: the program,
// its directory, which is root's alone, and there, if the host takes more than texts, the socket
// of the host's systemd.
const (
	ForwardProgram  = "/raket/bin/forward"
	ForwardPath     = "/raket/forward"
	ForwardHostPath = ForwardPath + "/host"
	statusPath      = "/raket/status"
	nspawnSocket    = "/run/host/notify"
)

// Units that have a dot in their names, which no app has. That of ready comes up when all
// that the pod starts has: its name in the file system says so.
const (
	forwardUnit = "raket.forward"
	readyUnit   = "raket.ready"
)

// Forward is what passes on to the host what apps say of themselves.
type Forward struct {
	Apps []string // whose words are passed on
	// Direct: ForwardHostPath is there.
	Direct bool
	// Watchdog is that of the host's unit, where the apps' pings feed it; else 0.
	Watchdog time.Duration
}

func (w *Forward) has(app string) bool { return w != nil && slices.Contains(w.Apps, app) }

// Speaks reports whether an app says something of itself to its service manager, and nobody
// wants it kept in the pod.
func Speaks(spec *appspec.Spec) (bool, error) {
	props, err := appspec.Properties(spec)
	if err != nil {
		return false, err
	}
	l, err := appspec.LifeOf(spec)
	if err != nil || l.Unforwarded {
		return false, err
	}
	switch access := value(props, "NotifyAccess"); {
	case access == "none":
		return false, nil
	case access != "", hasWatchdog(props):
		return true, nil
	}
	return strings.HasPrefix(value(props, "Type"), "notify"), nil
}

// Watched reports whether an app has a watchdog.
func Watched(spec *appspec.Spec) (bool, error) {
	props, err := appspec.Properties(spec)
	return hasWatchdog(props), err
}

func hasWatchdog(props []appspec.Property) bool {
	v := value(props, "WatchdogSec")
	return v != "" && v != "0" && v != "infinity"
}

// interval is what an app is told of its watchdog where that of the host is shorter: an app
// that pings less often than it wants would be taken for one that hangs. "" leaves it.
func (w *Forward) interval(app string, props []appspec.Property) string {
	if !w.has(app) || w.Watchdog == 0 || !hasWatchdog(props) {
		return ""
	}
	if d, ok := span(value(props, "WatchdogSec")); !ok || d <= w.Watchdog {
		return ""
	}
	return strconv.FormatInt(w.Watchdog.Microseconds(), 10)
}

// span reads a time span of systemd.time(7), as far as watchdogs have them.
func span(text string) (time.Duration, bool) {
	units := map[string]time.Duration{
		"us": time.Microsecond, "ms": time.Millisecond, "": time.Second, "s": time.Second, "sec": time.Second, "second": time.Second, "seconds": time.Second,
		"m": time.Minute, "min": time.Minute, "minute": time.Minute, "minutes": time.Minute, "h": time.Hour, "hr": time.Hour, "hour": time.Hour, "hours": time.Hour,
	}
	text = strings.ReplaceAll(text, " ", "")
	var sum time.Duration
	for text != "" {
		n := len(text) - len(strings.TrimLeft(text, "0123456789"))
		word := text[n:]
		if i := strings.IndexAny(word, "0123456789"); i >= 0 {
			word = word[:i]
		}
		count, err := strconv.ParseInt(text[:n], 10, 32)
		unit, ok := units[word]
		if err != nil || !ok {
			return 0, false
		}
		sum += time.Duration(count) * unit
		text = text[n+len(word):]
	}
	return sum, sum > 0
}

// forwardSocket is where an app speaks.
func forwardSocket(app string) string { return ForwardPath + "/in/" + shortName(app) }

// forwardFiles returns the units. The program starts with the apps, and by its sockets later
// on.
func forwardFiles(p Pod) map[string]*unitfile.File {
	w := p.Forward
	if w == nil {
		return nil
	}
	socket := newUnit("What apps say of themselves")
	socket.Section("Socket")
	for _, app := range w.Apps {
		socket.Set("ListenDatagram", forwardSocket(app))
	}
	socket.Set("SocketMode", "0666") // of a directory that is root's alone
	socket.Set("DirectoryMode", "0700")
	socket.Set("PassCredentials", "yes")

	service := newUnit("What apps say of themselves")
	service.Units("Requires", forwardUnit+".socket")
	service.Set("StartLimitIntervalSec", "0")
	service.Section("Service")
	service.Set("Type", "notify")
	service.Set("Slice", "-.slice")
	service.Set("Restart", "on-failure")
	// To give a message to systemd as another process's. Apps do not have it, so they may
	// not look into the program (ptrace(2)).
	service.Words("CapabilityBoundingSet", "CAP_SYS_ADMIN")
	service.Set("NoNewPrivileges", "yes")
	service.Set("StandardInput", "null")
	service.Set("StandardOutput", "null")
	service.Set("StandardError", "null")
	service.Exec("ExecStart", "", forwardCommand(p))

	ready := newUnit("The pod is ready")
	ready.Words("After", "default.target")
	ready.Section("Socket")
	ready.Set("ListenFIFO", ForwardPath+"/ready")
	ready.Set("SocketMode", "0600")
	// A socket has to have a service. Nobody opens this one.
	nothing := newUnit("The pod is ready")
	nothing.Section("Service")
	nothing.Set("Type", "oneshot")
	nothing.Exec("ExecStart", "", []string{ExecPath, "-S", readyUnit})
	return map[string]*unitfile.File{
		forwardUnit + ".socket": socket, forwardUnit + ".service": service, readyUnit + ".socket": ready, readyUnit + ".service": nothing,
	}
}

func forwardCommand(p Pod) []string {
	w := p.Forward
	argv := []string{ForwardProgram, "-i", nspawnSocket}
	if w.Direct {
		argv = []string{ForwardProgram, "-d", ForwardHostPath}
	}
	if len(p.Apps) > len(w.Apps) {
		argv = append(argv, "-s")
	}
	if w.Watchdog > 0 {
		argv = append(argv, "-w", strconv.FormatInt(w.Watchdog.Microseconds(), 10))
	}
	argv = append(argv, ForwardPath, statusPath)
	watched := map[string]bool{}
	for _, a := range p.Apps {
		has, err := Watched(a.Spec)
		watched[a.Name] = err == nil && has
	}
	for _, name := range w.Apps {
		if watched[name] {
			name = "+" + name
		}
		argv = append(argv, name)
	}
	return argv
}
