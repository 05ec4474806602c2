package imagestore

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/raket/raket/pkg/atomicfile"
	"github.com/raket/raket/pkg/image"
)

// Remote is what is known of a blob's place on a web site since it was fetched
// from there (RFC 9111).
type Remote struct {
	// URL is where it was.
	URL string `json:"url"`
	// ETag and LastModified are as the site gave them; may be empty.
	ETag         string `json:"etag,omitempty"`
	LastModified string `json:"lastModified,omitempty"`
	// Checked is when the site last said that this is the content, Fresh until
	// when it need not be asked again.
	Checked time.Time `json:"checked"`
	Fresh   time.Time `json:"fresh,omitzero"`
	// Blob is the content, whole as it was transported.
	Blob digest.Digest `json:"blob"`
}

const maxRemoteBytes = 64 << 10

func (s *Store) remotePath(key string) string {
	return s.path("remotes", image.Sum([]byte(key)).Encoded()+".json")
}

// Remote finds what PutRemote recorded under a key: a URL, or a name that was
// asked for. It reports false where there is nothing, or where the blob has gone.
func (s *Store) Remote(key string) (Remote, bool) {
	f, err := os.Open(s.remotePath(key))
	if err != nil {
		return Remote{}, false
	}
	raw, err := io.ReadAll(io.LimitReader(f, maxRemoteBytes))
	if errors.Join(err, f.Close()) != nil {
		return Remote{}, false
	}
	var r Remote
	// What is damaged is fetched again.
	if json.Unmarshal(raw, &r) != nil || r.Blob.Validate() != nil || !s.HasBlob(r.Blob) {
		return Remote{}, false
	}
	return r, true
}

// PutRemote records where a blob of the store came from. URLs may hold secrets:
// only the owner may read it.
func (s *Store) PutRemote(key string, r Remote) error {
	raw, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("record origin of blob: %w", err)
	}
	if err := os.MkdirAll(s.path("remotes"), 0o750); err != nil {
		return fmt.Errorf("record origin of blob: %w", err)
	}
	return atomicfile.Write(s.remotePath(key), raw, 0o600, atomicfile.Options{NoSync: true})
}

// sweepRemotes removes records of blobs that have gone.
func (s *Store) sweepRemotes() error {
	entries, err := os.ReadDir(s.path("remotes"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("collect: %w", err)
	}
	for _, e := range entries {
		raw, err := os.ReadFile(s.path("remotes", e.Name()))
		var r Remote
		if err == nil && json.Unmarshal(raw, &r) == nil && r.Blob.Validate() == nil && s.HasBlob(r.Blob) {
			continue
		}
		if err := os.Remove(s.path("remotes", e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("collect: %w", err)
		}
	}
	return nil
}
