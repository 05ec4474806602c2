package appspec

import (
	"errors"
	"fmt"
	"strconv"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// GroupFile is a file of a control group and what to write there.
type GroupFile struct {
	Controller string // memory, cpu, cpuset, pids, blkio, hugetlb
	Name       string // as memory.limit_in_bytes
	Value      string
	// IfThere: the file is one that kernels may lack, and without it nothing is
	// limited less.
	IfThere bool
}

// ErrUnifiedOnly says that the legacy hierarchies have nothing for a limit.
var ErrUnifiedOnly = errors.New("needs the unified control group hierarchy (cgroup v2), which this host does not use")

// LegacyFiles returns what holds a control group of the legacy hierarchies (cgroup
// v1) to r, in the order in which it is to be written. r has passed Refused. The
// error wraps ErrUnifiedOnly where these have nothing that means the same.
func LegacyFiles(r *Resources) ([]GroupFile, error) {
	if r == nil {
		return nil, nil
	}
	r, err := withoutUnified(r)
	if err != nil {
		return nil, err
	}
	var files []GroupFile
	set := func(controller, name, value string) {
		files = append(files, GroupFile{Controller: controller, Name: controller + "." + name, Value: value})
	}
	if m := r.Memory; m != nil {
		if m.Limit != nil && *m.Limit > 0 {
			set("memory", "limit_in_bytes", strconv.FormatInt(*m.Limit, 10))
		}
		if m.Reservation != nil && *m.Reservation > 0 {
			set("memory", "soft_limit_in_bytes", strconv.FormatInt(*m.Reservation, 10))
		}
		if _, limited := swapBytes(m); limited {
			set("memory", "memsw.limit_in_bytes", strconv.FormatInt(*m.Swap, 10))
		}
	}
	if c := r.CPU; c != nil {
		if c.Quota != nil && *c.Quota > 0 {
			// The period first: the kernel holds the quota against it.
			set("cpu", "cfs_period_us", strconv.FormatUint(cpuPeriod(c), 10))
			set("cpu", "cfs_quota_us", strconv.FormatInt(max(*c.Quota, 1000), 10))
		}
		if c.Shares != nil && *c.Shares > 0 {
			set("cpu", "shares", strconv.FormatUint(clampShares(*c.Shares), 10))
		}
		if c.Idle != nil && *c.Idle == 1 {
			set("cpu", "idle", "1")
		}
		if c.Cpus != "" {
			set("cpuset", "cpus", c.Cpus)
		}
		if c.Mems != "" {
			set("cpuset", "mems", c.Mems)
		}
	}
	if n, ok := pidsLimit(r); ok {
		set("pids", "max", strconv.FormatInt(n, 10))
	}
	if b := r.BlockIO; b != nil {
		if b.Weight != nil && *b.Weight > 0 {
			// The scheduler BFQ's; others know no weights, on either hierarchy.
			files = append(files, GroupFile{"blkio", "blkio.bfq.weight", strconv.FormatUint(uint64(*b.Weight), 10), true})
		}
		for _, t := range throttles(b) {
			for _, d := range *t.devices {
				files = append(files, GroupFile{Controller: "blkio", Name: t.file, Value: fmt.Sprintf("%d:%d %d", d.Major, d.Minor, d.Rate)})
			}
		}
	}
	return append(files, legacyDevices(r)...), nil
}

// withoutUnified says in the older fields what r says in unified.
func withoutUnified(r *Resources) (*Resources, error) {
	if len(r.Unified) == 0 {
		return r, nil
	}
	out := *r
	a := &App{Spec: &Spec{Linux: &specs.Linux{Resources: &out}}}
	if out.Memory != nil {
		m := *out.Memory
		out.Memory = &m
	}
	if out.CPU != nil {
		c := *out.CPU
		out.CPU = &c
	}
	for name, value := range r.Unified {
		if value == "max" {
			continue
		}
		var err error
		switch name {
		case "memory.max":
			var n int64
			if n, err = strconv.ParseInt(value, 10, 64); err == nil {
				err = a.setMemory(n)
			}
		case "pids.max":
			var n int64
			if n, err = strconv.ParseInt(value, 10, 64); err == nil {
				out.Pids = nil
				err = a.setPids(n)
			}
		case "cpuset.cpus":
			a.cpu().Cpus = value
		case "cpuset.mems":
			a.cpu().Mems = value
		case "cpu.max":
			var quota int64
			period := uint64(cpuPeriodMicros)
			if n, _ := fmt.Sscanf(value, "%d %d", &quota, &period); n >= 1 {
				a.cpu().Quota, a.cpu().Period = &quota, &period
			}
		default:
			err = ErrUnifiedOnly
		}
		if err != nil {
			return nil, fmt.Errorf("linux.resources.unified: %s: %w", name, err)
		}
	}
	out.Unified = nil
	return &out, nil
}
