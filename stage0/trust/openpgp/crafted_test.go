package openpgp

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	pgp "github.com/ProtonMail/go-crypto/openpgp/v2"
)

// crafted are keys that gpg does not make.
type crafted struct {
	t testing.TB
	e *pgp.Entity
}

func craft(t testing.TB, cfg *packet.Config) crafted {
	t.Helper()
	e, err := pgp.NewEntity("crafted", "", "", cfg)
	if err != nil {
		t.Fatal(err)
	}
	return crafted{t, e}
}

func ed25519Config() *packet.Config {
	return &packet.Config{Algorithm: packet.PubKeyAlgoEdDSA, Curve: packet.Curve25519}
}

func (c crafted) do(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

func (c crafted) ring() Keyring {
	c.t.Helper()
	return mustRead(c.t, c.raw())
}

func (c crafted) raw() []byte {
	c.t.Helper()
	var raw bytes.Buffer
	c.do(c.e.Serialize(&raw))
	return raw.Bytes()
}

func (c crafted) sign(cfg *packet.Config) []byte {
	c.t.Helper()
	var out bytes.Buffer
	c.do(pgp.DetachSign(&out, []*pgp.Entity{c.e}, bytes.NewReader(content), cfg))
	return out.Bytes()
}

// signingSubkey is the last that AddSigningSubkey made.
func (c crafted) signingSubkey() *pgp.Subkey { return &c.e.Subkeys[len(c.e.Subkeys)-1] }

func TestCraftedKeys(t *testing.T) {
	for name, tt := range map[string]struct {
		cfg *packet.Config
		// spoil is done to a key with a signing subkey, after it has signed.
		spoil func(c crafted)
		want  error
		text  string
	}{
		"a subkey as it should be": {ed25519Config(), func(crafted) {}, nil, ""},
		"a key of version 6":       {&packet.Config{Algorithm: packet.PubKeyAlgoEd25519, V6Keys: true}, func(crafted) {}, nil, ""},
		"a key of Ed448, version 6": {
			&packet.Config{Algorithm: packet.PubKeyAlgoEd448, V6Keys: true}, func(crafted) {}, nil, "",
		},
		"a subkey that has not signed its primary": {ed25519Config(), func(c crafted) {
			s := c.signingSubkey()
			s.Bindings[0].Packet.EmbeddedSignature = nil
			c.do(s.Bindings[0].Packet.SignKey(s.PublicKey, c.e.PrivateKey, nil))
		}, ErrNotForSigning, "the subkey is not bound to its primary key by valid signatures of both"},
		"somebody else's subkey": {ed25519Config(), func(c crafted) {
			thief := craft(c.t, ed25519Config())
			s := *c.signingSubkey()
			s.Primary = thief.e
			binding := *s.Bindings[0].Packet
			binding.IssuerKeyId, binding.IssuerFingerprint = &thief.e.PrimaryKey.KeyId, thief.e.PrimaryKey.Fingerprint
			c.do(binding.SignKey(s.PublicKey, thief.e.PrivateKey, nil))
			s.Bindings = []*packet.VerifiableSignature{packet.NewVerifiableSig(&binding)}
			thief.e.Subkeys = append(thief.e.Subkeys, s)
			*c.e = *thief.e
		}, ErrNotForSigning, "the subkey is not bound to its primary key by valid signatures of both"},
		"a subkey that is not for signing": {ed25519Config(), func(c crafted) {
			s := c.signingSubkey()
			s.Bindings[0].Packet.FlagSign = false
			c.do(s.Bindings[0].Packet.SignKey(s.PublicKey, c.e.PrivateKey, nil))
		}, ErrNotForSigning, "the subkey is not for signing"},
		"a subkey without a word on its use": {ed25519Config(), func(c crafted) {
			s := c.signingSubkey()
			s.Bindings[0].Packet.FlagsValid = false
			c.do(s.Bindings[0].Packet.SignKey(s.PublicKey, c.e.PrivateKey, nil))
		}, ErrNotForSigning, "the subkey is not for signing"},
		"a subkey revoked as compromised": {ed25519Config(), func(c crafted) {
			c.do(c.signingSubkey().Revoke(packet.KeyCompromised, "", nil))
		}, ErrRevoked, "the key's owner has revoked the subkey"},
		"a subkey revoked as superseded": {ed25519Config(), func(c crafted) {
			c.do(c.signingSubkey().Revoke(packet.KeySuperseded, "", nil))
		}, ErrRevoked, "the key's owner has revoked the subkey"},
		"a key revoked as superseded": {ed25519Config(), func(c crafted) {
			c.do(c.e.Revoke(packet.KeySuperseded, "", nil))
		}, ErrRevoked, "the key's owner has revoked it"},
		"a key that others revoke": {ed25519Config(), func(c crafted) {
			other := craft(c.t, ed25519Config())
			c.do(other.e.Revoke(packet.KeyCompromised, "", nil))
			c.e.Revocations = other.e.Revocations
		}, nil, ""},
		"a key whose user ID was changed": {ed25519Config(), func(c crafted) {
			c.e.Identities["crafted"].UserId = packet.NewUserId("Somebody else", "", "")
		}, ErrNotForSigning, "the key has no user ID with a valid self-signature"},
	} {
		t.Run(name, func(t *testing.T) {
			c := craft(t, tt.cfg)
			c.do(c.e.AddSigningSubkey(tt.cfg))
			signature := c.sign(tt.cfg)
			tt.spoil(c)
			k := c.ring()
			printed, err := k.Armored(k.Fingerprints()[0])
			c.do(err)
			for form, k := range map[string]Keyring{"as it is": k, "printed": mustRead(t, printed), "merged": k.Merge(c.ring())} {
				got, err := VerifyDetached(bytes.NewReader(content), signature, k)
				if !errors.Is(err, tt.want) || (err == nil) != (tt.want == nil) {
					t.Fatalf("%s: got %v, want %v", form, err, tt.want)
				}
				if err != nil && !strings.HasSuffix(err.Error(), tt.text) {
					t.Errorf("%s: got %q, want the end %q", form, err, tt.text)
				}
				if err == nil && got.Fingerprint != k.Keys()[0].Fingerprint {
					t.Errorf("%s: got key %s, want %s", form, got.Fingerprint, k.Keys()[0].Fingerprint)
				}
			}
		})
	}
}

func TestARevokedCopyCounts(t *testing.T) {
	c := craft(t, ed25519Config())
	signature := c.sign(nil)
	old := c.ring()
	c.do(c.e.Revoke(packet.KeyCompromised, "", nil))
	for name, k := range map[string]Keyring{"behind": old.Merge(c.ring()), "before": c.ring().Merge(old)} {
		t.Run(name, func(t *testing.T) {
			if _, err := VerifyDetached(bytes.NewReader(content), signature, k); !errors.Is(err, ErrRevoked) {
				t.Errorf("got %v", err)
			}
			if err := k.Usable(k.Fingerprints()[0]); !errors.Is(err, ErrRevoked) {
				t.Errorf("usable: %v", err)
			}
			if k.Len() != 1 || !k.Keys()[0].Revoked {
				t.Errorf("merged to %+v", k.Keys())
			}
		})
	}
	if err := old.Usable(old.Fingerprints()[0]); err != nil {
		t.Errorf("the copies were changed: %v", err)
	}
	if err := old.Usable(strings.Repeat("0", 40)); !errors.Is(err, ErrUnknownKey) {
		t.Errorf("usable: %v", err)
	}
}

// TestClocksMayDiffer moves the clock of the one who checks.
func TestClocksMayDiffer(t *testing.T) {
	c := craft(t, ed25519Config())
	signature := c.sign(nil)
	for behind, want := range map[time.Duration]bool{0: true, clockSlack - time.Minute: true, clockSlack + time.Minute: false} {
		_, err := judge{time.Now().Add(-behind)}.verifyDetached(bytes.NewReader(content), signature, c.ring())
		if (err == nil) != want {
			t.Errorf("%s behind: %v", behind, err)
		}
	}
}

func TestLimits(t *testing.T) {
	c := craft(t, ed25519Config())
	signature := c.sign(nil)
	for name, tt := range map[string]struct {
		err  error
		want string
	}{
		"many signatures": {second(VerifyDetached(bytes.NewReader(content), bytes.Repeat(signature, maxSignatures+1), c.ring())), "there are more than 16 signatures"},
		"a large signature": {
			second(VerifyDetached(bytes.NewReader(content), make([]byte, MaxSignatureBytes+1), c.ring())), "the signature is larger than 64 KiB",
		},
		"no signature":  {second(VerifyDetached(bytes.NewReader(content), nil, c.ring())), "neither armored nor binary"},
		"a large key":   {second(ReadKeys(make([]byte, MaxKeysBytes+1))), "it is larger than 1024 KiB"},
		"an empty key":  {second(ReadKeys(nil)), "it is empty"},
		"half a key":    {second(ReadKeys(c.raw()[:40])), "damaged"},
		"a signature's": {second(ReadKeys(signature)), "damaged or no key"},
	} {
		t.Run(name, func(t *testing.T) {
			if tt.err == nil || !strings.Contains(tt.err.Error(), tt.want) {
				t.Errorf("got %v, want %q", tt.err, tt.want)
			}
		})
	}
	t.Run("content is not read for a stranger's signature", func(t *testing.T) {
		_, err := VerifyDetached(unread{t}, signature, craft(t, ed25519Config()).ring())
		if !errors.Is(err, ErrUnknownKey) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("content that fails is no bad signature", func(t *testing.T) {
		broken := errors.New("broken")
		_, err := VerifyDetached(failing{broken}, signature, c.ring())
		var refused *SignatureError
		if !errors.Is(err, broken) || errors.As(err, &refused) {
			t.Errorf("got %v", err)
		}
	})
}

func second[T any](_ T, err error) error { return err }

type unread struct{ t *testing.T }

func (u unread) Read([]byte) (int, error) { u.t.Error("it was read"); return 0, errors.New("read") }

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestPrintable(t *testing.T) {
	for id, want := range map[string]string{
		"Jürgen <j@example.com>":             "Jürgen <j@example.com>",
		"a\x1b[2Jb\nc\td\x7f":                "a?[2Jb?c?d?",
		"right\u202eto left, zero\u200bwide": "right?to left, zero?wide",
		"not UTF-8 \xff":                     "not UTF-8 ?",
		strings.Repeat("x", 1000):            strings.Repeat("x", maxUserIDRunes) + "…",
	} {
		if got := printable(id); got != want {
			t.Errorf("%q: got %q, want %q", id, got, want)
		}
	}
}
