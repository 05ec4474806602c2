package appspec

import (
	"fmt"
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// The block isolators of appc name no device: theirs is that of the pod's files, which is
// known where the pod is. Until then it stands as 0:0, which is no device.

// setBlockBandwidth limits reading and writing, each, in bytes a second.
func (a *App) setBlockBandwidth(bytes int64) error {
	b, d, err := a.podDisk("bandwidth", bytes)
	if err == nil {
		b.ThrottleReadBpsDevice = append(b.ThrottleReadBpsDevice, d)
		b.ThrottleWriteBpsDevice = append(b.ThrottleWriteBpsDevice, d)
	}
	return err
}

// setBlockIOPS limits reading and writing, each, in operations a second.
func (a *App) setBlockIOPS(operations int64) error {
	b, d, err := a.podDisk("rate", operations)
	if err == nil {
		b.ThrottleReadIOPSDevice = append(b.ThrottleReadIOPSDevice, d)
		b.ThrottleWriteIOPSDevice = append(b.ThrottleWriteIOPSDevice, d)
	}
	return err
}

func (a *App) podDisk(what string, rate int64) (*specs.LinuxBlockIO, specs.LinuxThrottleDevice, error) {
	if rate <= 0 {
		return nil, specs.LinuxThrottleDevice{}, fmt.Errorf("block %s of %d a second", what, rate)
	}
	r := a.resources()
	if r.BlockIO == nil {
		r.BlockIO = &specs.LinuxBlockIO{}
	}
	return r.BlockIO, specs.LinuxThrottleDevice{Rate: uint64(rate)}, nil
}

// LimitsDisk reports whether r limits what the pod's files are on.
func LimitsDisk(r *Resources) bool {
	if r == nil || r.BlockIO == nil {
		return false
	}
	return slices.ContainsFunc(throttles(r.BlockIO), func(t throttle) bool { return slices.ContainsFunc(*t.devices, isPodDisk) })
}

// SetDisk says which device that is. Without one, nil, the limits are taken out of r.
func SetDisk(r *Resources, device *[2]int64) {
	if !LimitsDisk(r) {
		return
	}
	for _, t := range throttles(r.BlockIO) {
		if device == nil {
			*t.devices = slices.DeleteFunc(*t.devices, isPodDisk)
			continue
		}
		for i := range *t.devices {
			if d := &(*t.devices)[i]; isPodDisk(*d) {
				d.Major, d.Minor = device[0], device[1]
			}
		}
	}
}

func isPodDisk(d specs.LinuxThrottleDevice) bool { return d.Major == 0 && d.Minor == 0 }
