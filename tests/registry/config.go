package registry

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/crypto/bcrypt"

	"github.com/raket/raket/tests/authority"
)

// realm is what the registry calls itself when it asks for a password.
const realm = "raket tests"

type object map[string]any

func (p *Process) configFile() string { return filepath.Join(p.dir, "registry.yml") }

// configure writes the configuration, and what it refers to, into the registry's directory.
// JSON is YAML.
func (p *Process) configure(o Options) error {
	listen := object{"addr": p.Addr}
	if o.TLS {
		tls, err := p.certify(o)
		if err != nil {
			return err
		}
		listen["tls"] = tls
	}
	config := object{
		"version": "0.1",
		"log":     object{"level": "warn", "accesslog": object{"disabled": true}},
		"storage": object{"filesystem": object{"rootdirectory": filepath.Join(p.dir, "storage")}, "delete": object{"enabled": true}},
		"http":    listen,
	}
	switch {
	case o.Token != nil:
		bundle := filepath.Join(p.dir, "token.pem")
		if err := os.WriteFile(bundle, o.Token.trust, 0o644); err != nil {
			return err
		}
		config["auth"] = object{"token": object{
			"realm": o.Token.Realm(), "service": o.Token.Service, "issuer": o.Token.issuer, "rootcertbundle": bundle,
		}}
	case o.Users != nil:
		passwords, err := htpasswd(o.Users)
		if err != nil {
			return err
		}
		file := filepath.Join(p.dir, "htpasswd")
		if err := os.WriteFile(file, passwords, 0o600); err != nil {
			return err
		}
		config["auth"] = object{"htpasswd": object{"realm": realm, "path": file}}
	}
	text, err := json.Marshal(config)
	if err != nil {
		return err
	}
	return os.WriteFile(p.configFile(), text, 0o644)
}

func (p *Process) certify(o Options) (object, error) {
	p.Authority = o.Authority
	if p.Authority == nil {
		made, err := authority.New()
		if err != nil {
			return nil, err
		}
		p.Authority = made
	}
	pair, err := p.Authority.Server(o.Names...)
	if err != nil {
		return nil, err
	}
	cert, key, err := pair.Files(p.dir)
	return object{"certificate": cert, "key": key}, err
}

// htpasswd is a file of users, as Apache's tool of that name writes with -B.
func htpasswd(users map[string]string) ([]byte, error) {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(users)) {
		hash, err := bcrypt.GenerateFromPassword([]byte(users[name]), bcrypt.MinCost)
		if err != nil {
			return nil, fmt.Errorf("hash the password of %s: %w", name, err)
		}
		fmt.Fprintf(&b, "%s:%s\n", name, hash)
	}
	return []byte(b.String()), nil
}
