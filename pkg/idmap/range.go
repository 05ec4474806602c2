package idmap

// Range are the IDs of the host's that a pod's users and groups are: Base is the pod's 0.
// The zero value stands for a pod without IDs of its own, whose are the host's.
type Range struct{ Base, Count uint32 }

// IsZero reports whether the pod's IDs are the host's.
func (r Range) IsZero() bool { return r.Count == 0 }

// Host is the host's number for an ID of the pod's, which the range has.
func (r Range) Host(id uint32) uint32 { return r.Base + id }

// Has reports whether the pod has that ID.
func (r Range) Has(id uint32) bool { return r.IsZero() || id < r.Count }
