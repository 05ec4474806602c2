package credentials

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"syscall"

	"github.com/raket/raket/pkg/boundedfile"
)

const maxFileBytes = 4 << 20

// FileError is a file of credentials that is wrong. It holds nothing of the file
// but keys.
type FileError struct {
	File string
	What string
}

func (e *FileError) Error() string { return e.File + ": " + e.What }

// Hint says how to write the file anew.
func (e *FileError) Hint() string {
	return "write it by podman login or skopeo login, or name another by REGISTRY_AUTH_FILE"
}

// credentialFile is containers' auth.json and Docker's config.json as far as
// credentials go. Files have much else.
type credentialFile struct {
	Auths       map[string]entry  `json:"auths"`
	CredHelpers map[string]string `json:"credHelpers"`
	CredsStore  string            `json:"credsStore"`
}

// entry is one credential.
type entry struct {
	Auth          string `json:"auth"`
	Username      string `json:"username"`
	Password      string `json:"password"`
	IdentityToken string `json:"identitytoken"`
	RegistryToken string `json:"registrytoken"`
}

// inFile looks for a credential in a file. The zero Credential is that there is
// none.
func (f *Finder) inFile(ctx context.Context, file authFile, registry, repository string) (Credential, error) {
	raw, err := readFile(file.path)
	if file.optional && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)) {
		return Credential{}, nil
	}
	if err != nil {
		return Credential{}, err
	}
	doc, err := parseFile(raw, file.bare)
	if err != nil {
		return Credential{}, &FileError{file.path, err.Error()}
	}
	for _, key := range keysOf(registry, repository) {
		if helper, ok := lookUp(doc.CredHelpers, key); ok && helper != "" {
			return f.askFor(ctx, file, helper, key)
		}
	}
	for _, key := range keysOf(registry, repository) {
		e, ok := lookUp(doc.Auths, key)
		if !ok {
			continue
		}
		c, err := e.credential()
		if err != nil {
			return Credential{}, &FileError{file.path, fmt.Sprintf("credentials for %q: %s", key, err)}
		}
		if c != (Credential{}) {
			c.Source = file.path
			return c, nil
		}
		break
	}
	if doc.CredsStore == "" {
		return Credential{}, nil
	}
	return f.askFor(ctx, file, doc.CredsStore, registry)
}

// askFor asks a helper that a file names.
func (f *Finder) askFor(ctx context.Context, file authFile, helper, key string) (Credential, error) {
	c, err := f.ask(ctx, helper, key)
	if err != nil {
		return Credential{}, fmt.Errorf("%s: %w", file.path, err)
	}
	return c, nil
}

// parseFile reads a file's text; one without any is an empty file. Its errors hold
// nothing of it.
func parseFile(raw []byte, bare bool) (credentialFile, error) {
	var doc credentialFile
	var into any = &doc
	if bare {
		into = &doc.Auths
	}
	if len(strings.TrimSpace(string(raw))) == 0 {
		return doc, nil
	}
	err := json.Unmarshal(raw, into)
	if wrong := (*json.UnmarshalTypeError)(nil); errors.As(err, &wrong) {
		return doc, fmt.Errorf("key %q: want no %s there", wrong.Field, strings.Fields(wrong.Value + " ?")[0])
	}
	if bad := (*json.SyntaxError)(nil); errors.As(err, &bad) {
		return doc, fmt.Errorf("not JSON: broken at byte %d", bad.Offset)
	}
	if err != nil {
		return doc, errors.New("not JSON")
	}
	return doc, nil
}

// keysOf are the keys that may hold a repository's credential, the longest
// first, as containers-auth.json(5) has them.
func keysOf(registry, repository string) []string {
	var keys []string
	for path := repository; path != ""; {
		keys = append(keys, registry+"/"+path)
		path = path[:max(0, strings.LastIndexByte(path, '/'))]
	}
	return append(keys, registry)
}

// lookUp finds a key as it is, or one that only is another way to write it: as a
// URL, or with another name of Docker's registry.
func lookUp[T any](entries map[string]T, key string) (T, bool) {
	if e, ok := entries[key]; ok {
		return e, true
	}
	for _, other := range slices.Sorted(maps.Keys(entries)) {
		if normalize(other) == key {
			return entries[other], true
		}
	}
	var none T
	return none, false
}

// normalize makes registry/path of a key. Docker's keys are URLs, whose path is
// the version of a protocol.
func normalize(key string) string {
	rest, isURL := strings.CutPrefix(key, "https://")
	if !isURL {
		rest, isURL = strings.CutPrefix(rest, "http://")
	}
	host, path, _ := strings.Cut(strings.TrimRight(rest, "/"), "/")
	host = canonical(host)
	if path == "" || isURL || host == dockerHub && (path == "v1" || path == "v2") {
		return host
	}
	return host + "/" + path
}

// credential is what an entry says. The zero Credential is nothing.
func (e entry) credential() (Credential, error) {
	c := Credential{Username: e.Username, Password: e.Password, IdentityToken: e.IdentityToken, RegistryToken: e.RegistryToken}
	if e.Auth != "" {
		plain, err := base64.StdEncoding.DecodeString(strings.TrimSpace(e.Auth))
		if err != nil {
			return Credential{}, errors.New(`key "auth": not base64`)
		}
		name, password, ok := strings.Cut(string(plain), ":")
		if !ok {
			return Credential{}, errors.New(`key "auth": no colon between user and password`)
		}
		// Some versions of Docker padded it.
		c.Username, c.Password = name, strings.TrimRight(password, "\x00")
	}
	if c.IdentityToken != "" || c.RegistryToken != "" {
		c.Password = ""
	}
	if c.Password == "" && c.IdentityToken == "" && c.RegistryToken == "" {
		return Credential{}, nil
	}
	if err := c.check(); err != nil {
		return Credential{}, err
	}
	return c, nil
}

// check refuses what can't be sent.
func (c Credential) check() error {
	if strings.Contains(c.Username, ":") {
		return errors.New("the user has a colon")
	}
	for _, text := range []string{c.Username, c.Password, c.IdentityToken, c.RegistryToken} {
		if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return errors.New("they have a control character")
		}
	}
	return nil
}

// readFile reads a file of bounded size.
func readFile(path string) ([]byte, error) {
	raw, err := boundedfile.Read(path, maxFileBytes)
	if errors.Is(err, boundedfile.ErrTooLarge) {
		return nil, &FileError{path, fmt.Sprintf("is larger than %d MiB", maxFileBytes>>20)}
	}
	return raw, err
}
