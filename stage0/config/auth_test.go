package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func auth(domains, typ, credentials string) string {
	return `{"rktKind": "auth", "rktVersion": "v1", "domains": ` + domains + `, "type": "` + typ + `", "credentials": ` + credentials + `}`
}

func dockerAuth(registries, user string) string {
	return `{"rktKind": "dockerAuth", "rktVersion": "v1", "registries": ` + registries + `, "credentials": {"user": "` + user + `", "password": "secret"}}`
}

func TestLoadAuth(t *testing.T) {
	const basic, token = `{"user": "foo", "password": "bar"}`, `{"token": "x.y"}`
	for name, tt := range map[string]struct {
		files map[string]string
		want  Auth
	}{
		"each host of a file has its credentials": {
			map[string]string{"sys/auth.d/a.json": auth(`["coreos.com", "Tectonic.com:8443"]`, "basic", basic)},
			Auth{Hosts: map[string]HostAuth{
				"coreos.com":        {Type: BasicAuth, User: "foo", Password: "bar", File: "sys/auth.d/a.json"},
				"tectonic.com:8443": {Type: BasicAuth, User: "foo", Password: "bar", File: "sys/auth.d/a.json"},
			}},
		},
		"a later layer wins host by host, with another type too": {
			map[string]string{
				"sys/auth.d/all.json":     auth(`["coreos.com", "tectonic.com", "kubernetes.io"]`, "oauth", token),
				"local/auth.d/coreos.txt": "not JSON",
				"local/auth.d/c.json":     auth(`["coreos.com"]`, "basic", basic),
				"user/auth.d/t.json":      auth(`["tectonic.com"]`, "bearer", `{"token": "mine"}`),
			},
			Auth{Hosts: map[string]HostAuth{
				"coreos.com":    {Type: BasicAuth, User: "foo", Password: "bar", File: "local/auth.d/c.json"},
				"tectonic.com":  {Type: OAuth, Token: "mine", File: "user/auth.d/t.json"},
				"kubernetes.io": {Type: OAuth, Token: "x.y", File: "sys/auth.d/all.json"},
			}},
		},
		"aws may name a region": {
			map[string]string{
				"sys/auth.d/a.json": auth(`["a.s3.amazonaws.com"]`, "aws", `{"accessKeyID": "AK", "secretAccessKey": "SK"}`),
				"sys/auth.d/b.json": auth(`["b.s3.amazonaws.com"]`, "aws", `{"accessKeyID": "AK", "secretAccessKey": "SK", "awsRegion": "eu-north-1"}`),
			},
			Auth{Hosts: map[string]HostAuth{
				"a.s3.amazonaws.com": {Type: AWSAuth, AccessKeyID: "AK", SecretAccessKey: "SK", File: "sys/auth.d/a.json"},
				"b.s3.amazonaws.com": {Type: AWSAuth, AccessKeyID: "AK", SecretAccessKey: "SK", Region: "eu-north-1", File: "sys/auth.d/b.json"},
			}},
		},
		"registries are apart from hosts, and Docker's has one name": {
			map[string]string{
				"sys/auth.d/a.json":   dockerAuth(`["index.docker.io", "quay.io"]`, "common"),
				"sys/auth.d/b.json":   auth(`["quay.io"]`, "basic", basic),
				"local/auth.d/a.json": dockerAuth(`["quay.io", "localhost:5000", "[::1]:5000"]`, "own"),
			},
			Auth{
				Hosts: map[string]HostAuth{"quay.io": {Type: BasicAuth, User: "foo", Password: "bar", File: "sys/auth.d/b.json"}},
				Registries: map[string]RegistryAuth{
					"docker.io":      {User: "common", Password: "secret", File: "sys/auth.d/a.json"},
					"quay.io":        {User: "own", Password: "secret", File: "local/auth.d/a.json"},
					"localhost:5000": {User: "own", Password: "secret", File: "local/auth.d/a.json"},
					"[::1]:5000":     {User: "own", Password: "secret", File: "local/auth.d/a.json"},
				},
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			dirs := layers(t, tt.files)
			got, err := Load(dirs)
			if err != nil {
				t.Fatal(err)
			}
			root := strings.TrimSuffix(dirs.System, "sys")
			for k, v := range got.Auth.Hosts {
				v.File = strings.TrimPrefix(v.File, root)
				got.Auth.Hosts[k] = v
			}
			for k, v := range got.Auth.Registries {
				v.File = strings.TrimPrefix(v.File, root)
				got.Auth.Registries[k] = v
			}
			if diff := cmp.Diff(tt.want, got.Auth); diff != "" {
				t.Errorf("authorization (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLoadAuthRefuses(t *testing.T) {
	const hosts, secret = `["a.example"]`, "hunter2"
	const basic = `{"user": "u", "password": "` + secret + `"}`
	for name, tt := range map[string]struct {
		content string
		want    string
	}{
		"another kind":                   {paths("/x"), `key "rktKind": kind "paths" does not belong into a directory auth.d`},
		"an unknown key":                 {`{"rktKind": "auth", "rktVersion": "v1", "domain": []}`, `key "domain": kind auth has no such key`},
		"dockerAuth with domains":        {`{"rktKind": "dockerAuth", "rktVersion": "v1", "domains": []}`, `key "domains": kind dockerAuth has no such key`},
		"no domains":                     {`{"rktKind": "auth", "rktVersion": "v1", "type": "basic"}`, `key "domains" is missing`},
		"a list of none":                 {auth(`[]`, "basic", basic), `key "domains": must not be empty`},
		"null in the list":               {auth(`[null]`, "basic", basic), `key "domains": must be a list of strings`},
		"one string":                     {auth(`"a.example"`, "basic", basic), `key "domains": must be a list of strings`},
		"a URL":                          {auth(`["https://a.example"]`, "basic", basic), `key "domains": "https://a.example" is not a host or host:port`},
		"a path":                         {auth(`["a.example/b"]`, "basic", basic), `key "domains": "a.example/b" is not a host or host:port`},
		"a port that is none":            {auth(`["a.example:99999"]`, "basic", basic), `key "domains": "a.example:99999" is not a host or host:port`},
		"no host":                        {auth(`[""]`, "basic", basic), `key "domains": "" is not a host or host:port`},
		"IPv6 without brackets":          {auth(`["::1"]`, "basic", basic), `key "domains": "::1" is not a host or host:port`},
		"the same host twice":            {auth(`["a.example", "A.example"]`, "basic", basic), `x.json sets it already`},
		"Docker under two names":         {dockerAuth(`["docker.io", "index.docker.io"]`, "u"), `x.json sets it already`},
		"an unknown type":                {auth(hosts, "digest", basic), `key "type": unknown type "digest", want basic, oauth or aws`},
		"no credentials":                 {`{"rktKind": "auth", "rktVersion": "v1", "domains": ["a"], "type": "basic"}`, `key "credentials" is missing`},
		"credentials that are no object": {auth(hosts, "basic", `"`+secret+`"`), `key "credentials": must be a JSON object`},
		"credentials of another type":    {auth(hosts, "oauth", basic), `key "credentials": unknown key "password"`},
		"half of the credentials":        {auth(hosts, "basic", `{"password": "`+secret+`"}`), `key "credentials": key "user" is missing`},
		"an empty password":              {auth(hosts, "basic", `{"user": "u", "password": ""}`), `key "credentials": key "password": must not be empty`},
		"a password that is no string":   {auth(hosts, "basic", `{"user": "u", "password": ["`+secret+`"]}`), `key "credentials": key "password": must be a string`},
		"a header smuggled in":           {auth(hosts, "oauth", `{"token": "`+secret+`\r\nX: y"}`), `key "credentials": key "token": has a control character`},
		"a user with a colon":            {auth(hosts, "basic", `{"user": "u:v", "password": "`+secret+`"}`), `key "credentials": key "user": must not have a colon`},
		"no type":                        {`{"rktKind": "auth", "rktVersion": "v1", "domains": ["a"], "credentials": {}}`, `key "type" is missing`},
	} {
		t.Run(name, func(t *testing.T) {
			dirs := layers(t, map[string]string{"sys/auth.d/x.json": tt.content})
			_, err := Load(dirs)
			if err == nil {
				t.Fatal("no error")
			}
			if !strings.Contains(err.Error(), dirs.System+"/auth.d/x.json: ") || !strings.HasSuffix(err.Error(), tt.want) {
				t.Errorf("got %q, want the end %q", err, tt.want)
			}
			if strings.Contains(err.Error(), secret) {
				t.Errorf("%q tells the secret", err)
			}
		})
	}
}

func TestAHostIsSetOnceInALayer(t *testing.T) {
	dirs := layers(t, map[string]string{
		"sys/auth.d/a.json": dockerAuth(`["quay.io"]`, "a"), "sys/auth.d/b.json": dockerAuth(`["gcr.io", "quay.io"]`, "b"),
	})
	_, err := Load(dirs)
	want := "read configuration: " + dirs.System + `/auth.d/b.json: key "registries": "quay.io": ` + dirs.System + "/auth.d/a.json sets it already"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestASecretIsNotPrinted(t *testing.T) {
	const secret = "hunter2"
	cfg := Config{Auth: Auth{
		Hosts:      map[string]HostAuth{"a": {Type: BasicAuth, Password: secret, Token: secret, SecretAccessKey: secret}},
		Registries: map[string]RegistryAuth{"b": {Password: secret}},
	}}
	raw, err := json.Marshal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		fmt.Sprint(cfg), fmt.Sprintf("%+v", cfg), fmt.Sprintf("%#v", cfg), fmt.Sprintf("%q", cfg), string(raw),
		fmt.Errorf("%w %v", errors.New("x"), &cfg).Error(),
	} {
		if strings.Contains(text, secret) || !strings.Contains(text, hiddenSecret) {
			t.Error(text)
		}
	}
}
