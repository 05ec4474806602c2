package podmetadata_test

import (
	"bytes"
	"encoding/hex"
	"testing"

	"github.com/raket/raket/pkg/podmetadata"
)

// RFC 4231, test case 2.
func TestSignaturesAreHMACSHA512(t *testing.T) {
	want := "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737"
	if got := hex.EncodeToString(podmetadata.Sign([]byte("Jefe"), "what do ya want for nothing?")); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestPodsHaveKeysOfTheirOwn(t *testing.T) {
	host := bytes.Repeat([]byte{7}, podmetadata.KeyBytes)
	a, b := podmetadata.PodKey(host, "a"), podmetadata.PodKey(host, "b")
	if bytes.Equal(a, b) || bytes.Equal(a, host) || len(a) != podmetadata.KeyBytes {
		t.Error("keys are alike, or of another length")
	}
}
