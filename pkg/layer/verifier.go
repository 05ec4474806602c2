package layer

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"sync/atomic"

	"github.com/opencontainers/go-digest"

	"github.com/raket/raket/pkg/image"
)

// SizeError is a blob that is shorter or longer than its manifest says.
type SizeError struct {
	Want int64
	Got  int64 // what came before the end; Want+1 or more where it was too long
}

func (e *SizeError) Error() string {
	if e.Got > e.Want {
		return fmt.Sprintf("layer is longer than the %d bytes its manifest says", e.Want)
	}
	return fmt.Sprintf("layer is truncated: got %d of %d bytes", e.Got, e.Want)
}

// verifier passes a blob's bytes on, and turns its end into an error unless
// length and digest are right.
type verifier struct {
	ctx  context.Context // of one Unpack, which it does not outlive
	r    io.Reader
	desc image.Layer
	opts Options
	h    hash.Hash
	read atomic.Int64
	err  error
}

func newVerifier(ctx context.Context, r io.Reader, desc image.Layer, opts Options) *verifier {
	return &verifier{ctx: ctx, r: r, desc: desc, opts: opts, h: sha256.New()}
}

func (v *verifier) Read(p []byte) (int, error) {
	if v.err != nil {
		return 0, v.err
	}
	n, err := v.r.Read(p)
	total := v.read.Add(int64(n))
	switch {
	case v.ctx.Err() != nil:
		err = v.ctx.Err()
	case total > v.desc.SizeBytes:
		err = &SizeError{Want: v.desc.SizeBytes, Got: total}
	case n > 0:
		v.h.Write(p[:n])
		if v.opts.Tee != nil {
			if _, werr := v.opts.Tee.Write(p[:n]); werr != nil {
				err = werr
			}
		}
		if v.opts.OnBytes != nil {
			v.opts.OnBytes(n)
		}
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = v.end(total)
	}
	v.err = err
	return n, err
}

func (v *verifier) end(total int64) error {
	if total < v.desc.SizeBytes {
		return &SizeError{Want: v.desc.SizeBytes, Got: total}
	}
	if got := digest.NewDigest(digest.SHA256, v.h); got != v.desc.Digest {
		return &image.DigestError{What: "layer", Want: v.desc.Digest, Got: got}
	}
	return io.EOF
}
