package appargs

import (
	"errors"
	"strconv"
	"strings"

	"github.com/raket/raket/pkg/podmanifest"
	"github.com/raket/raket/pkg/uidrange"
)

// podFlags are those that mean the pod, or all apps.
func podFlags() []flag {
	return []flag{
		{Flag: Flag{Name: "annotation", Arg: "NAME=VALUE", Usage: "add an annotation to the pod; after an image, to the app"},
			pod: func(p *Pod, v string) error { return appendAnnotation(&p.Annotations, v) }},
		{Flag: Flag{Name: "capability", Arg: "CAP,…", Usage: "let apps that are added later have these capabilities, beyond the default set"},
			pod: func(p *Pod, v string) error { return setCaps(&p.Capabilities, v) }},
		{Flag: Flag{Name: "exit-policy", Arg: "POLICY", Words: exitPolicies(), Usage: "when the pod ends: all-ended, when every app has; any-failed, as soon as one fails; none, only when stopped"},
			pod: func(p *Pod, v string) error { return oneOf(exitPolicies(), &p.ExitPolicy, v) }},
		{Flag: Flag{Name: "inherit-env", Usage: "give the apps the caller's environment, below what the image says"}, bare: "true",
			pod: func(p *Pod, v string) error { return setBool(&p.InheritEnv, v) }},
		{Flag: Flag{Name: "log", Arg: "WHERE", Words: logTargets(), Usage: "where the apps' output goes: auto, journal, file, console or none"},
			pod: func(p *Pod, v string) error { return oneOf(logTargets(), &p.Log, v) }},
		{Flag: Flag{Name: "mds-register", Usage: "serve the pod's metadata to its apps at AC_METADATA_URL; the default of pods that have an ACI or come from a pod manifest, =false leaves it out"}, bare: "true",
			pod: func(p *Pod, v string) error { p.Metadata = new(bool); return setBool(p.Metadata, v) }},
		{Flag: Flag{Name: "mount", Arg: "volume=NAME,target=PATH", Usage: "mount a volume in every app; after an image, in the app"},
			pod: func(p *Pod, v string) error { return appendParsed(&p.Mounts, podmanifest.ParseMount, v) }},
		{Flag: Flag{Name: "mnt-volume", Arg: "name=NAME,kind=host|empty,…,target=PATH", Usage: "define a volume and mount it in the app: --volume and --mount in one"},
			pod: addMountedVolume},
		{Flag: Flag{Name: "no-overlay", Usage: "copy the images' files in place of stacking them"}, bare: "true",
			pod: func(p *Pod, v string) error { return setBool(&p.NoOverlay, v) }},
		{Flag: Flag{Name: "pod-manifest", Arg: "FILE", Files: true, Usage: "take apps, volumes and annotations from an appc pod manifest"},
			pod: func(p *Pod, v string) error { return setPath(&p.Manifest, v) }},
		{Flag: Flag{Name: "private-users", Arg: "RANGE", Words: []string{"no", "pick"}, Usage: "give the pod user IDs of its own, so that its root is nobody on the host: pick, a free range; BASE[:COUNT], this one; no"}, bare: "pick",
			pod: func(p *Pod, v string) error { return parseInto(&p.Users, uidrange.Parse, v) }},
		{Flag: Flag{Name: "pull-policy", Arg: "POLICY", Words: pullPolicies(), Usage: "when to fetch: new, if the store lacks the image; never; update, always"},
			pod: func(p *Pod, v string) error { return oneOf(pullPolicies(), &p.PullPolicy, v) }},
		{Flag: Flag{Name: "quiet", Usage: "print no progress"}, bare: "true",
			pod: func(p *Pod, v string) error { return setBool(&p.Quiet, v) }},
		{Flag: Flag{Name: "set-env", Arg: "NAME=VALUE", Usage: "set an environment variable in every app"},
			pod: func(p *Pod, v string) error { return appendParsed(&p.Env, parseEnv, v) }},
		{Flag: Flag{Name: "set-env-file", Arg: "FILE", Files: true, Usage: "set the environment variables of a file in every app"},
			pod: func(p *Pod, v string) error {
				var path string
				err := setPath(&path, v)
				p.EnvFiles = append(p.EnvFiles, path)
				return err
			}},
		{Flag: Flag{Name: "stage1-from-dir", Arg: "NAME", Usage: "use the flavour in this directory, or of this name in the directory of flavours"},
			pod: func(p *Pod, v string) error { return setStage1(p, &p.Stage1.FromDir, v) }},
		{Flag: Flag{Name: "stage1-hash", Arg: "ID", Usage: "use the flavour in the store that has this image ID"},
			pod: func(p *Pod, v string) error { return setStage1(p, &p.Stage1.Image, v) }},
		{Flag: Flag{Name: "stage1-name", Arg: "NAME", Words: []string{"nspawn", "fly"}, Usage: "use the flavour of this name"},
			pod: func(p *Pod, v string) error { return setStage1(p, &p.Stage1.Name, v) }},
		{Flag: Flag{Name: "stage1-path", Arg: "PATH", Files: true, Usage: "use the flavour in this ACI file"},
			pod: setStage1Path},
		{Flag: Flag{Name: "stage1-url", Arg: "URL", Usage: "use the flavour in the ACI at this URL"},
			pod: func(p *Pod, v string) error { return setStage1(p, &p.Stage1.Image, v) }},
		{Flag: Flag{Name: "store-only", Usage: "use the store alone, as --pull-policy=never"}, bare: "true",
			pod: setStoreOnly},
		{Flag: Flag{Name: "uuid-file-save", Arg: "FILE", Files: true, Usage: "write the pod's UUID to a file"},
			pod: func(p *Pod, v string) error { return setPath(&p.UUIDFile, v) }},
		{Flag: Flag{Name: "volume", Arg: "NAME,kind=host|empty,…", Usage: "define a volume: kind=host,source=PATH[,readOnly=BOOL][,recursive=BOOL][,idmap=BOOL] or kind=empty[,mode=MODE][,uid=N][,gid=N]"},
			pod: addVolume},
	}
}

// runFlags are those of RunOptions.
func runFlags() []flag {
	f := func(name, arg, usage string, words []string, set func(*RunOptions, string) error) flag {
		return flag{
			Flag: Flag{Name: name, Arg: arg, Usage: usage, Scope: ForRun, Words: words},
			pod:  func(p *Pod, v string) error { return set(&p.Run, v) },
		}
	}
	ipc := f("ipc", "MODE", "", nil, checkIPC)
	ipc.Hidden = true
	return []flag{
		interactiveFlag(),
		ipc,
		f("dns", "ADDRESS", "write a name server to the apps' /etc/resolv.conf; host takes the host's file, none writes none", []string{"host", "none"}, addDNS),
		f("dns-domain", "DOMAIN", "write a domain to /etc/resolv.conf", nil,
			func(r *RunOptions, v string) error { return setWord(&r.DNSDomain, v) }),
		f("dns-opt", "OPTION", "write an option to /etc/resolv.conf", nil,
			func(r *RunOptions, v string) error { return appendParsed(&r.DNSOpt, parseWord, v) }),
		f("dns-search", "DOMAIN", "write a search domain to /etc/resolv.conf", nil,
			func(r *RunOptions, v string) error { return appendParsed(&r.DNSSearch, parseWord, v) }),
		f("hostname", "NAME", "name the pod's host (default rkt-UUID)", nil, setHostname),
		f("hosts-entry", "ADDRESS=NAME", "write an entry to the apps' /etc/hosts; host takes the host's file", []string{"host"}, addHosts),
		f("net", "NETWORK[:KEY=VALUE;…],…", "join these networks; none: loopback alone; host: the host's; all: every network of raket's; IP=, MAC=, ingressRate= and egressRate= in bits per second, or what its plugins know", networks(), addNet),
		f("net-alias", "NAME", "let other pods of this host find the pod by this name", nil, addAlias),
	}
}

func exitPolicies() []string { return []string{"all-ended", "any-failed", "none"} }
func logTargets() []string   { return []string{"auto", "journal", "file", "console", "none"} }
func pullPolicies() []string { return []string{"new", "never", "update"} }
func networks() []string     { return []string{"default", "default-restricted", netHost, netNone, netAll} }

// checkIPC takes rkt's words for what a pod has anyway.
func checkIPC(_ *RunOptions, v string) error {
	if v != "auto" && v != "private" {
		return errors.New("is not supported, a pod has its own IPC")
	}
	return nil
}

func addVolume(p *Pod, v string) error {
	rest, idmap, err := podmanifest.CutIDMap(v)
	if err != nil {
		return err
	}
	vol, err := podmanifest.ParseVolume(rest)
	if err != nil {
		return err
	}
	p.Volumes = append(p.Volumes, *vol)
	if idmap {
		p.IDMapped = append(p.IDMapped, vol.Name.String())
	}
	return nil
}

// addMountedVolume takes rkt's --mnt-volume.
func addMountedVolume(p *Pod, v string) error {
	var name, target string
	var rest []string
	for part := range strings.SplitSeq(v, ",") {
		switch key, value, _ := strings.Cut(part, "="); key {
		case "name", "volume":
			name = value
		case "target", "path":
			target = value
		default:
			rest = append(rest, part)
		}
	}
	if err := addVolume(p, strings.Join(append([]string{name}, rest...), ",")); err != nil {
		return err
	}
	return appendParsed(&p.Mounts, podmanifest.ParseMount, "volume="+name+",target="+target)
}

func setStoreOnly(p *Pod, v string) error {
	var only bool
	if err := setBool(&only, v); err != nil {
		return err
	}
	if only {
		p.PullPolicy = "never"
	}
	return nil
}

func setStage1(p *Pod, field *string, v string) error {
	if v == "" {
		return errEmpty
	}
	if p.Stage1 != (Stage1{}) {
		return errors.New("the flavour is given twice")
	}
	*field = v
	return nil
}

// setStage1Path sees to it that a file's name is not taken for an image's.
func setStage1Path(p *Pod, v string) error {
	if v != "" && !strings.Contains(v, "/") {
		v = "./" + v
	}
	return setStage1(p, &p.Stage1.Image, v)
}

func setBool(into *bool, v string) error {
	b, err := strconv.ParseBool(v)
	if err != nil {
		return errors.New("must be true or false")
	}
	*into = b
	return nil
}
