package openpgp

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	pgp "github.com/ProtonMail/go-crypto/openpgp/v2"
)

// VerifyMessage checks a signed message (RFC 9580, section 10.3; what gpg --sign
// makes, compressed or not, armored or not) and returns what was signed, of which
// limit bytes are accepted. The message itself may have limit bytes and 64 KiB.
// The text that gpg --clearsign makes is none, and encrypted messages are
// refused. The error is a *SignatureError.
func VerifyMessage(signed []byte, limit int64, k Keyring) ([]byte, Signature, error) {
	return judge{time.Now()}.verifyMessage(signed, limit, k)
}

func (j judge) verifyMessage(signed []byte, limit int64, k Keyring) ([]byte, Signature, error) {
	content, sigs, err := readMessage(signed, limit)
	if err != nil {
		return nil, Signature{}, err
	}
	claims, err := j.claims(sigs, k)
	if err != nil {
		return nil, Signature{}, err
	}
	for _, c := range claims {
		c.hash.Write(content) // a hash never fails
	}
	good, err := j.settle(claims)
	if err != nil {
		return nil, Signature{}, err
	}
	return content, good, nil
}

// message collects the packets of a signed message. One-pass signatures announce
// which hash is needed, which is of no use here: the content is in memory when
// the signatures come.
type message struct {
	packets *packet.Reader
	limit   int64
	// content is nil until there was some.
	content    []byte
	sigs       []*packet.Signature
	passed     error
	compressed bool
}

func readMessage(signed []byte, limit int64) ([]byte, []*packet.Signature, error) {
	bad := func(err error) error { return refuse(ErrBadSignature, "", "read signed message: %v", err) }
	if int64(len(signed)) > limit+MaxSignatureBytes {
		return nil, nil, bad(fmt.Errorf("it is larger than %d bytes", limit+MaxSignatureBytes))
	}
	r, err := dearmor(signed, pgp.MessageType)
	if err != nil {
		return nil, nil, bad(err)
	}
	m := message{packets: packet.NewReader(r), limit: limit}
	for {
		p, err := m.packets.NextWithUnsupported()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, nil, bad(fmt.Errorf("it is damaged: %w", err))
		}
		if err := m.take(p); err != nil {
			return nil, nil, bad(err)
		}
	}
	if m.content == nil {
		return nil, nil, bad(errors.New("there is nothing in it"))
	}
	return m.content, m.sigs, notNone(m.sigs, m.passed)
}

func (m *message) take(p packet.Packet) error {
	switch p := p.(type) {
	case *packet.Compressed:
		if m.compressed || m.content != nil {
			return errors.New("it is compressed more than once")
		}
		m.compressed = true
		// One byte more, so that what is too long is seen as that.
		most := m.limit + MaxSignatureBytes + 1
		return m.packets.Push(p.LimitedBodyReader(&most))
	case *packet.LiteralData:
		if m.content != nil {
			return errors.New("it has more than one content")
		}
		content, err := io.ReadAll(io.LimitReader(p.Body, m.limit+1))
		if err != nil {
			return fmt.Errorf("it is damaged: %w", err)
		}
		if int64(len(content)) > m.limit {
			return fmt.Errorf("what is signed is larger than %d bytes", m.limit)
		}
		m.content = append([]byte{}, content...)
	case *packet.Signature:
		if m.sigs = append(m.sigs, p); len(m.sigs) > maxSignatures {
			return fmt.Errorf("it has more than %d signatures", maxSignatures)
		}
	case *packet.UnsupportedPacket:
		m.passed = p.Error
	case *packet.OnePassSignature, *packet.Padding:
	default:
		return errors.New("it is encrypted, or no signed message")
	}
	return nil
}
