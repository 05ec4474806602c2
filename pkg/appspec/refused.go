package appspec

import (
	"fmt"
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Refused says which field of a spec no stage1 of raket applies. A bundle or an
// ACI that asks for protection, or for a place to run in, must not run without it
// silently. docs/app-spec.md has the table.
func Refused(spec *Spec) error {
	for _, check := range []func(*Spec) error{refusedProcess, refusedHooks, refusedLinux, refusedSeccomp, refusedDevices, checkConfinement, refusedResources, refusedMounts} {
		if err := check(spec); err != nil {
			return err
		}
	}
	return nil
}

// given is a field of a spec, and whether it asks for anything.
type given struct {
	field string
	is    bool
}

func refuse(fields []given) error {
	for _, f := range fields {
		if f.is {
			return fmt.Errorf("%s: is not supported", f.field)
		}
	}
	return nil
}

func refusedProcess(spec *Spec) error {
	p := spec.Process
	return refuse([]given{
		{"domainname", spec.Domainname != ""},
		{"process.commandLine", p.CommandLine != ""},
		{"process.scheduler", p.Scheduler != nil},
		{"process.ioPriority", p.IOPriority != nil},
		{"process.execCPUAffinity", p.ExecCPUAffinity != nil},
	})
}

func refusedHooks(spec *Spec) error {
	h := spec.Hooks
	if h == nil {
		return nil
	}
	return refuse([]given{
		//lint:ignore SA1019 deprecated, and still in bundles
		{"hooks.prestart", len(h.Prestart) > 0},
		{"hooks.createRuntime", len(h.CreateRuntime) > 0},
		{"hooks.createContainer", len(h.CreateContainer) > 0},
		{"hooks.poststart", len(h.Poststart) > 0},
		{"hooks.poststop", len(h.Poststop) > 0},
	})
}

func refusedLinux(spec *Spec) error {
	l := spec.Linux
	if l == nil {
		return nil
	}
	for i, ns := range l.Namespaces {
		if ns.Path != "" {
			return fmt.Errorf("linux.namespaces[%d].path: the pod's apps share the pod's namespaces, and join no others", i)
		}
		if ns.Type == specs.UserNamespace || ns.Type == specs.TimeNamespace {
			return fmt.Errorf("linux.namespaces[%d].type: an app has no %s namespace of its own", i, ns.Type)
		}
	}
	return refuse([]given{
		{"linux.uidMappings", len(l.UIDMappings) > 0},
		{"linux.gidMappings", len(l.GIDMappings) > 0},
		{"linux.cgroupsPath", l.CgroupsPath != ""},
		{"linux.netDevices", len(l.NetDevices) > 0},
		{"linux.rootfsPropagation", l.RootfsPropagation != "" && l.RootfsPropagation != "private" && l.RootfsPropagation != "rprivate"},
		{"linux.intelRdt", l.IntelRdt != nil},
		{"linux.memoryPolicy", l.MemoryPolicy != nil},
		{"linux.personality", l.Personality != nil},
		{"linux.timeOffsets", len(l.TimeOffsets) > 0},
	})
}

func refusedResources(spec *Spec) error {
	if spec.Linux == nil || spec.Linux.Resources == nil {
		return nil
	}
	return checkResources(spec.Linux.Resources)
}

// refusedMounts allows binds, and the file systems that every app gets.
func refusedMounts(spec *Spec) error {
	for i, m := range spec.Mounts {
		if len(m.UIDMappings) > 0 || len(m.GIDMappings) > 0 {
			return fmt.Errorf("mounts[%d].uidMappings: is not supported", i)
		}
		isBind := m.Type == "bind" || slices.Contains(m.Options, "bind") || slices.Contains(m.Options, "rbind")
		isDefault := m.Type == "cgroup" || m.Type == "cgroup2" || slices.ContainsFunc(defaultMounts(), func(d Mount) bool {
			return d.Destination == m.Destination && d.Type == m.Type
		})
		if !isBind && !isDefault {
			return fmt.Errorf("mounts[%d]: a %q on %q is not supported: use a volume, or the property TemporaryFileSystem", i, m.Type, m.Destination)
		}
	}
	return nil
}
