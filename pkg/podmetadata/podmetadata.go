package podmetadata

import (
	"crypto/hmac"
	"crypto/sha512"
)

// Names in a pod's directory of metadata: its secrets, and below Pod and Apps the
// answers, each in the file that has its place in the URL.
const (
	TokenFile = "token" // TokenBytes in hexadecimal digits
	KeyFile   = "key"   // KeyBytes: the pod's key
	Pod       = "pod"   // annotations, manifest, uuid
	Apps      = "apps"  // NAME/annotations, NAME/image/manifest, NAME/image/id

	Annotations = "annotations"
	Manifest    = "manifest"
	UUID        = "uuid"
	Image       = "image"
	ID          = "id"
)

// URLBase is between the pod's token and the name of an answer in a URL.
const URLBase = "/acMetadata/v1/"

// Port is where the service listens, rkt's.
const Port = 18112

// TokenBytes and KeyBytes are how many random bytes there are.
const (
	TokenBytes = 16
	KeyBytes   = 64
)

// PodKey is the key of a pod, made of the host's: who has it knows no other pod's.
func PodKey(host []byte, uuid string) []byte {
	return Sign(host, "raket pod "+uuid)
}

// Sign returns the HMAC-SHA512 of content.
func Sign(key []byte, content string) []byte {
	mac := hmac.New(sha512.New, key)
	mac.Write([]byte(content))
	return mac.Sum(nil)
}
