package fetch_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/raket/raket/pkg/imagestore/imagetest"
	"github.com/raket/raket/stage0/fetch"
	"github.com/raket/raket/stage0/trust/policy"
)

// hostWith is a host with that policy; "" for none.
func hostWith(t *testing.T, text string) fetch.Host {
	t.Helper()
	path := filepath.Join(t.TempDir(), "policy.json")
	if text != "" {
		write(t, path, []byte(text))
	}
	return fetch.Host{Policy: func() (*policy.Policy, error) {
		return policy.Load(policy.Options{Paths: []string{path}, LookasideDirs: []string{}})
	}}
}

// TestAPresentImageIsJudgedByThePolicyOfToday fetches under one policy and asks again
// under another; whether the registry was asked shows in what it served.
func TestAPresentImageIsJudgedByThePolicyOfToday(t *testing.T) {
	needRoot(t)
	const signed = `{"default":[{"type":"signedBy","keyType":"GPGKeys","keyPath":"/nonexistent.gpg"}]}`
	for _, tc := range []struct {
		name, policy string
		short        bool
		insecure     fetch.Insecure
		want         string // of the error; "" for none
		asked        bool
	}{
		{name: "none", want: ""},
		{name: "reject", policy: `{"default":[{"type":"reject"}]}`, want: "no image of that scope may be used"},
		{name: "reject, by a short name", short: true, policy: `{"default":[{"type":"reject"}]}`, want: "no image of that scope may be used"},
		{name: "reject overruled", policy: `{"default":[{"type":"reject"}]}`, insecure: fetch.Insecure{Image: true}},
		{name: "a signature that may have come since", policy: signed, want: "signedBy", asked: true},
		{name: "one that is no policy", policy: `{"default":[{"type":"insecureAcceptAnythin"}]}`, want: "policy.json: line 1: key default[0].type"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, _ := openStore(t)
			reg := imagetest.NewRegistry(t)
			src := twoLayers(t)
			name := reg.Push("team/app", "1", src)
			get(t, s, fetch.Options{Name: name, Host: hostWith(t, "")}, "app", "upper")
			before := reg.Requests()
			if tc.short {
				name = "team/app"
			}
			_, err := fetch.Fetch(t.Context(), fetch.Options{Store: s, Name: name, Host: hostWith(t, tc.policy), Insecure: tc.insecure})
			if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("error %v, want one that says %q", err, tc.want)
			}
			if asked := reg.Requests() > before; asked != tc.asked {
				t.Errorf("the registry was asked: %v, want %v", asked, tc.asked)
			}
		})
	}
}

func TestARegistryThatIsGoneHidesNoRefusal(t *testing.T) {
	needRoot(t)
	s, _ := openStore(t)
	reg := imagetest.NewRegistry(t)
	name := reg.Push("team/app", "1", twoLayers(t))
	get(t, s, fetch.Options{Name: name}, "app", "upper")
	reg.Close()
	host := hostWith(t, `{"default":[{"type":"signedBy","keyType":"GPGKeys","keyPath":"/nonexistent.gpg"}]}`)
	_, err := fetch.Fetch(t.Context(), fetch.Options{Store: s, Name: name, Host: host})
	for _, want := range []string{"policy refuses", "asking for it again failed", "connection refused"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not say %q", err, want)
		}
	}
}
