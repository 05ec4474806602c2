package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/raket/raket/pkg/appspec"
	"github.com/raket/raket/pkg/cgroup"
	"github.com/raket/raket/pkg/stageabi"
)

// sysctlsPath is the file of the pod's kernel parameters, in its root.
const sysctlsPath = "/raket/sysctls"

// checkProtections says which of what the pod's apps are to be kept to nobody on this host
// would keep.
func (p *pod) checkProtections() error {
	if name := appspec.NetworkSysctl(p.sandbox.Sysctls); name != "" && p.sandbox.Network.Mode == stageabi.NetHost {
		return fmt.Errorf("sysctl %s: the pod is on the host's network, where it would be the host's (--net=none and others give the pod one)", name)
	}
	for i, a := range p.sandbox.Apps {
		if err := checkLabels(p.specs[i], "/sys"); err != nil {
			return fmt.Errorf("app %s: %w", a.Name, err)
		}
		if p.sandbox.Users != nil && len(appspec.OwnDevices(p.specs[i])) > 0 {
			return fmt.Errorf("app %s: devices: nobody may make nodes in a pod with a user namespace", a.Name)
		}
		if !cgroup.Unified() {
			continue
		}
		if err := appspec.UnifiedDevices(p.specs[i]); err != nil {
			return fmt.Errorf("app %s: %w", a.Name, err)
		}
	}
	return nil
}

// checkLabels fails where a security module that the spec counts on is not at work. sys is where
// sysfs is.
func checkLabels(spec *appspec.Spec, sys string) error {
	if name := spec.Process.ApparmorProfile; name != "" {
		on, err := os.ReadFile(filepath.Join(sys, "module/apparmor/parameters/enabled"))
		if err != nil || strings.TrimSpace(string(on)) != "Y" {
			return fmt.Errorf("AppArmor profile %s: AppArmor is not at work on this host", name)
		}
	}
	label := spec.Process.SelinuxLabel
	if label == "" && spec.Linux != nil {
		label = spec.Linux.MountLabel
	}
	if label == "" {
		return nil
	}
	if _, err := os.Stat(filepath.Join(sys, "fs/selinux/enforce")); err != nil {
		return fmt.Errorf("SELinux context %s: SELinux is not at work on this host", label)
	}
	return nil
}

// writeSysctls writes the pod's kernel parameters for exec, which sets them before the pod's init
// starts.
func (p *pod) writeSysctls() error {
	if len(p.sandbox.Sysctls) == 0 {
		return nil
	}
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(p.sandbox.Sysctls)) {
		b.WriteString(appspec.SysctlPath(name) + "=" + p.sandbox.Sysctls[name] + "\n")
	}
	return os.WriteFile(filepath.Join(rootDir, sysctlsPath), []byte(b.String()), 0o444)
}
