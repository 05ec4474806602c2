package layer

import (
	"archive/tar"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	capabilityXattr = "security.capability"
	paxXattr        = "SCHILY.xattr."
)

// Revisions of a file's capabilities, and the flag that makes them effective
// (capabilities(7), "File capability extended attribute versioning").
const (
	capRevision2     = 0x02000000
	capRevision2Size = 20
	capEffective     = 0x000001
)

// podCapabilities are those that a file of an image may carry: what they allow
// ends at the namespaces and file systems of the pod. The others act on the
// whole host; an app that is meant to have one gets it from its isolators,
// never from a file that a stranger made.
const podCapabilities = 1<<unix.CAP_CHOWN | 1<<unix.CAP_DAC_OVERRIDE | 1<<unix.CAP_FOWNER | 1<<unix.CAP_FSETID | 1<<unix.CAP_KILL |
	1<<unix.CAP_SETGID | 1<<unix.CAP_SETUID | 1<<unix.CAP_SETPCAP | 1<<unix.CAP_NET_BIND_SERVICE | 1<<unix.CAP_NET_BROADCAST |
	1<<unix.CAP_NET_ADMIN | 1<<unix.CAP_NET_RAW | 1<<unix.CAP_IPC_LOCK | 1<<unix.CAP_IPC_OWNER | 1<<unix.CAP_SYS_CHROOT |
	1<<unix.CAP_SYS_PTRACE | 1<<unix.CAP_SYS_NICE | 1<<unix.CAP_SYS_RESOURCE | 1<<unix.CAP_MKNOD | 1<<unix.CAP_LEASE |
	1<<unix.CAP_AUDIT_WRITE | 1<<unix.CAP_SETFCAP

// xattrs picks the attributes that an image may set.
func (a *applier) xattrs(hdr *tar.Header) (map[string]string, error) {
	var found map[string]string
	for key, value := range hdr.PAXRecords {
		name, ok := strings.CutPrefix(key, paxXattr)
		switch {
		case !ok:
			continue
		case name == capabilityXattr && hdr.Typeflag == tar.TypeDir:
			continue // means nothing
		case name == capabilityXattr:
			kept, err := fileCapability([]byte(value))
			if err != nil {
				return nil, &EntryError{Name: hdr.Name, Reason: err.Error()}
			}
			if kept != value {
				a.stats.Capabilities++
			}
			if value = kept; value == "" {
				continue
			}
		case !strings.HasPrefix(name, "user.") || strings.HasPrefix(name, "user.overlay."):
			continue
		}
		if found == nil {
			found = map[string]string{}
		}
		found[name] = value
	}
	return found, nil
}

// fileCapability returns a capability attribute without what an image may not
// give; "" where nothing is left. Only revision 2 is taken: 1 has no room for
// all capabilities, and 3 is of a user namespace, which no image can know.
func fileCapability(raw []byte) (string, error) {
	if len(raw) != capRevision2Size || binary.LittleEndian.Uint32(raw)&^capEffective != capRevision2 {
		return "", errors.New("its file capabilities are not of revision 2")
	}
	var any uint32
	for i := 4; i < capRevision2Size; i += 4 {
		// Permitted and inheritable, the lower 32 of each, then the upper ones.
		mask := uint32(podCapabilities & (1<<32 - 1))
		if i >= 12 {
			mask = podCapabilities >> 32
		}
		kept := binary.LittleEndian.Uint32(raw[i:]) & mask
		binary.LittleEndian.PutUint32(raw[i:], kept)
		any |= kept
	}
	if any == 0 {
		return "", nil
	}
	return string(raw), nil
}

// setXattrs sets attributes of an open file.
func setXattrs(fd int, attrs map[string]string) error {
	for name, value := range attrs {
		err := unix.Fsetxattr(fd, name, []byte(value), 0)
		switch {
		case err == nil, errors.Is(err, unix.ENOTSUP) && name != capabilityXattr:
			// A file system without user attributes loses nothing that a pod relies on.
		case errors.Is(err, unix.EINVAL), errors.Is(err, unix.ERANGE), errors.Is(err, unix.E2BIG):
			return &attrError{name, err}
		default:
			return fmt.Errorf("set attribute %q: %w", name, err)
		}
	}
	return nil
}

// attrError is an attribute that no file can have.
type attrError struct {
	name string
	err  error
}

func (e *attrError) Error() string {
	return fmt.Sprintf("its attribute %.64q is no good: %v", e.name, e.err)
}

// clearXattrs removes what setXattrs may have set.
func clearXattrs(fd int) error {
	buf := make([]byte, 64<<10)
	n, err := unix.Flistxattr(fd, buf)
	if err != nil {
		if errors.Is(err, unix.ENOTSUP) {
			return nil
		}
		return err
	}
	for name := range strings.SplitSeq(string(buf[:n]), "\x00") {
		if strings.HasPrefix(name, "user.") && !strings.HasPrefix(name, "user.overlay.") {
			if err := unix.Fremovexattr(fd, name); err != nil && !errors.Is(err, unix.ENODATA) {
				return err
			}
		}
	}
	return nil
}
