package seccomp

import (
	"encoding/json"
	"errors"
	"fmt"
	"runtime"

	moby "github.com/moby/profiles/seccomp"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// MaxProfileBytes bounds a profile.
const MaxProfileBytes = 1 << 20

// Default returns Docker's default filter on this machine for an app with these
// capabilities ("CAP_SYS_ADMIN", …): a system call that a capability is for is
// allowed if the app has it.
func Default(capabilities []string) (*specs.LinuxSeccomp, error) {
	if _, err := abis(runtime.GOARCH); err != nil {
		return nil, err
	}
	f, err := moby.GetDefaultProfile(withCapabilities(capabilities))
	if err != nil {
		return nil, fmt.Errorf("default system call filter: %w", err)
	}
	return f, nil
}

// DefaultKill returns the filter that rkt gave its apps: Default, with SIGSYS for
// what is not allowed.
func DefaultKill(capabilities []string) (*specs.LinuxSeccomp, error) {
	f, err := Default(capabilities)
	if err == nil {
		f.DefaultAction, f.DefaultErrnoRet = specs.ActKillProcess, nil
	}
	return f, err
}

// Profile returns the filter that a profile has on this machine for an app with
// these capabilities. A profile is a runtime-spec LinuxSeccomp in JSON, or one with
// Docker's archMap, includes and excludes.
func Profile(text []byte, capabilities []string) (*specs.LinuxSeccomp, error) {
	if len(text) > MaxProfileBytes {
		return nil, fmt.Errorf("seccomp profile of %d bytes, at most %d are read", len(text), MaxProfileBytes)
	}
	var shape struct {
		DefaultAction string            `json:"defaultAction"`
		Syscalls      []*map[string]any `json:"syscalls"`
	}
	if err := json.Unmarshal(text, &shape); err != nil {
		return nil, fmt.Errorf("seccomp profile: %w", err)
	}
	if shape.DefaultAction == "" {
		return nil, errors.New("seccomp profile: defaultAction: is required")
	}
	for i, s := range shape.Syscalls {
		if s == nil {
			return nil, fmt.Errorf("seccomp profile: syscalls[%d]: is null", i)
		}
	}
	f, err := moby.LoadProfile(string(text), withCapabilities(capabilities))
	if err != nil {
		return nil, fmt.Errorf("seccomp profile: %w", err)
	}
	return f, nil
}

func withCapabilities(list []string) *specs.Spec {
	return &specs.Spec{Process: &specs.Process{Capabilities: &specs.LinuxCapabilities{Bounding: list}}}
}
