package appspec

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Limits are what flags say about resources, of one app or of a whole pod. A nil
// field says nothing.
type Limits struct {
	MemoryBytes *int64  // hard limit
	CPUMillis   *int64  // thousandths of a CPU
	CPUShares   *uint64 // 2 to 262144
	Pids        *int64  // processes and threads
	NetBytes    *int64  // sent, and as many received, a second
}

func (a *App) applyResources(l Limits) error {
	if l.MemoryBytes != nil {
		if err := a.setMemory(*l.MemoryBytes); err != nil {
			return err
		}
	}
	if l.CPUMillis != nil {
		if err := a.setCPUMillis(*l.CPUMillis); err != nil {
			return err
		}
	}
	if l.Pids != nil {
		if err := a.setPids(*l.Pids); err != nil {
			return err
		}
	}
	if l.CPUShares != nil {
		if err := a.setCPUShares(*l.CPUShares); err != nil {
			return err
		}
	}
	if l.NetBytes != nil {
		return a.setNetworkBandwidth(*l.NetBytes)
	}
	return nil
}

// PodLimits returns what bounds all apps of a pod together: what the pod manifest's
// isolators say (a JSON list, or nothing), and l, which goes before them. resources are JSON of
// the runtime-spec's linux.resources, nil if nothing of it is limited; netBytes is 0 without a limit.
func PodLimits(isolators []byte, l Limits) (resources json.RawMessage, netBytes int64, err error) {
	a := New()
	if len(isolators) > 0 {
		var list []appcIsolator
		if err := decode(isolators, &list); err != nil {
			return nil, 0, err
		}
		if err := a.addIsolators(list); err != nil {
			return nil, 0, err
		}
	}
	if err := a.applyResources(l); err != nil {
		return nil, 0, err
	}
	if netBytes, err = NetworkBandwidth(a.Spec); err != nil || a.Spec.Linux.Resources == nil {
		return nil, netBytes, err
	}
	resources, err = json.Marshal(a.Spec.Linux.Resources)
	return resources, netBytes, err
}

// ParseResources reads the resources that PodLimits returned.
func ParseResources(text json.RawMessage) (*Resources, error) {
	if len(text) == 0 {
		return nil, nil
	}
	r := &Resources{}
	if err := decode(text, r); err != nil {
		return nil, fmt.Errorf("resources: %w", err)
	}
	return r, checkResources(r)
}

// ResourceDirectives returns the unit directives that hold a service or a slice to
// r: what the pod's systemd enforces where it has the control groups to itself, on
// the unified hierarchy. r has passed Refused.
func ResourceDirectives(r *Resources) ([]Property, error) {
	if r == nil {
		return nil, nil
	}
	var props []Property
	set := func(name, value string) { props = append(props, Property{name, value}) }
	if m := r.Memory; m != nil {
		memoryDirectives(m, set)
	}
	if c := r.CPU; c != nil {
		cpuDirectives(c, set)
	}
	if n, ok := pidsLimit(r); ok {
		set("TasksMax", strconv.FormatInt(n, 10))
	}
	if b := r.BlockIO; b != nil {
		if b.Weight != nil && *b.Weight > 0 {
			set("IOWeight", strconv.FormatUint(ioWeight(*b.Weight), 10))
		}
		for _, t := range throttles(b) {
			for _, d := range *t.devices {
				set(t.directive, fmt.Sprintf("/dev/block/%d:%d %d", d.Major, d.Minor, d.Rate))
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(r.Unified)) {
		p, err := unifiedDirective(name, r.Unified[name])
		if err != nil {
			return nil, err
		}
		props = slices.DeleteFunc(props, func(have Property) bool { return have.Name == p.Name })
		props = append(props, p)
	}
	return props, nil
}

// Numbers below 1 are the runtime-spec's ways of saying that there is no limit.
func memoryDirectives(m *specs.LinuxMemory, set func(name, value string)) {
	if m.Limit != nil && *m.Limit > 0 {
		set("MemoryMax", strconv.FormatInt(*m.Limit, 10))
	}
	if m.Reservation != nil && *m.Reservation > 0 {
		set("MemoryLow", strconv.FormatInt(*m.Reservation, 10))
	}
	switch swap, limited := swapBytes(m); {
	case limited:
		set("MemorySwapMax", strconv.FormatInt(swap, 10))
	case m.Swap != nil && *m.Swap == -1:
		set("MemorySwapMax", "infinity")
	}
}

// swapBytes is how much an app may swap. The runtime-spec counts memory and swap
// together, as the kernel did.
func swapBytes(m *specs.LinuxMemory) (int64, bool) {
	if m.Swap == nil || *m.Swap <= 0 || m.Limit == nil || *m.Limit <= 0 {
		return 0, false
	}
	return *m.Swap - *m.Limit, true
}

// cpuDirectives sets what an app has of the processors.
func cpuDirectives(c *CPU, set func(name, value string)) {
	if c.Quota != nil && *c.Quota > 0 {
		period := float64(cpuPeriod(c))
		// Two digits are what systemd reads.
		percent := max(float64(*c.Quota)*100/period, 0.01)
		set("CPUQuota", strconv.FormatFloat(percent, 'f', 2, 64)+"%")
		if period != cpuPeriodMicros {
			set("CPUQuotaPeriodSec", strconv.FormatUint(cpuPeriod(c), 10)+"us")
		}
	}
	if c.Shares != nil && *c.Shares > 0 {
		// The scale of shares, 2 to 262144, on that of weights, 1 to 10000, as
		// runtimes do it for cgroup v2.
		set("CPUWeight", strconv.FormatUint(1+(clampShares(*c.Shares)-2)*9999/262142, 10))
	}
	if c.Idle != nil && *c.Idle == 1 {
		set("CPUWeight", "idle")
	}
	if c.Cpus != "" {
		set("AllowedCPUs", c.Cpus)
	}
	if c.Mems != "" {
		set("AllowedMemoryNodes", c.Mems)
	}
}

func cpuPeriod(c *CPU) uint64 {
	if c.Period != nil && *c.Period > 0 {
		return *c.Period
	}
	return cpuPeriodMicros
}

func clampShares(n uint64) uint64 { return min(max(n, 2), 262144) }

// ioWeight is a weight of blkio's scale, 10 to 1000, on that of io.weight.
func ioWeight(w uint16) uint64 { return 1 + (min(max(uint64(w), 10), 1000)-10)*9999/990 }

func pidsLimit(r *Resources) (int64, bool) {
	if r.Pids == nil || r.Pids.Limit == nil || *r.Pids.Limit <= 0 {
		return 0, false
	}
	return *r.Pids.Limit, true
}

// throttle is one kind of limit on block devices.
type throttle struct {
	field, directive, file string
	devices                *[]specs.LinuxThrottleDevice
}

func throttles(b *specs.LinuxBlockIO) []throttle {
	return []throttle{
		{"throttleReadBpsDevice", "IOReadBandwidthMax", "blkio.throttle.read_bps_device", &b.ThrottleReadBpsDevice},
		{"throttleWriteBpsDevice", "IOWriteBandwidthMax", "blkio.throttle.write_bps_device", &b.ThrottleWriteBpsDevice},
		{"throttleReadIOPSDevice", "IOReadIOPSMax", "blkio.throttle.read_iops_device", &b.ThrottleReadIOPSDevice},
		{"throttleWriteIOPSDevice", "IOWriteIOPSMax", "blkio.throttle.write_iops_device", &b.ThrottleWriteIOPSDevice},
	}
}

// unifiedDirective is the directive for a file of the unified hierarchy.
func unifiedDirective(file, value string) (Property, error) {
	bad := func(why string) (Property, error) {
		return Property{}, fmt.Errorf("linux.resources.unified: %s: %q: %s", file, value, why)
	}
	number := func(directive, max string) (Property, error) {
		if value == "max" && max != "" {
			return Property{directive, max}, nil
		}
		n, err := strconv.ParseUint(value, 10, 63)
		if err != nil {
			return bad("want a number, or max where there may be no limit")
		}
		return Property{directive, strconv.FormatUint(n, 10)}, nil
	}
	switch file {
	case "memory.max":
		return number("MemoryMax", "infinity")
	case "memory.high":
		return number("MemoryHigh", "infinity")
	case "memory.low":
		return number("MemoryLow", "infinity")
	case "memory.min":
		return number("MemoryMin", "infinity")
	case "memory.swap.max":
		return number("MemorySwapMax", "infinity")
	case "pids.max":
		return number("TasksMax", "infinity")
	case "cpu.weight":
		return number("CPUWeight", "")
	case "io.weight":
		value = strings.TrimPrefix(value, "default ")
		return number("IOWeight", "")
	case "cpuset.cpus":
		if !isList(value) {
			return bad("want a list, as 0-2,4")
		}
		return Property{"AllowedCPUs", value}, nil
	case "cpuset.mems":
		if !isList(value) {
			return bad("want a list, as 0-2,4")
		}
		return Property{"AllowedMemoryNodes", value}, nil
	case "cpu.max":
		var quota, period uint64 = 0, cpuPeriodMicros
		text, rest, two := strings.Cut(value, " ")
		if two {
			var err error
			if period, err = strconv.ParseUint(rest, 10, 32); err != nil || period == 0 {
				return bad("want QUOTA and PERIOD in microseconds")
			}
		}
		if text == "max" {
			return Property{"CPUQuota", ""}, nil
		}
		quota, err := strconv.ParseUint(text, 10, 40)
		if err != nil || quota == 0 {
			return bad("want QUOTA and PERIOD in microseconds")
		}
		return Property{"CPUQuota", strconv.FormatFloat(max(float64(quota)*100/float64(period), 0.01), 'f', 2, 64) + "%"}, nil
	}
	return bad("is not supported")
}

// isList reports whether s is a list of CPUs or memory nodes as the kernel writes
// it (cpuset(7), "List format").
func isList(s string) bool {
	if s == "" || len(s) > 1024 {
		return false
	}
	for part := range strings.SplitSeq(s, ",") {
		from, to, isRange := strings.Cut(part, "-")
		a, err := strconv.ParseUint(from, 10, 16)
		b := a
		if err == nil && isRange {
			b, err = strconv.ParseUint(to, 10, 16)
		}
		if err != nil || b < a {
			return false
		}
	}
	return true
}

// Controllers are those of the unified hierarchy that r takes, sorted.
func Controllers(r *Resources) []string {
	props, err := ResourceDirectives(r)
	if err != nil {
		return nil
	}
	var names []string
	for _, p := range props {
		switch {
		case strings.HasPrefix(p.Name, "Memory"):
			names = append(names, "memory")
		case strings.HasPrefix(p.Name, "CPU"):
			names = append(names, "cpu")
		case strings.HasPrefix(p.Name, "IO"):
			names = append(names, "io")
		case strings.HasPrefix(p.Name, "Allowed"):
			names = append(names, "cpuset")
		case p.Name == "TasksMax":
			names = append(names, "pids")
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
