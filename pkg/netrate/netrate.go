package netrate

import (
	"fmt"

	"github.com/raket/raket/pkg/appspec"
)

// Limits are the values of the capability "bandwidth" (CNI conventions): bits, and bits per
// second. Zeros are no limit.
type Limits struct {
	IngressRate  uint64 `json:"ingressRate,omitempty"`
	IngressBurst uint64 `json:"ingressBurst,omitempty"`
	EgressRate   uint64 `json:"egressRate,omitempty"`
	EgressBurst  uint64 `json:"egressBurst,omitempty"`
}

// The names of arguments.
const (
	ingressRate  = "ingressRate"
	ingressBurst = "ingressBurst"
	egressRate   = "egressRate"
	egressBurst  = "egressBurst"
)

// What the kernel's token bucket filter keeps (tc-tbf(8)), with which the plugin bandwidth limits:
// it drops packets that are larger than the burst, counts bytes in 32 bits, and a burst's time in
// microseconds, of which it has some 270 seconds.
const (
	leastRate    = 8_000
	mostRate     = 1_000_000_000_000
	leastBurst   = 16_000
	mostBurst    = 8_000_000_000
	burstSeconds = 120

	usualBurst = 256_000
	usualPart  = 10 // of a second
)

// Take reads the limits among a network's arguments, and returns the other arguments.
func Take(args [][2]string) (l Limits, rest [][2]string, err error) {
	into := map[string]*uint64{ingressRate: &l.IngressRate, ingressBurst: &l.IngressBurst, egressRate: &l.EgressRate, egressBurst: &l.EgressBurst}
	for _, a := range args {
		n := into[a[0]]
		if n == nil {
			rest = append(rest, a)
			continue
		}
		if *n != 0 {
			return l, nil, fmt.Errorf("%s is given twice", a[0])
		}
		value, err := appspec.ParseBytes(a[1])
		if err != nil {
			return l, nil, fmt.Errorf("%s: %w", a[0], err)
		}
		if value == 0 {
			return l, nil, fmt.Errorf("%s: 0 lets nothing pass", a[0])
		}
		*n = uint64(value)
	}
	if err := complete(ingressRate, ingressBurst, &l.IngressRate, &l.IngressBurst); err != nil {
		return l, nil, err
	}
	return l, rest, complete(egressRate, egressBurst, &l.EgressRate, &l.EgressBurst)
}

// complete holds a rate and its burst to what can be kept, and finds a burst where none is said.
func complete(rateName, burstName string, rate, burst *uint64) error {
	switch {
	case *rate == 0 && *burst == 0:
		return nil
	case *rate == 0:
		return fmt.Errorf("%s says nothing without %s", burstName, rateName)
	case *rate < leastRate || *rate > mostRate:
		return fmt.Errorf("%s: %d bits per second, want 8k to 1T", rateName, *rate)
	case *burst == 0:
		*burst = min(max(*rate/usualPart, usualBurst), mostBurst)
	case *burst < leastBurst || *burst > mostBurst || *burst > *rate*burstSeconds:
		return fmt.Errorf("%s: %d bits, want 16k to 8G and at most %d seconds of %s", burstName, *burst, burstSeconds, rateName)
	}
	return nil
}
