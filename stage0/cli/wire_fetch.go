package cli

import (
	"bufio"
	"context"
	"net/http"
	"sync"

	"github.com/raket/raket/pkg/image"
	"github.com/raket/raket/pkg/progress"
	"github.com/raket/raket/stage0/credentials"
	"github.com/raket/raket/stage0/fetch"
	"github.com/raket/raket/stage0/registries"
	"github.com/raket/raket/stage0/trust/lookaside"
	"github.com/raket/raket/stage0/trust/policy"
)

// Fetch fetches as the host's configuration has it.
func (r *realImages) Fetch(ctx context.Context, q fetchRequest) (image.Image, error) {
	o := fetch.Options{
		Store: r.store, Name: q.Name, Signature: q.Signature, PullPolicy: fetch.PullPolicy(q.PullPolicy),
		Platform: q.Platform, Host: fetchHost(r.settings),
		Insecure: fetch.Insecure{
			Image: r.Insecure.has(insecureImage), TLS: r.Insecure.has(insecureTLS), HTTP: r.Insecure.has(insecureHTTP),
		},
	}
	switch {
	case q.Events:
		o.Progress = progress.NewJSON(r.Stdout)
	case !q.Quiet:
		o.Progress = progress.New(r.Stderr)
	}
	defer o.Progress.Close()
	return fetch.Fetch(ctx, o)
}

// fetchHost is what this host's configuration says of images. Nothing of it is
// read before it is asked for: an image that is in the store needs little of it.
func fetchHost(s settings) fetch.Host {
	dirs := s.ConfigDirs
	keys := openKeystore(s)
	readRegistries := sync.OnceValues(func() (*registries.Config, error) {
		return registries.Load(registries.Options{Files: registries.Files(dirs.System, dirs.Local, dirs.User)})
	})
	finder := sync.OnceValues(func() (*credentials.Finder, error) {
		reg, err := readRegistries()
		if err != nil {
			return nil, err
		}
		return credentials.New(credentials.Options{Config: s.Config.Auth, Helpers: reg.CredentialHelpers()}), nil
	})
	h := fetch.Host{
		Policy: sync.OnceValues(func() (*policy.Policy, error) {
			return policy.Load(policy.Options{
				Paths:         policy.Files(dirs.System, dirs.Local, dirs.User),
				LookasideDirs: lookaside.Dirs(dirs.System, dirs.Local, dirs.User),
			})
		}),
		Keys:       keys,
		Registries: readRegistries,
		Credentials: func(ctx context.Context, registry, repository string) (credentials.Credential, error) {
			f, err := finder()
			if err != nil {
				return credentials.Credential{}, err
			}
			return f.ForRegistry(ctx, registry, repository)
		},
		Authorize: func(req *http.Request) error {
			f, err := finder()
			if err != nil {
				return err
			}
			return f.Authorize(req)
		},
	}
	if s.TrustKeysFromHTTPS {
		h.FindKeys = func(ctx context.Context, name string) error {
			t := truster{
				env:  &env{stdin: s.Stdin, stderr: s.Stderr, globals: globals{trustKeys: true}},
				keys: keys, web: web{}, answers: bufio.NewReader(s.Stdin),
				trustFlags: trustFlags{prefix: name, allowHTTP: s.Insecure.has(insecurePubkey)},
			}
			return t.run(ctx, nil)
		}
	}
	return h
}
