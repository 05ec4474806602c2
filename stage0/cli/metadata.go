package cli

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"

	"github.com/raket/raket/pkg/podmetadata"
	"github.com/raket/raket/pkg/stageabi"
)

// metadataAddress is where the metadata service of a pod listens. A network of the
// pod's own has a loopback of its own; the host's has sixteen million addresses, of
// which the pod's UUID chooses one that is free.
func metadataAddress(uuid, mode string, free func(netip.AddrPort) error) (string, error) {
	if mode != stageabi.NetHost {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), podmetadata.Port).String(), nil
	}
	const attempts = 8
	sum := sha256.Sum256([]byte(uuid))
	var err error
	for i := range attempts {
		n := binary.BigEndian.Uint32(sum[4*i:])
		// 127.1.0.0 and above: what people and programs choose is below.
		at := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, byte(1 + n>>16%254), byte(n >> 8), byte(n)}), podmetadata.Port)
		if err = free(at); err == nil {
			return at.String(), nil
		}
	}
	return "", fmt.Errorf("find an address for the metadata service: %w", err)
}

// canListen reports what keeps a service from listening at an address of the host's.
func canListen(at netip.AddrPort) error {
	l, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(at))
	if err != nil {
		return err
	}
	return l.Close()
}
