package approot

import (
	"path/filepath"
	"slices"

	"github.com/raket/raket/pkg/appspec"
	"github.com/raket/raket/pkg/stageabi"
)

// HostsFile is in a pod's directory: the /etc/hosts of all apps of a pod whose networks may
// change what stands in it while they run.
const HostsFile = "hosts"

// ForApp describes the root of an app of the pod in dir, an absolute path. The
// target is the app's own RootfsDir; a stage1 may choose another. An app's credentials
// have to be attached before.
func ForApp(dir string, s stageabi.Sandbox, a stageabi.App, spec *appspec.Spec) Root {
	bundle := stageabi.AppPath(dir, a.Name)
	r := Root{
		Target: filepath.Join(bundle, stageabi.RootfsDir),
		Lowers: a.Lowers,
		Upper:  filepath.Join(bundle, stageabi.UpperDir),
		Work:   filepath.Join(bundle, stageabi.WorkDir),
		Files:  Files(s),
	}
	if s.Network.Mode == stageabi.NetCNI && s.Hosts != nil {
		// First: a volume of the user's at that place covers it.
		r.Binds = append(r.Binds, Bind{Source: filepath.Join(dir, HostsFile), Target: "/etc/hosts"})
	}
	if spec.Linux != nil {
		r.Label = spec.Linux.MountLabel
	}
	for _, m := range spec.Mounts {
		if m.Type != "bind" {
			continue // kernel file systems: the same for every app
		}
		b := Bind{
			Source:    m.Source,
			Target:    m.Destination,
			ReadOnly:  slices.Contains(m.Options, "ro"),
			Recursive: slices.Contains(m.Options, "rbind"),
			IDMap:     stageabi.IDMapped(m.Options),
			NoSUID:    slices.Contains(m.Options, "nosuid"),
		}
		switch {
		case b.Source == stageabi.RootfsDir+b.Target:
			b.Self = true
		case !filepath.IsAbs(b.Source):
			// Relative to the bundle (runtime-spec, config.md, "mounts").
			b.Source = filepath.Join(bundle, b.Source)
		}
		r.Binds = append(r.Binds, b)
	}
	if len(a.Credentials) > 0 {
		r.Binds = append(r.Binds, credentialsBind(dir, a.Name))
	}
	if spec.Process != nil {
		r.WorkDir = spec.Process.Cwd
	}
	return r
}

// Files are the files of every app that tell it its pod's names.
func Files(s stageabi.Sandbox) []File {
	files := []File{{"/etc/hostname", s.Hostname + "\n"}}
	if s.Hosts != nil {
		files = append(files, File{"/etc/hosts", *s.Hosts})
	}
	if s.ResolvConf != nil {
		files = append(files, File{"/etc/resolv.conf", *s.ResolvConf})
	}
	return files
}
