package cli

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/raket/raket/pkg/stageabi"
)

func TestAddressesOfMetadataServices(t *testing.T) {
	const uuid = "0c2b3b4e-5a52-4a56-9a4e-54c9d1d2f4a1"
	at, err := metadataAddress(uuid, stageabi.NetNone, func(netip.AddrPort) error { return errors.New("not asked") })
	if err != nil || at != "127.0.0.1:18112" {
		t.Errorf("in a network of the pod's own: %s, %v", at, err)
	}
	var tried []string
	at, err = metadataAddress(uuid, stageabi.NetHost, func(a netip.AddrPort) error {
		if !a.Addr().IsLoopback() || a.Addr().As4()[1] == 0 {
			t.Errorf("%s was tried", a)
		}
		tried = append(tried, a.String())
		if len(tried) < 3 {
			return errors.New("taken")
		}
		return nil
	})
	if err != nil || len(tried) != 3 || at != tried[2] || tried[0] == tried[1] {
		t.Errorf("on the host's network: %s, %v after %v", at, err, tried)
	}
	_, err = metadataAddress(uuid, stageabi.NetHost, func(netip.AddrPort) error { return errors.New("taken") })
	if err == nil || !strings.Contains(err.Error(), "find an address for the metadata service: taken") {
		t.Errorf("with all taken: %v", err)
	}
}
