package fetch

import (
	"context"
	"fmt"

	"github.com/opencontainers/go-digest"

	"github.com/raket/raket/pkg/image"
	"github.com/raket/raket/pkg/progress"
	"github.com/raket/raket/stage0/trust/keystore"
	"github.com/raket/raket/stage0/trust/policy"
)

// vouch judges an image that is about to come, by its digests and what lies
// beside it, and has the evidence found.
func (o Options) vouch(ctx context.Context, ref image.Ref, src source, digests ...digest.Digest) ([]image.Evidence, error) {
	if o.Insecure.Image {
		return []image.Evidence{{Kind: image.Override}}, nil
	}
	if o.Host.Policy == nil {
		return nil, nil
	}
	p, err := o.Host.Policy()
	if err != nil {
		return nil, err
	}
	o.note(progress.Verifying, "")
	attachments, _ := src.(policy.Attachments)
	return p.Check(ctx, policy.Subject{Ref: ref, Digests: digests, Attachments: attachments})
}

// note tells whoever watches what happens.
func (o Options) note(kind progress.Kind, text string) {
	o.Progress.Note(progress.Note{Kind: kind, Image: o.Name, Text: text})
}

// accept judges an image of the store, by the keys and the policy of today.
func (o Options) accept(ref image.Ref, img image.Image) error {
	switch {
	case o.Insecure.Image:
		return nil
	case img.Kind == image.Appc:
		// Its files are also those of what it depends on.
		images, err := o.Store.Closure(img)
		if err != nil {
			return err
		}
		for _, i := range images {
			if err := o.acceptACI(i); err != nil {
				return err
			}
		}
		return nil
	case o.Host.Policy == nil:
		return nil
	}
	p, err := o.Host.Policy()
	if err != nil {
		return err
	}
	return p.Accepts(ref, img)
}

func (o Options) acceptACI(img image.Image) error {
	if o.Insecure.Image {
		return nil
	}
	keys := o.keys()
	var first error
	for _, e := range img.Evidence {
		if e.Kind == image.Override {
			return nil
		}
		err := keys.Accepts(e.Identity, []image.Evidence{e})
		if err == nil {
			return nil
		}
		if first == nil {
			first = err
		}
	}
	if first == nil {
		first = &unsignedError{img.Name()}
	}
	return first
}

// keys are those of the host, or a store that has none.
func (o Options) keys() *keystore.Store {
	if o.Host.Keys == nil {
		return keystore.Open(keystore.Dirs{})
	}
	return o.Host.Keys
}

// unsignedError is an ACI in the store that nothing vouches for.
type unsignedError struct{ name string }

func (e *unsignedError) Error() string {
	return fmt.Sprintf("%q came without a signature", e.name)
}

// Hint is what to do next.
func (e *unsignedError) Hint() string {
	return "fetch it again with its signature, or with --insecure-options=image"
}
