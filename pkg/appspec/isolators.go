package appspec

import (
	"encoding/json"
	"fmt"
	"strings"
)

type appcIsolator struct {
	Name  string
	Value json.RawMessage
}

// addIsolators applies the isolators of an appc app section (appc spec, "App
// Container Executor", "Isolators").
//
// The specification lets an executor pass over what it does not know, if it says
// so. We do that for resource/…, which shares out the machine; anything else
// guards it, and is an error.
func (a *App) addIsolators(isolators []appcIsolator) error {
	for i, iso := range isolators {
		if err := a.addIsolator(iso); err != nil {
			return fmt.Errorf("isolators[%d]: %s: %w", i, iso.Name, err)
		}
	}
	return nil
}

// CheckIsolators says what is wrong with a JSON list of appc isolators.
func CheckIsolators(list []byte) error {
	var isolators []appcIsolator
	if err := decode(list, &isolators); err != nil {
		return err
	}
	return New().addIsolators(isolators)
}

func (a *App) addIsolator(iso appcIsolator) error {
	if len(iso.Value) == 0 || string(iso.Value) == "null" {
		return fmt.Errorf("has no value")
	}
	p := a.Spec.Process
	switch iso.Name {
	case "os/linux/capabilities-retain-set":
		set, err := capabilitySet(iso.Value)
		a.CapsRetain = set
		return err
	case "os/linux/capabilities-remove-set":
		set, err := capabilitySet(iso.Value)
		a.CapsRemove = append(a.CapsRemove, set...)
		return err
	case "os/linux/no-new-privileges":
		return decode(iso.Value, &p.NoNewPrivileges)
	case "os/linux/oom-score-adj":
		var adj int
		if err := decode(iso.Value, &adj); err != nil {
			return err
		}
		return a.setOOMScoreAdj(adj)
	case "os/linux/cpu-shares":
		var shares uint64
		if err := decode(iso.Value, &shares); err != nil {
			return err
		}
		return a.setCPUShares(shares)
	case "os/linux/seccomp-retain-set", "os/linux/seccomp-remove-set":
		return a.addSeccomp(iso)
	case "os/linux/selinux-context":
		return a.addSELinux(iso.Value)
	case "os/unix/sysctl":
		return a.addSysctls(iso.Value)
	case "resource/memory":
		return withLimit(iso.Value, ParseBytes, a.setMemory)
	case "resource/cpu":
		return withLimit(iso.Value, ParseMillis, a.setCPUMillis)
	case "resource/network-bandwidth":
		return withLimit(iso.Value, ParseBytes, a.setNetworkBandwidth)
	case "resource/block-bandwidth":
		return withLimit(iso.Value, ParseBytes, a.setBlockBandwidth)
	case "resource/block-iops":
		return withLimit(iso.Value, ParseBytes, a.setBlockIOPS)
	}
	if strings.HasPrefix(iso.Name, "resource/") {
		a.Ignored = append(a.Ignored, iso.Name)
		return withLimit(iso.Value, ParseBytes, func(int64) error { return nil })
	}
	return fmt.Errorf("isolator is not known")
}

func capabilitySet(value []byte) ([]string, error) {
	var v struct{ Set []string }
	if err := decode(value, &v); err != nil {
		return nil, err
	}
	if len(v.Set) == 0 {
		return nil, fmt.Errorf("set is empty")
	}
	return parseCapabilities(v.Set)
}

// withLimit applies the limit of a resource isolator. A request alone asks for
// nothing that could be refused, but has to be a quantity.
func withLimit(value []byte, parse func(string) (int64, error), set func(int64) error) error {
	var v struct{ Limit, Request json.RawMessage }
	if err := decode(value, &v); err != nil {
		return err
	}
	if _, _, err := quantity(v.Request, parse); err != nil {
		return fmt.Errorf("request: %w", err)
	}
	n, given, err := quantity(v.Limit, parse)
	if err != nil {
		return fmt.Errorf("limit: %w", err)
	}
	if !given {
		return nil
	}
	return set(n)
}

// quantity reads a quantity written as a JSON string or number.
func quantity(raw json.RawMessage, parse func(string) (int64, error)) (n int64, given bool, err error) {
	text := string(raw)
	if text == "" || text == "null" {
		return 0, false, nil
	}
	if text[0] == '"' {
		if err := json.Unmarshal(raw, &text); err != nil {
			return 0, false, err
		}
	}
	n, err = parse(text)
	return n, true, err
}

func (a *App) addSeccomp(iso appcIsolator) error {
	var v struct {
		Set   []string
		Errno string
	}
	if err := decode(iso.Value, &v); err != nil {
		return err
	}
	switch {
	case len(v.Set) == 0:
		return fmt.Errorf("set is empty")
	case a.Spec.Linux.Seccomp != nil:
		return fmt.Errorf("a second seccomp isolator")
	}
	return a.setCalls(CallSet{Retain: strings.HasSuffix(iso.Name, "retain-set"), Errno: v.Errno, Names: v.Set})
}

func (a *App) addSELinux(value []byte) error {
	var v struct{ User, Role, Type, Level string }
	if err := decode(value, &v); err != nil {
		return err
	}
	for _, part := range []string{v.User, v.Role, v.Type} {
		if part == "" || strings.ContainsFunc(part, func(r rune) bool { return r == ':' || isControlOrSpace(r) }) {
			return fmt.Errorf("context part %q is not a name", part)
		}
	}
	if v.Level == "" || strings.ContainsFunc(v.Level, isControlOrSpace) {
		return fmt.Errorf("level %q is none", v.Level)
	}
	a.Spec.Process.SelinuxLabel = strings.Join([]string{v.User, v.Role, v.Type, v.Level}, ":")
	return nil
}

func (a *App) addSysctls(value []byte) error {
	var v map[string]string
	if err := decode(value, &v); err != nil {
		return err
	}
	for name, val := range v {
		if !isSysctl(name) || strings.ContainsFunc(val, isControl) {
			return fmt.Errorf("sysctl %q is not a name with a value of one line", name)
		}
	}
	a.Spec.Linux.Sysctl = v
	return nil
}

func isSysctl(name string) bool {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./"
	return name != "" && strings.Trim(name, letters) == "" && !strings.Contains(name, "..") &&
		name[0] != '.' && name[0] != '/'
}
