package unitgen

import "github.com/raket/raket/pkg/unitfile"

// Of the metadata service, in the pod's root: the program, what it answers, and the
// key by which it verifies what other pods have signed.
const (
	MetadataProgram = "/raket/bin/metadata"
	MetadataPath    = "/raket/metadata"
	HostKeyPath     = "/raket/hostkey"
)

// metadataUnit has a dot in its name, which no app has.
const metadataUnit = "raket.metadata"

// Metadata is the pod's metadata service.
type Metadata struct {
	Address string // in the pod's network
	HostKey bool   // HostKeyPath is there
}

// metadataFiles returns the units of the metadata service. Nothing stops them: until
// the pod has ended, handlers of apps may ask.
func metadataFiles(m *Metadata) map[string]*unitfile.File {
	if m == nil {
		return nil
	}
	socket := newUnit("Metadata service")
	socket.Section("Socket")
	socket.Set("ListenStream", m.Address)

	service := newUnit("Metadata service")
	// What apps do to it is no reason to leave the others without it.
	service.Set("StartLimitIntervalSec", "0")
	service.Section("Service")
	argv := []string{MetadataProgram, MetadataPath}
	if m.HostKey {
		argv = append(argv, HostKeyPath)
	}
	service.Exec("ExecStart", "", argv)
	// It counts against no app's limits.
	service.Set("Slice", "-.slice")
	// A capability that the kernel asks for nowhere and that apps do not have: who
	// has not all that a process has may not look into it (ptrace(2)), and the
	// service has a key.
	service.Words("CapabilityBoundingSet", "CAP_NET_BROADCAST")
	service.Set("NoNewPrivileges", "yes")
	service.Set("StandardInput", "null")
	service.Set("StandardOutput", "null")
	service.Set("StandardError", "null")
	return map[string]*unitfile.File{metadataUnit + ".socket": socket, metadataUnit + ".service": service}
}
