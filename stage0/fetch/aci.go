package fetch

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/raket/raket/pkg/image"
	"github.com/raket/raket/pkg/imagestore"
	"github.com/raket/raket/stage0/fetch/appc"
)

func fetchACI(ctx context.Context, ref image.Ref, p platform, opts Options) (image.Image, error) {
	aci, err := appc.Read(ctx, ref.Path, opts.Limits.MaxBytes)
	if err != nil {
		return image.Image{}, err
	}
	if img := aci.Image.Image(); !p.matches(img.OS, img.Arch) {
		return image.Image{}, fmt.Errorf("%q is for %s/%s, not for %s", ref.Path, img.OS, img.Arch, p)
	}
	err = opts.Store.AddLayers(ctx, aci.Image, func(l image.VerifiedLayer) imagestore.LayerSource {
		return layerSource(l.Layer(), opts, func(context.Context) (io.ReadCloser, error) { return os.Open(ref.Path) })
	})
	if err != nil {
		return image.Image{}, err
	}
	return opts.Store.Commit(ctx, aci.Image, ref, []string{ref.String()})
}
