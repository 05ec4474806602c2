package appargs

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/raket/raket/pkg/appspec"
	"github.com/raket/raket/pkg/podmanifest"
	"github.com/raket/raket/pkg/podsocket"
)

// appFlags are those that follow an image.
func appFlags() []flag {
	f := func(name, arg, usage string, words []string, set func(*App, string) error) flag {
		return flag{Flag: Flag{Name: name, Arg: arg, Usage: usage, Scope: ForApp, Words: words}, app: set}
	}
	bare := func(f flag) flag { f.bare = "true"; return f }
	return append(streamFlags(), []flag{
		f("annotation", "NAME=VALUE", "add an annotation to the app", nil,
			func(a *App, v string) error { return addAnnotation(a, v) }),
		f("caps-remove", "CAP,…", "take capabilities from the default set", nil,
			func(a *App, v string) error { return setCaps(&a.Override.CapsRemove, v) }),
		f("caps-retain", "CAP,…", "keep these capabilities and no others", nil,
			func(a *App, v string) error { return setCaps(&a.Override.CapsRetain, v) }),
		f("environment", "NAME=VALUE", "set an environment variable", nil,
			func(a *App, v string) error { return appendParsed(&a.Override.Env, parseEnv, v) }),
		f("exec", "PATH", "run this executable in place of the image's", nil,
			func(a *App, v string) error { return setExec(a, v) }),
		f("group", "GROUP", "run as this group: a number, a name, or a path of the image whose group is meant", nil,
			func(a *App, v string) error { return setWord(&a.Override.Group, v) }),
		f("mount", "volume=NAME,target=PATH", "mount a volume in the app", nil,
			func(a *App, v string) error { return appendParsed(&a.Mounts, podmanifest.ParseMount, v) }),
		f("name", "NAME", "name the app (default: from the image's name)", nil,
			func(a *App, v string) error { return setAppName(&a.Name, v) }),
		bare(f("no-new-privileges", "", "let no process of the app gain privileges by exec", nil,
			func(a *App, v string) error { return setBoolPtr(&a.Override.NoNewPrivileges, v) })),
		f("oom-score-adj", "N", "how readily the kernel kills the app when memory is short, -1000 to 1000", nil, setOOMScoreAdj),
		f("property", "NAME=VALUE", "set a directive of the app's unit, as MemoryMax=256M", nil,
			func(a *App, v string) error { return appendParsed(&a.Override.Properties, appspec.ParseProperty, v) }),
		bare(f("readonly-rootfs", "", "make the app's root read-only", nil,
			func(a *App, v string) error { return setBoolPtr(&a.Override.ReadonlyRootfs, v) })),
		f("restart", "WHEN", "restart the app when it ends so (systemd's Restart=)", restarts(),
			func(a *App, v string) error { return oneOf(restarts(), &a.Override.Restart, v) }),
		f("rlimit", "NAME=SOFT[:HARD]", "limit a resource of each process, as nofile=1024:4096", nil,
			func(a *App, v string) error { return appendParsed(&a.Override.Rlimits, appspec.ParseRlimit, v) }),
		f("seccomp", "mode=retain|remove,errno=NAME,CALL,@SET…", "limit the app's system calls to these, or take these away", nil,
			func(a *App, v string) error { return setCalls(a, v) }),
		f("seccomp-profile", "FILE|default|unconfined", "limit the app's system calls by a profile, OCI's or Docker's", []string{"default", "unconfined"},
			func(a *App, v string) error { return setWord(&a.SeccompProfile, v) }),
		f("signature", "FILE|URL", "the image's detached signature, where it is not beside the image", nil,
			func(a *App, v string) error { return setWord(&a.Signature, v) }),
		f("socket", "NAME|PORT|PATH|listen:…", "hand the app a listening socket: the host's of this name, port or path, or one that the pod opens (systemd.socket)", nil, addSocket),
		f("stop-signal", "SIGNAL", "the signal that asks the app to end", nil,
			func(a *App, v string) error { return setSignal(a, v) }),
		f("stop-timeout", "DURATION", "how long the app may take to end before it is killed, as 10s", nil, setStopTimeout),
		f("supplementary-gids", "GROUP,…", "further groups, numbers or names", nil,
			func(a *App, v string) error { return appendWords(&a.Override.Supplementary, v) }),
		f("type", "TYPE", "when the app counts as started (systemd's Type=)", types(),
			func(a *App, v string) error { return oneOf(types(), &a.Override.Type, v) }),
		f("user", "USER", "run as this user: a number, a name, or a path of the image whose owner is meant", nil,
			func(a *App, v string) error { return setWord(&a.Override.User, v) }),
		f("working-dir", "PATH", "start in this directory", nil,
			func(a *App, v string) error { return setAbsolute(&a.Override.WorkingDir, v) }),
	}...)
}

func restarts() []string {
	return []string{"no", "on-success", "on-failure", "on-abnormal", "on-abort", "on-watchdog", "always"}
}
func types() []string {
	return []string{"simple", "exec", "notify", "notify-reload", "oneshot", "forking"}
}

func addSocket(a *App, v string) error {
	w, err := podsocket.ParseWish(v)
	if err == nil && slices.Contains(a.Sockets, v) {
		err = errors.New("it is given twice")
	}
	a.Sockets = append(a.Sockets, w.String())
	return err
}

func setBoolPtr(into **bool, v string) error {
	var b bool
	if err := setBool(&b, v); err != nil {
		return err
	}
	*into = &b
	return nil
}

func setOOMScoreAdj(a *App, v string) error {
	const most = 1000
	n, err := strconv.Atoi(v)
	if err != nil || n < -most || n > most {
		return errors.New("must be a number from -1000 to 1000")
	}
	a.Override.OOMScoreAdj = &n
	return nil
}

func setStopTimeout(a *App, v string) error {
	d, err := time.ParseDuration(v)
	if n, notNumber := strconv.ParseUint(v, 10, 31); notNumber == nil {
		d, err = time.Duration(n)*time.Second, nil
	}
	if err != nil || d < 0 {
		return errors.New("must be a duration, as 10s or 1m30s")
	}
	a.Override.StopTimeout = &d
	return nil
}

func setExec(a *App, v string) error {
	var path string
	err := setPath(&path, v)
	a.Override.Exec = []string{path}
	return err
}

func addAnnotation(a *App, v string) error {
	kv, err := parseAnnotation(v)
	if err != nil {
		return err
	}
	if a.Override.Annotations == nil {
		a.Override.Annotations = make(map[string]string)
	}
	a.Override.Annotations[kv.Key] = kv.Value
	return nil
}

// setCaps adds to a list of capabilities; an empty value makes it a list of
// none.
func setCaps(into *[]string, v string) error {
	caps := []string{}
	for word := range strings.SplitSeq(v, ",") {
		if word != "" {
			caps = append(caps, word)
		}
	}
	*into = append(append([]string{}, *into...), caps...)
	return appspec.New().Apply(appspec.Override{CapsRetain: caps})
}

// setCalls takes rkt's --seccomp.
func setCalls(a *App, v string) error {
	s, err := appspec.ParseCallSet(v)
	if err == nil {
		a.Override.Seccomp = &s
	}
	return err
}

func setSignal(a *App, v string) error {
	if v == "" {
		return errEmpty
	}
	a.Override.StopSignal = v
	return appspec.New().Apply(appspec.Override{StopSignal: v})
}
