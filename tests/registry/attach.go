package registry

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Attach puts a payload and its signature beside an image, where cosign has them: in a
// manifest whose tag is made of the image's digest. Repository is as "team/hello", digest as
// "sha256:HEX".
func (p *Process) Attach(ctx context.Context, repository, digest string, payload, signature []byte) error {
	const payloadType, key = "application/vnd.dev.cosign.simplesigning.v1+json", "dev.cosignproject.cosign/signature"
	at, err := name.NewTag(p.Addr+"/"+repository+":"+strings.Replace(digest, ":", "-", 1)+".sig", name.Insecure)
	if err != nil {
		return fmt.Errorf("attach a signature: %w", err)
	}
	img, err := mutate.Append(mutate.MediaType(empty.Image, types.OCIManifestSchema1), mutate.Addendum{
		Layer: static.NewLayer(payload, payloadType), MediaType: payloadType,
		Annotations: map[string]string{key: base64.StdEncoding.EncodeToString(signature)},
	})
	if err == nil {
		err = remote.Write(at, mutate.ConfigMediaType(img, types.OCIConfigJSON), remote.WithContext(ctx), remote.WithTransport(p.Transport()))
	}
	if err != nil {
		return fmt.Errorf("attach a signature to %s: %w", digest, err)
	}
	return nil
}
