package appspec

import (
	"slices"
	"strconv"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// LegacyResources returns what the app is held to, its properties included, where
// not its unit but a group of the legacy hierarchies has to do it. Names has the
// properties that have no form there, and limit nothing.
func LegacyResources(spec *Spec) (r *Resources, names []string, err error) {
	props, err := Properties(spec)
	if err != nil {
		return nil, nil, err
	}
	a := &App{Spec: &Spec{Linux: &specs.Linux{}}}
	if l := spec.Linux; l != nil && l.Resources != nil {
		if a.Spec.Linux.Resources, err = withoutUnified(l.Resources); err != nil {
			return nil, nil, err
		}
		a.Spec.Linux.Resources = cloneResources(a.Spec.Linux.Resources)
	}
	for _, p := range props {
		if isResourceControl(p.Name) && !a.setLegacyProperty(p) {
			names = append(names, p.Name)
		}
	}
	return a.Spec.Linux.Resources, names, nil
}

// cloneResources copies what setLegacyProperty changes.
func cloneResources(r *Resources) *Resources {
	out := *r
	if r.Memory != nil {
		m := *r.Memory
		out.Memory = &m
	}
	if r.CPU != nil {
		c := *r.CPU
		out.CPU = &c
	}
	return &out
}

// setLegacyProperty reads the value as systemd does (systemd.resource-control(5)).
// It reports whether it could.
func (a *App) setLegacyProperty(p Property) bool {
	switch p.Name {
	case "MemoryMax", "MemoryLimit":
		n, ok := systemdBytes(p.Value)
		return ok && a.setMemory(n) == nil
	case "TasksMax":
		n, err := strconv.ParseInt(p.Value, 10, 64)
		return err == nil && a.setPids(n) == nil
	case "CPUQuota":
		percent, ok := strings.CutSuffix(p.Value, "%")
		f, err := strconv.ParseFloat(percent, 64)
		return ok && err == nil && f >= 1 && f < 1e6 && a.setCPUMillis(int64(f*10)) == nil
	case "CPUShares":
		n, err := strconv.ParseUint(p.Value, 10, 64)
		return err == nil && a.setCPUShares(n) == nil
	case "CPUWeight":
		n, err := strconv.ParseUint(p.Value, 10, 64)
		// The scales have 100 and 1024 for what is not weighed.
		return err == nil && n >= 1 && n <= 10000 && a.setCPUShares(clampShares(n*1024/100)) == nil
	case "AllowedCPUs", "AllowedMemoryNodes":
		list := strings.Join(strings.FieldsFunc(p.Value, func(r rune) bool { return r == ' ' || r == ',' }), ",")
		if !isList(list) {
			return false
		}
		if p.Name == "AllowedCPUs" {
			a.cpu().Cpus = list
		} else {
			a.cpu().Mems = list
		}
		return true
	}
	return false
}

// systemdBytes reads a size with a suffix to the base 1024.
func systemdBytes(v string) (int64, bool) {
	shift := 0
	if i := strings.IndexByte("KMGTPE", lastByte(v)); i >= 0 {
		v, shift = v[:len(v)-1], 10*(i+1)
	} else if lastByte(v) == 'B' {
		v = v[:len(v)-1]
	}
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil || n <= 0 || n > (1<<62)>>shift {
		return 0, false
	}
	return n << shift, true
}

func lastByte(s string) byte {
	if s == "" {
		return 0
	}
	return s[len(s)-1]
}

// isResourceControl reports whether the directive limits or weighs resources by way
// of control groups. Those that only count are none.
func isResourceControl(name string) bool {
	if slices.Contains([]string{"TasksMax", "AllowedCPUs", "AllowedMemoryNodes", "CPUQuota", "CPUWeight", "CPUShares", "CPUQuotaPeriodSec"}, name) {
		return true
	}
	for _, prefix := range [...]string{"MemoryMax", "MemoryHigh", "MemoryLow", "MemoryMin", "MemoryLimit", "MemorySwapMax", "MemoryZSwapMax", "IO", "BlockIO", "IPAddress", "IPIngress", "IPEgress", "SocketBind", "Startup"} {
		if strings.HasPrefix(name, prefix) && !strings.HasPrefix(name, "IOScheduling") && !strings.HasSuffix(name, "Accounting") {
			return true
		}
	}
	return false
}
