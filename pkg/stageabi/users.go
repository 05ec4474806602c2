package stageabi

import "slices"

// Users says that a pod has a user namespace: its user and group IDs 0 to Count-1 are the
// host's from Base on. The files that the pod brings along (images, volumes of its own) are
// seen under the pod's IDs, whatever is on the disk.
type Users struct {
	// Pick: Base is decided at the start, and is 0 before.
	Pick  bool   `json:"pick,omitempty"`
	Base  uint32 `json:"base,omitempty"`
	Count uint32 `json:"count"`
}

// Options of mounts of type bind in app specs (runtime-spec, config.md, "mounts"): the files
// are seen under the pod's IDs. In a pod without IDs of its own they mean nothing.
const (
	MountIDMap          = "idmap"
	MountIDMapRecursive = "ridmap"
)

// IDMapped reports whether a mount with these options has one of them.
func IDMapped(options []string) bool {
	return slices.Contains(options, MountIDMap) || slices.Contains(options, MountIDMapRecursive)
}

// First is the host's number for the pod's root; 0 for a nil u.
func (u *Users) First() int {
	if u == nil {
		return 0
	}
	return int(u.Base)
}

// Pod is the pod's number for an ID of the host's. What no user of the pod's is, is nobody
// there.
func (u *Users) Pod(id uint32) uint32 {
	if u == nil {
		return id
	}
	if !u.Has(id) {
		return Overflow
	}
	return id - u.Base
}

// Has reports whether an ID of the host's is a user of the pod's.
func (u *Users) Has(id uint32) bool { return id >= u.Base && id-u.Base < u.Count }

// Overflow is the kernel's number for who has none (/proc/sys/kernel/overflowuid).
const Overflow = 65534
