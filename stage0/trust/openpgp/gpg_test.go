package openpgp

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/raket/raket/stage0/trust/openpgp/gpgtest"
)

const (
	jan2020 = "--faked-system-time=20200101T000000!"
	mar2020 = "--faked-system-time=20200301T000000!"
	jan2022 = "--faked-system-time=20220101T000000!"
)

var content = []byte("what is signed\r\nwith both ends of line\n")

func mustRead(t testing.TB, raw []byte) Keyring {
	t.Helper()
	k, err := ReadKeys(raw)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// TestSignaturesByGPG is the policy, asked about what gpg makes.
func TestSignaturesByGPG(t *testing.T) {
	h := gpgtest.New(t)
	rsa := h.Key("RSA <rsa@example.com>", "rsa3072", "never")
	small := h.Key("small", "rsa1024", "never")
	dsa := h.Key("dsa", "dsa2048", "never")
	ed := h.Key("ed", "ed25519", "never")
	p256 := h.Key("p256", "nistp256", "never")
	brainpool := h.Key("brainpool", "brainpoolP256r1", "never")
	bitcoin := h.Key("bitcoin", "secp256k1", "never")
	expired := h.Key("expired", "ed25519", "1y", jan2020)
	longer := h.Key("longer", "ed25519", "1y", jan2020)
	split := h.Key("split", "ed25519", "3y", jan2020)
	sub := h.Subkey(split, "ed25519", "1y", jan2020)
	gone := h.Key("gone", "ed25519", "never")
	stranger := h.Key("stranger", "ed25519", "never")
	dsaSub := h.Key("dsa subkey", "ed25519", "never")
	weakSub := h.Subkey(dsaSub, "dsa2048", "never")

	sign := func(key string, more ...string) []byte { return h.Sign(key, content, more...) }
	byStranger, beforeGone := sign(stranger), sign(gone)
	beforeLonger := sign(longer, mar2020)
	h.Run(nil, "--quick-set-expire", longer, "0")
	h.Revoke(gone)
	both := h.Run(content, "--armor", "--local-user", stranger, "--local-user", ed, "--detach-sign")
	k := mustRead(t, h.Export(rsa, small, dsa, ed, p256, brainpool, bitcoin, expired, longer, split, gone, dsaSub))

	for name, tt := range map[string]struct {
		signature []byte
		// want is the kind of error, key the primary key where there is none.
		want error
		key  string
		text string
	}{
		"an RSA key":                        {sign(rsa), nil, rsa, ""},
		"an Ed25519 key":                    {sign(ed), nil, ed, ""},
		"an ECDSA key of NIST":              {sign(p256), nil, p256, ""},
		"an ECDSA key of Brainpool":         {sign(brainpool), nil, brainpool, ""},
		"SHA-512":                           {sign(rsa, "--digest-algo=SHA512"), nil, rsa, ""},
		"a binary signature":                {h.Run(content, "--local-user", rsa, "--detach-sign"), nil, rsa, ""},
		"a stranger's and a known one":      {both, nil, ed, ""},
		"a key that expired after it":       {sign(expired, mar2020), nil, expired, ""},
		"a key whose expiry was put off":    {beforeLonger, nil, longer, ""},
		"a subkey, named by its primary":    {sign(sub, mar2020), nil, split, ""},
		"a signature that expires later":    {sign(rsa, "--default-sig-expire=1y"), nil, rsa, ""},
		"SHA-1":                             {sign(rsa, "--digest-algo=SHA1"), ErrWeak, "", "SHA-1 is too weak a hash function"},
		"SHA-1 by a modern key":             {sign(ed, "--digest-algo=SHA1"), ErrWeak, "", "SHA-1 is too weak a hash function"},
		"RIPEMD-160":                        {sign(rsa, "--digest-algo=RIPEMD160"), ErrWeak, "", ""},
		"SHA-224":                           {sign(rsa, "--digest-algo=SHA224"), ErrWeak, "", "SHA-224 is too weak a hash function"},
		"SHA-1 by a stranger":               {sign(stranger, "--digest-algo=SHA1"), ErrWeak, "", "SHA-1 is too weak a hash function"},
		"a DSA key":                         {sign(dsa), ErrWeak, "", "DSA keys are not accepted"},
		"a DSA subkey":                      {sign(weakSub), ErrWeak, "", "DSA keys are not accepted"},
		"a small RSA key":                   {sign(small), ErrWeak, "", "RSA keys of 1024 bits are not accepted: want 2048 to 16384"},
		"a curve of no standing":            {sign(bitcoin), ErrWeak, "", "ECDSA SecP256k1 keys are not accepted"},
		"a key nobody trusts":               {byStranger, ErrUnknownKey, "", "signed by key " + stranger + ", which is not trusted"},
		"a key that had expired":            {forged(t, h, expired, jan2022), ErrExpired, "", "it was made on 2022-01-01, after the key expired on 2020-12-31"},
		"a subkey that had expired":         {forged(t, h, sub, jan2022), ErrExpired, "", "it was made on 2022-01-01, after the key expired on 2020-12-31"},
		"a key revoked later":               {beforeGone, ErrRevoked, "", "the key's owner has revoked it"},
		"a signature that expired":          {sign(split, jan2020, "--default-sig-expire=1y"), ErrExpired, "", "it expired on 2020-12-31"},
		"a signature from the future":       {sign(rsa, "--faked-system-time=20600101T000000!"), ErrBadSignature, "", "it is dated 2060-01-01 00:00:00 UTC, in the future"},
		"a signature older than its key":    {sign(ed, jan2020, "--ignore-time-conflict", "--ignore-valid-from"), ErrBadSignature, "", "it is older than the key"},
		"a signature of text":               {sign(rsa, "--textmode"), ErrBadSignature, "", "it is of type 0x01, not of a file's bytes (0x00)"},
		"a critical note":                   {sign(rsa, "--sig-notation=!what@example.com=it"), ErrBadSignature, "", "it has a critical notation that is not known"},
		"another content":                   {h.Sign(rsa, []byte("another")), ErrBadSignature, "", "it is not of this content, or damaged"},
		"a signed message, not a signature": {h.Run(content, "--armor", "--local-user", rsa, "--sign"), ErrBadSignature, "", `read signature: it is a "PGP MESSAGE", not a "PGP SIGNATURE"`},
		"a binary message":                  {h.Run(content, "--local-user", rsa, "--sign"), ErrBadSignature, "", "read signature: it has something else beside signatures"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := VerifyDetached(bytes.NewReader(content), tt.signature, k)
			if !errors.Is(err, tt.want) || (err == nil) != (tt.want == nil) {
				t.Fatalf("got error %v, want %v", err, tt.want)
			}
			if got.Fingerprint != tt.key {
				t.Errorf("got key %q, want %q", got.Fingerprint, tt.key)
			}
			if err != nil && !strings.HasSuffix(err.Error(), tt.text) {
				t.Errorf("got %q, want the end %q", err, tt.text)
			}
		})
	}
}

// forged signs with a key that gpg itself would not use any more: the key's expiry is put off
// in a copy, and it is the old copy that the test trusts.
func forged(t *testing.T, h *gpgtest.Home, part, at string) []byte {
	t.Helper()
	copied := gpgtest.New(t)
	copied.Run(h.Run(nil, "--export-secret-keys", part), "--import")
	primary := copied.Primary(part)
	copied.Run(nil, at, "--quick-set-expire", primary, "0")
	if part != primary {
		copied.Run(nil, at, "--quick-set-expire", primary, "0", part)
	}
	return copied.Sign(part, content, at)
}

func TestKeysByGPG(t *testing.T) {
	h := gpgtest.New(t)
	split := h.Key("Release <release@example.com>", "rsa2048", "2y", jan2020)
	sub := h.Subkey(split, "ed25519", "1y", jan2020)
	h.Run(nil, "--quick-add-uid", split, "A newer name")
	h.Run(nil, jan2020, "--quick-add-key", split, "cv25519", "encr", "never")
	h.Run(nil, "--quick-set-primary-uid", split, "Release <release@example.com>")
	dsa := h.Key("dsa", "dsa2048", "never", jan2020)
	gone := h.Key("gone", "ed25519", "never", jan2020)
	h.Revoke(gone)

	created := time.Date(2020, time.January, 1, 0, 0, 0, 0, time.UTC)
	want := []Key{
		{
			Fingerprint: split, UserIDs: []string{"Release <release@example.com>", "A newer name"}, Created: created,
			Expires: created.AddDate(2, 0, -1), Algorithm: "RSA", Bits: 2048,
			Subkeys: []Subkey{
				{Fingerprint: sub, Created: created, Expires: created.AddDate(1, 0, -1), Algorithm: "Ed25519", Signs: true},
				{Created: created, Algorithm: "X25519"},
			},
		},
		{Fingerprint: dsa, UserIDs: []string{"dsa"}, Created: created, Algorithm: "DSA", Bits: 2048, Refused: "DSA keys are not accepted"},
		{Fingerprint: gone, UserIDs: []string{"gone"}, Created: created, Algorithm: "Ed25519", Revoked: true,
			Refused: "the key's owner has revoked it"},
	}
	armored := h.Export(split, dsa, gone)
	for name, raw := range map[string][]byte{
		"armored":              armored,
		"binary":               h.Run(nil, "--export", split, dsa, gone),
		"in one block each":    slicesConcat(h.Export(split), h.Export(dsa), h.Export(gone)),
		"with a text above it": slicesConcat([]byte("Our keys:\n\n"), armored),
		"with copies":          slicesConcat(armored, h.Export(dsa)),
	} {
		t.Run(name, func(t *testing.T) {
			got := mustRead(t, raw).Keys()
			if len(got) > 0 && len(got[0].Subkeys) == 2 {
				want[0].Subkeys[1].Fingerprint = got[0].Subkeys[1].Fingerprint
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("keys (-want +got):\n%s", diff)
			}
		})
	}
	t.Run("what is printed gpg reads", func(t *testing.T) {
		out, err := mustRead(t, armored).Armored(split)
		if err != nil {
			t.Fatal(err)
		}
		other := gpgtest.New(t)
		other.Run(out, "--import")
		if listed := string(other.Run(nil, "--with-colons", "--list-keys")); strings.Count(listed, "\npub:") != 1 || !strings.Contains(listed, sub) {
			t.Errorf("gpg made of it:\n%s", listed)
		}
		if diff := cmp.Diff(want[:1], mustRead(t, out).Keys()); diff != "" {
			t.Errorf("keys (-want +got):\n%s", diff)
		}
	})
	t.Run("a private key is refused", func(t *testing.T) {
		for _, raw := range [][]byte{h.Run(nil, "--export-secret-keys", gone), h.Run(nil, "--armor", "--export-secret-keys", gone)} {
			if _, err := ReadKeys(raw); !errors.Is(err, errPrivate) {
				t.Errorf("got %v", err)
			}
		}
	})
}

func slicesConcat(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func TestMessagesByGPG(t *testing.T) {
	h := gpgtest.New(t)
	key := h.Key("key", "ed25519", "never")
	k := mustRead(t, h.Export(key))
	sign := func(more ...string) []byte { return h.Run(content, append(more, "--local-user", key, "--sign")...) }
	for name, tt := range map[string]struct {
		message []byte
		want    string
	}{
		"compressed":               {sign("--compress-algo=zip"), ""},
		"compressed otherwise":     {sign("--compress-algo=zlib"), ""},
		"not compressed":           {sign("--compress-algo=none"), ""},
		"armored":                  {sign("--armor"), ""},
		"in clear":                 {h.Run(content, "--local-user", key, "--clear-sign"), `it is a "PGP SIGNED MESSAGE"`},
		"by a weak hash":           {sign("--digest-algo=SHA1"), "SHA-1 is too weak"},
		"not signed at all":        {h.Run(content, "--store"), "there is no signature"},
		"encrypted":                {h.Run(content, "--symmetric", "--passphrase=x"), "it is encrypted"},
		"a detached signature":     {h.Sign(key, content), `it is a "PGP SIGNATURE", not a "PGP MESSAGE"`},
		"too large, compressed":    {h.Run(make([]byte, limit+1), "--local-user", key, "--sign"), "larger than 4096 bytes"},
		"far too large":            {h.Run(make([]byte, 8<<20), "--local-user", key, "--sign"), "larger than 4096 bytes"},
		"far too large as it is":   {h.Run(make([]byte, 1<<20), "--compress-algo=none", "--local-user", key, "--sign"), "it is larger than"},
		"cut off":                  {cut(sign("--compress-algo=none")), "damaged"},
		"nothing":                  {nil, "neither armored nor binary"},
		"two messages, one signed": {slicesConcat(h.Run([]byte("evil"), "--compress-algo=none", "--store"), sign("--compress-algo=none")), "more than one content"},
	} {
		t.Run(name, func(t *testing.T) {
			got, by, err := VerifyMessage(tt.message, limit, k)
			if tt.want == "" {
				if err != nil || !bytes.Equal(got, content) || by.Fingerprint != key || by.UserID != "key" {
					t.Errorf("got %q by %+v, error %v", got, by, err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) || got != nil {
				t.Errorf("got %q, error %v, want %q", got, err, tt.want)
			}
		})
	}
}

func cut(b []byte) []byte { return b[:len(b)-1] }
