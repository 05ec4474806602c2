package cli

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
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
		Host: fetchHost(r.settings),
		Insecure: fetch.Insecure{
			Image: r.Insecure.has(insecureImage), TLS: r.Insecure.has(insecureTLS), HTTP: r.Insecure.has(insecureHTTP),
		},
		Warn: func(line string) { fmt.Fprintf(r.Stderr, "%s: %s\n", program, oneLine(line)) },
	}
	if !q.Quiet {
		o.Progress = progress.New(r.Stderr)
		defer o.Progress.Close()
	}
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
			return policy.Load(policy.Options{Paths: policyFiles(s), LookasideDirs: lookaside.DefaultDirs(dirs.User)})
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
			return trustFromWeb(ctx, keys, web{}, name, s.Insecure.has(insecurePubkey))
		}
	}
	return h
}

// trustFromWeb trusts, for a name, the keys that its site says are its own.
func trustFromWeb(ctx context.Context, keys trustedKeys, web keyWeb, name string, allowHTTP bool) error {
	urls, err := web.Discover(ctx, name, allowHTTP)
	if err != nil {
		return err
	}
	for _, url := range urls {
		raw, err := web.FetchKey(ctx, url, allowHTTP)
		if err != nil {
			return err
		}
		if _, _, err := keys.Add(name, raw); err != nil {
			return fmt.Errorf("key from %s: %w", url, err)
		}
	}
	return nil
}

// policyFiles are the places of the policy of images, the first that exists
// being the one.
func policyFiles(s settings) []string {
	var files []string
	for _, dir := range []string{s.ConfigDirs.User, s.ConfigDirs.Local, s.ConfigDirs.System, "/etc/containers"} {
		if dir != "" {
			files = append(files, filepath.Join(dir, "policy.json"))
		}
	}
	return files
}
