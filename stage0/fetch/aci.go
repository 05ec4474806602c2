package fetch

import (
	"context"
	"fmt"
	"io"

	"github.com/raket/raket/pkg/image"
	"github.com/raket/raket/pkg/progress"
	"github.com/raket/raket/stage0/fetch/appc"
)

// fetchACI fetches an ACI from a file, a URL, or the site of its name.
func fetchACI(ctx context.Context, ref image.Ref, p platform, opts Options) (image.Image, error) {
	return appc.Fetch(ctx, appc.Request{
		Store: opts.Store, Ref: ref, Update: opts.PullPolicy == Update,
		Signature: opts.Signature, Verify: opts.verifier(),
		Accept:     opts.acceptACI,
		Discovered: opts.findKeys,
		HTTP: appc.HTTP{
			InsecureTLS: opts.Insecure.TLS, AllowHTTP: opts.Insecure.HTTP, Authorize: opts.Host.Authorize,
			Tell: func(line string) { opts.note(progress.Retry, line) },
		},
		OS: p.os, Arch: p.arch, Limits: opts.Limits, MaxBytes: opts.Limits.MaxBytes, Progress: opts.Progress,
	})
}

// verifier checks signatures by the host's keys; nil where none is asked for.
func (o Options) verifier() appc.Verify {
	if o.Insecure.Image {
		return nil
	}
	return func(content io.Reader, signature []byte) (func(string) (image.Evidence, error), error) {
		signed, err := o.keys().VerifyACI(content, signature)
		if err != nil {
			return nil, err
		}
		return signed.For, nil
	}
}

// findKeys is told of a name whose image is about to be fetched from its site.
func (o Options) findKeys(ctx context.Context, name string) error {
	if o.Host.FindKeys == nil || o.Insecure.Image {
		return nil
	}
	if err := o.Host.FindKeys(ctx, name); err != nil {
		return fmt.Errorf("find keys of %q: %w", name, err)
	}
	return nil
}
