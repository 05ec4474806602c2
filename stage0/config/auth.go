package config

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Secret is text that is not for logs: package fmt and encoding/json show that
// there is one, and no more. string(s) is the text itself.
type Secret string

const hiddenSecret = "[hidden]"

// String hides it.
func (s Secret) String() string { return hiddenSecret }

// GoString hides it.
func (s Secret) GoString() string { return hiddenSecret }

// MarshalText hides it.
func (s Secret) MarshalText() ([]byte, error) { return []byte(hiddenSecret), nil }

// Auth is of the kinds auth and dockerAuth. Its keys are hosts, with their ports
// where those were given, in lower case.
type Auth struct {
	// Hosts is what a web server is shown that has images, signatures, keys or
	// discovery's documents.
	Hosts map[string]HostAuth
	// Registries is what an OCI registry is shown. Docker's is "docker.io",
	// whichever of its names was used.
	Registries map[string]RegistryAuth
}

// AuthType is how a request is authorized.
type AuthType string

// The types of authorization, in rkt's words.
const (
	BasicAuth AuthType = "basic" // user and password
	OAuth     AuthType = "oauth" // a bearer token; files may say "bearer" as well
	AWSAuth   AuthType = "aws"   // a signature of Amazon's version 4, for S3
)

// HostAuth is a host's authorization: of the fields those that belong to Type
// are set.
type HostAuth struct {
	Type AuthType
	// User and Password belong to BasicAuth.
	User     string
	Password Secret
	// Token belongs to OAuth.
	Token Secret
	// AccessKeyID, SecretAccessKey and Region belong to AWSAuth. Region may
	// be empty: the host's name then tells it.
	AccessKeyID     string
	SecretAccessKey Secret
	Region          string
	// File is where it is said.
	File string
}

// RegistryAuth is what a registry is logged in to with.
type RegistryAuth struct {
	User     string
	Password Secret
	// File is where it is said.
	File string
}

// over puts what a later layer says over it, host by host.
func (a *Auth) over(later Auth) {
	if a.Hosts == nil && later.Hosts != nil {
		a.Hosts = make(map[string]HostAuth)
	}
	maps.Copy(a.Hosts, later.Hosts)
	if a.Registries == nil && later.Registries != nil {
		a.Registries = make(map[string]RegistryAuth)
	}
	maps.Copy(a.Registries, later.Registries)
}

func readAuth(l *layer, d document) error {
	if err := d.onlyKeys("domains", "type", "credentials"); err != nil {
		return err
	}
	domains, err := stringsOf(d.keys, "domains")
	if err != nil {
		return err
	}
	word, err := stringOf(d.keys, "type")
	if err != nil {
		return err
	}
	auth := HostAuth{Type: AuthType(word), File: d.path}
	var needed, optional map[string]func(string)
	switch auth.Type {
	case BasicAuth:
		needed = userAndPassword(&auth.User, &auth.Password)
	case OAuth, "bearer":
		auth.Type = OAuth
		needed = map[string]func(string){"token": func(v string) { auth.Token = Secret(v) }}
	case AWSAuth:
		needed = map[string]func(string){
			"accessKeyID":     func(v string) { auth.AccessKeyID = v },
			"secretAccessKey": func(v string) { auth.SecretAccessKey = Secret(v) },
		}
		optional = map[string]func(string){"awsRegion": func(v string) { auth.Region = v }}
	default:
		return fmt.Errorf("key %q: unknown type %q, want basic, oauth or aws", "type", word)
	}
	if err := readCredentials(d, needed, optional); err != nil {
		return err
	}
	if strings.Contains(auth.User, ":") {
		return fmt.Errorf("key %q: key %q: must not have a colon", "credentials", "user")
	}
	hosts, err := l.setHosts(d, "domains", domains)
	if err != nil {
		return err
	}
	if l.cfg.Auth.Hosts == nil {
		l.cfg.Auth.Hosts = make(map[string]HostAuth)
	}
	for _, host := range hosts {
		l.cfg.Auth.Hosts[host] = auth
	}
	return nil
}

func readDockerAuth(l *layer, d document) error {
	if err := d.onlyKeys("registries", "credentials"); err != nil {
		return err
	}
	registries, err := stringsOf(d.keys, "registries")
	if err != nil {
		return err
	}
	auth := RegistryAuth{File: d.path}
	if err := readCredentials(d, userAndPassword(&auth.User, &auth.Password), nil); err != nil {
		return err
	}
	for i, name := range registries {
		switch name {
		case "index.docker.io", "registry-1.docker.io":
			registries[i] = "docker.io"
		}
	}
	hosts, err := l.setHosts(d, "registries", registries)
	if err != nil {
		return err
	}
	if l.cfg.Auth.Registries == nil {
		l.cfg.Auth.Registries = make(map[string]RegistryAuth)
	}
	for _, host := range hosts {
		l.cfg.Auth.Registries[host] = auth
	}
	return nil
}

func userAndPassword(user *string, password *Secret) map[string]func(string) {
	return map[string]func(string){
		"user":     func(v string) { *user = v },
		"password": func(v string) { *password = Secret(v) },
	}
}

// readCredentials reads the object of that key. Its errors hold no values.
func readCredentials(d document, needed, optional map[string]func(string)) error {
	const where = "credentials"
	if d.keys[where] == nil {
		return fmt.Errorf("key %q is missing", where)
	}
	said, err := parseObject(d.keys[where])
	if err != nil {
		return fmt.Errorf("key %q: %w", where, err)
	}
	for _, key := range slices.Sorted(maps.Keys(said)) {
		if needed[key] == nil && optional[key] == nil {
			return fmt.Errorf("key %q: unknown key %q", where, key)
		}
	}
	for _, part := range []map[string]func(string){needed, optional} {
		for _, key := range slices.Sorted(maps.Keys(part)) {
			if said[key] == nil && needed[key] == nil {
				continue
			}
			value, err := credentialOf(said, key)
			if err != nil {
				return fmt.Errorf("key %q: %w", where, err)
			}
			part[key](value)
		}
	}
	return nil
}

// credentialOf is stringOf for what ends up in a header.
func credentialOf(said map[string]json.RawMessage, key string) (string, error) {
	value, err := stringOf(said, key)
	if err != nil {
		return "", err
	}
	if strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return "", fmt.Errorf("key %q: has a control character", key)
	}
	return value, nil
}
