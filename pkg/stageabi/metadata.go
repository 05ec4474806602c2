package stageabi

// MetadataDir, in a pod's directory, is what its metadata service answers, readable by
// root alone: pkg/podmetadata says how it is laid out.
const MetadataDir = "metadata"

// EnvMetadataURL is where an app finds its pod's metadata service (appc spec,
// "Execution Environment"): "http://", Metadata.Address, "/" and the token.
const EnvMetadataURL = "AC_METADATA_URL"

// Metadata is the metadata service of a pod.
type Metadata struct {
	// Address is where it listens, an IPv4 address and port in the pod's network;
	// decided at the start.
	Address string `json:"address"`
	// HostKey is the absolute path of the key that signatures of other pods are
	// verified with. Empty where apps of the pod might get at it.
	HostKey string `json:"hostKey,omitempty"`
}
