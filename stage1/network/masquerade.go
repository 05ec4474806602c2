package network

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"

	types100 "github.com/containernetworking/cni/pkg/types/100"
	"github.com/containernetworking/cni/pkg/types/create"
	"golang.org/x/sys/unix"

	"github.com/raket/raket/pkg/nftables"
)

// masqueradeType is the type of a plugin that is part of this package: no program is
// executed for it, nor does it execute any. In a chain, after the one that gives addresses, it
// has what the pod sends to other networks leave with the host's address.
//
// All that it makes is a table of nf_tables for the pod, which goes in one step.
const masqueradeType = "raket-masquerade"

// masquerade answers as the plugin would.
func masquerade(stdin []byte, vars map[string]string) ([]byte, error) {
	table := "raket-" + vars["CNI_CONTAINERID"] + "-" + vars["CNI_IFNAME"]
	switch command := vars["CNI_COMMAND"]; command {
	case "ADD":
		raw, addresses, err := previous(stdin)
		if err != nil {
			return nil, err
		}
		return raw, addMasquerade(table, addresses)
	case "CHECK":
		if err := nftables.HasTable(table); err != nil {
			return nil, fmt.Errorf("table inet %s is not in nf_tables: %w", table, err)
		}
		return nil, nil
	case "DEL":
		if err := nftables.DropTable(table); err != nil {
			return nil, fmt.Errorf("delete table inet %s: %w", table, err)
		}
		return nil, nil
	case "GC", "STATUS":
		return nil, nil
	default:
		return nil, fmt.Errorf("%s is not known", command)
	}
}

// previous is the result of the plugins before, and the pod's addresses in it.
func previous(stdin []byte) (json.RawMessage, []netip.Prefix, error) {
	var config struct {
		PrevResult json.RawMessage `json:"prevResult"`
	}
	if err := json.Unmarshal(stdin, &config); err != nil {
		return nil, nil, err
	}
	if len(config.PrevResult) == 0 {
		return nil, nil, errors.New("it has to come after a plugin that gives addresses")
	}
	prev, err := create.CreateFromBytes(config.PrevResult)
	if err != nil {
		return nil, nil, err
	}
	res, err := types100.NewResultFromResult(prev)
	if err != nil {
		return nil, nil, err
	}
	return config.PrevResult, addressesOf(res), nil
}

func addMasquerade(table string, addresses []netip.Prefix) error {
	const chain = "masquerade"
	b := nftables.NewBatch()
	b.Table(table)
	b.Chain(table, chain, nftables.TypeTranslation, nftables.PostRouting, nftables.PrioritySource)
	for _, p := range addresses {
		b.Rule(table, chain, masqueradeRule(p)...)
	}
	err := b.Commit()
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EPROTONOSUPPORT) || errors.Is(err, unix.EINVAL) {
		return fmt.Errorf("this kernel has no nf_tables with network address translation: %w", err)
	}
	if err != nil {
		return fmt.Errorf("add table inet %s: %w", table, err)
	}
	return nil
}

// masqueradeRule has what comes from the address and does not go to its network, nor to a
// group, leave with an address of the host's.
func masqueradeRule(p netip.Prefix) []nftables.Expression {
	proto, source, target, width := byte(nftables.IPv4), uint32(12), uint32(16), uint32(4)
	group := netip.MustParsePrefix("224.0.0.0/4")
	if p.Addr().Is6() {
		proto, source, target, width = nftables.IPv6, 8, 24, 16
		group = netip.MustParsePrefix("ff00::/8")
	}
	rule := []nftables.Expression{
		nftables.Meta(unix.NFT_META_NFPROTO), nftables.Is([]byte{proto}),
		nftables.Network(source, width), nftables.Is(p.Addr().AsSlice()),
	}
	for _, not := range [...]netip.Prefix{p.Masked(), group} {
		rule = append(rule, nftables.Network(target, width), nftables.Prefix(not.Bits(), int(width)), nftables.IsNot(not.Addr().AsSlice()))
	}
	return append(rule, nftables.Masquerade())
}
