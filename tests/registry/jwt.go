package registry

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
)

func base64Std(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

// sign makes a JSON Web Token (RFC 7519) with ES256, and with the certificate of the key
// along, which is how docker-registry finds out that it trusts it (RFC 7515, section 4.1.6).
func (s *TokenServer) sign(claims object) (string, error) {
	head, err := part(object{"typ": "JWT", "alg": "ES256", "x5c": s.chain})
	if err != nil {
		return "", err
	}
	body, err := part(claims)
	if err != nil {
		return "", err
	}
	text := head + "." + body
	hash := sha256.Sum256([]byte(text))
	r, v, err := ecdsa.Sign(rand.Reader, s.key, hash[:])
	if err != nil {
		return "", fmt.Errorf("sign a token: %w", err)
	}
	signature := make([]byte, 64) // two numbers of the curve's size (RFC 7518, section 3.4)
	r.FillBytes(signature[:32])
	v.FillBytes(signature[32:])
	return text + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}

func part(v object) (string, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("make a token: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(text), nil
}
