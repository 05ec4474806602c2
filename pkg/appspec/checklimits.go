package appspec

import (
	"fmt"
	"maps"
	"slices"
)

// checkResources says what of r cannot be carried, by the name of its field.
func checkResources(r *Resources) error {
	for _, check := range []func(*Resources) error{checkMemory, checkCPU, checkBlockIO, checkUnified} {
		if err := check(r); err != nil {
			return err
		}
	}
	if n, ok := pidsLimit(r); ok && n > 1<<22 {
		return fmt.Errorf("linux.resources.pids.limit: %d is more than %d", n, 1<<22)
	}
	return refuse([]given{
		{"linux.resources.hugepageLimits", len(r.HugepageLimits) > 0},
		{"linux.resources.network", r.Network != nil},
		{"linux.resources.rdma", len(r.Rdma) > 0},
	})
}

func checkMemory(r *Resources) error {
	m := r.Memory
	if m == nil {
		return nil
	}
	const field = "linux.resources.memory."
	if swap, ok := swapBytes(m); ok && swap < 0 {
		return fmt.Errorf(field+"swap: %d is less than the limit of %d: it counts memory and swap together", *m.Swap, *m.Limit)
	}
	return refuse([]given{
		{field + "swap without a limit", m.Swap != nil && *m.Swap > 0 && (m.Limit == nil || *m.Limit <= 0)},
		//lint:ignore SA1019 deprecated, and still in bundles
		{field + "kernel", m.Kernel != nil},
		{field + "kernelTCP", m.KernelTCP != nil},
		{field + "swappiness", m.Swappiness != nil},
		{field + "disableOOMKiller", m.DisableOOMKiller != nil && *m.DisableOOMKiller},
		// What the kernel does anyway may be asked for.
		{field + "useHierarchy", m.UseHierarchy != nil && !*m.UseHierarchy},
	})
}

func checkCPU(r *Resources) error {
	c := r.CPU
	if c == nil {
		return nil
	}
	const field = "linux.resources.cpu."
	for name, list := range map[string]string{"cpus": c.Cpus, "mems": c.Mems} {
		if list != "" && !isList(list) {
			return fmt.Errorf(field+"%s: %q is not a list, as 0-2,4", name, list)
		}
	}
	// The kernel's bounds, in microseconds.
	if c.Period != nil && *c.Period != 0 && (*c.Period < 1000 || *c.Period > 1_000_000) {
		return fmt.Errorf(field+"period: %d is not 1000 to 1000000", *c.Period)
	}
	return refuse([]given{
		{field + "burst", c.Burst != nil && *c.Burst != 0},
		{field + "realtimeRuntime", c.RealtimeRuntime != nil},
		{field + "realtimePeriod", c.RealtimePeriod != nil},
		{field + "idle other than 0 and 1", c.Idle != nil && *c.Idle != 0 && *c.Idle != 1},
	})
}

func checkBlockIO(r *Resources) error {
	b := r.BlockIO
	if b == nil {
		return nil
	}
	const field = "linux.resources.blockIO."
	if b.Weight != nil && *b.Weight != 0 && (*b.Weight < 10 || *b.Weight > 1000) {
		return fmt.Errorf(field+"weight: %d is not 10 to 1000", *b.Weight)
	}
	for _, t := range throttles(b) {
		for i, d := range *t.devices {
			if d.Major < 0 || d.Minor < 0 || d.Rate == 0 {
				return fmt.Errorf(field+"%s[%d]: want a device and a rate above 0", t.field, i)
			}
		}
	}
	return refuse([]given{
		{field + "leafWeight", b.LeafWeight != nil},
		{field + "weightDevice", len(b.WeightDevice) > 0},
	})
}

func checkUnified(r *Resources) error {
	for _, name := range slices.Sorted(maps.Keys(r.Unified)) {
		if _, err := unifiedDirective(name, r.Unified[name]); err != nil {
			return err
		}
	}
	return nil
}
