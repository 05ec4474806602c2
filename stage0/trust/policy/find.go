package policy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"github.com/opencontainers/go-digest"

	"github.com/raket/raket/pkg/image"
	"github.com/raket/raket/stage0/trust/lookaside"
	"github.com/raket/raket/stage0/trust/sigstore"
)

const (
	// maxExtensionBytes bounds a registry's answer, maxExtensionSignatures
	// what is taken of it.
	maxExtensionBytes      = 4 << 20
	maxExtensionSignatures = 32
)

// found is a simple signing signature, unverified.
type found struct {
	where string
	raw   []byte
}

type simpleFound struct {
	signatures []found
	problem    error
}

// simpleSignatures looks for signatures in the registry and in the lookaside.
// What goes wrong does not hide those that were found.
func (c *checker) simpleSignatures(ctx context.Context) ([]found, error) {
	if c.simple == nil {
		c.simple = &simpleFound{}
		c.simple.problem = c.findSimple(ctx)
	}
	return c.simple.signatures, c.simple.problem
}

func (c *checker) findSimple(ctx context.Context) error {
	if c.subject.Ref.Transport != image.Docker {
		return fmt.Errorf("images of %s: have no such signatures", c.subject.Ref.Transport)
	}
	var errs []error
	if ext, ok := c.subject.Attachments.(SignatureExtender); ok {
		for _, d := range c.subject.Digests {
			errs = append(errs, c.extension(ctx, ext, d))
		}
	}
	config, err := lookaside.Load(c.policy.lookasideDirs)
	if err != nil {
		return err
	}
	location, _ := config.Location(c.subject.Ref)
	for _, d := range c.subject.Digests {
		signatures, err := location.Fetch(ctx, c.policy.client, d)
		errs = append(errs, err)
		for _, s := range signatures {
			c.simple.signatures = append(c.simple.signatures, found{s.Where, s.Raw})
		}
	}
	return errors.Join(errs...)
}

// extension takes what the registry itself keeps (OpenShift's signature API).
func (c *checker) extension(ctx context.Context, ext SignatureExtender, d digest.Digest) error {
	raw, err := ext.SignatureExtension(ctx, d)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("the registry's signatures: %w", err)
	}
	if len(raw) > maxExtensionBytes {
		return fmt.Errorf("the registry's signatures are larger than %d MiB", maxExtensionBytes>>20)
	}
	var answer struct {
		Signatures []struct {
			Version int    `json:"schemaVersion"`
			Type    string `json:"type"`
			Content []byte `json:"content"`
		} `json:"signatures"`
	}
	if err := json.Unmarshal(raw, &answer); err != nil {
		return fmt.Errorf("the registry's signatures: %w", err)
	}
	for i, s := range answer.Signatures[:min(len(answer.Signatures), maxExtensionSignatures)] {
		if s.Version == 2 && s.Type == "atomic" {
			c.simple.signatures = append(c.simple.signatures, found{fmt.Sprintf("signature %d of the registry", i+1), s.Content})
		}
	}
	return nil
}

type attachedFound struct {
	signatures []sigstore.Signature
	problem    error
}

// sigstoreSignatures looks for cosign's attachments. That a policy asks for them
// is reason to look; only an explicit word against it in registries.d counts.
func (c *checker) sigstoreSignatures(ctx context.Context) ([]sigstore.Signature, error) {
	if c.attached == nil {
		c.attached = &attachedFound{}
		c.attached.problem = c.findAttached(ctx)
	}
	return c.attached.signatures, c.attached.problem
}

func (c *checker) findAttached(ctx context.Context) error {
	if c.subject.Attachments == nil {
		return fmt.Errorf("images of %s: have no such signatures", c.subject.Ref.Transport)
	}
	config, err := lookaside.Load(c.policy.lookasideDirs)
	if err != nil {
		return err
	}
	if use, where := config.UseAttachments(c.subject.Ref); !use && where != "" {
		return fmt.Errorf("%s says not to look for them", where)
	}
	var errs []error
	for _, d := range c.subject.Digests {
		signatures, err := sigstore.Find(ctx, c.subject.Attachments, d)
		errs = append(errs, err)
		c.attached.signatures = append(c.attached.signatures, signatures...)
	}
	return errors.Join(errs...)
}
