package registry

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/raket/raket/pkg/image"
)

// BenchmarkBlob reads 64 MiB over loopback, beside a bare client.
func BenchmarkBlob(b *testing.B) {
	content := noise(64 << 20)
	d := image.Sum(content)
	for _, tls := range []bool{false, true} {
		f := newFake(b, tls)
		f.put("", content)
		s := open(b, f.host, Options{InsecureTLS: true})
		readers := map[string]func() (io.ReadCloser, error){
			"source": func() (io.ReadCloser, error) { return s.Blob(b.Context(), d) },
			"bare": func() (io.ReadCloser, error) {
				resp, err := f.Client().Get(f.URL + "/v2/app/blobs/" + d.String())
				if err == nil && resp.StatusCode != http.StatusOK {
					err = fmt.Errorf("status %s", resp.Status)
				}
				if err != nil {
					return nil, err
				}
				return resp.Body, nil
			},
		}
		for _, name := range []string{"bare", "source"} {
			scheme, _, _ := strings.Cut(f.URL, ":")
			b.Run(scheme+"/"+name, func(b *testing.B) {
				b.SetBytes(int64(len(content)))
				buf := make([]byte, 128<<10)
				for b.Loop() {
					r, err := readers[name]()
					if err != nil {
						b.Fatal(err)
					}
					if n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, r, buf); err != nil || n != int64(len(content)) {
						b.Fatal(n, err)
					}
					r.Close()
				}
			})
		}
	}
}
