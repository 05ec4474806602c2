package appspec

import (
	"fmt"
	"math/big"
	"strconv"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// cpuPeriodMicros is the period in which a CPU quota counts: the kernel's and
// systemd's default.
const cpuPeriodMicros = 100_000

// ParseBytes reads a quantity of memory as appc, rkt's --memory and Kubernetes
// write it (128M, 1.5Gi, 1e9), in bytes, rounded up.
func ParseBytes(s string) (int64, error) { return parseQuantity(s, 1) }

// ParseMillis reads a quantity of CPUs (500m, 1.5, 2), in thousandths, rounded up.
func ParseMillis(s string) (int64, error) { return parseQuantity(s, 1000) }

func parseQuantity(s string, scale int64) (int64, error) {
	bad := fmt.Errorf("quantity %q: want a number and one of m, k, M, G, T, P, E, Ki, Mi, Gi, Ti, Pi, Ei", s)
	number := s
	end := len(strings.TrimLeft(number, "0123456789."))
	number, suffix := s[:len(s)-end], s[len(s)-end:]
	if len(s) > 40 || strings.Trim(number, ".") == "" || strings.Count(number, ".") > 1 {
		return 0, bad
	}
	r, ok := new(big.Rat).SetString(number)
	if !ok {
		return 0, bad
	}
	factor, err := quantityFactor(suffix)
	if err != nil {
		return 0, bad
	}
	r.Mul(r, factor)
	r.Mul(r, new(big.Rat).SetInt64(scale))
	up := new(big.Int).Sub(new(big.Int).Add(r.Num(), r.Denom()), big.NewInt(1))
	n := up.Quo(up, r.Denom())
	if !n.IsInt64() {
		return 0, fmt.Errorf("quantity %q: does not fit in 63 bits", s)
	}
	return n.Int64(), nil
}

// quantityFactor returns what a number with this suffix is multiplied with.
func quantityFactor(suffix string) (*big.Rat, error) {
	if len(suffix) == 2 && suffix[1] == 'i' {
		if i := strings.IndexByte("KMGTPE", suffix[0]); i >= 0 {
			return new(big.Rat).SetInt(new(big.Int).Lsh(big.NewInt(1), uint(10*(i+1)))), nil
		}
	}
	exp, err := decimalExponent(suffix)
	if err != nil {
		return nil, err
	}
	power := new(big.Int).Exp(big.NewInt(10), big.NewInt(max(exp, -exp)), nil)
	if exp < 0 {
		return new(big.Rat).SetFrac(big.NewInt(1), power), nil
	}
	return new(big.Rat).SetInt(power), nil
}

func decimalExponent(suffix string) (int64, error) {
	switch suffix {
	case "n":
		return -9, nil
	case "u":
		return -6, nil
	case "m":
		return -3, nil
	case "":
		return 0, nil
	case "k", "K":
		return 3, nil
	}
	if i := strings.Index("MGTPE", suffix); i >= 0 && len(suffix) == 1 {
		return int64(6 + 3*i), nil
	}
	exp, err := strconv.ParseInt(suffix[1:], 10, 8)
	if err != nil || (suffix[0] != 'e' && suffix[0] != 'E') || exp < -18 || exp > 18 {
		return 0, fmt.Errorf("suffix %q", suffix)
	}
	return exp, nil
}

func (a *App) resources() *Resources {
	l := a.Spec.Linux
	if l.Resources == nil {
		l.Resources = &Resources{}
	}
	return l.Resources
}

func (a *App) setMemory(bytes int64) error {
	if bytes <= 0 {
		return fmt.Errorf("memory limit of %d bytes", bytes)
	}
	r := a.resources()
	if r.Memory == nil {
		r.Memory = &specs.LinuxMemory{}
	}
	r.Memory.Limit = &bytes
	return nil
}

func (a *App) cpu() *specs.LinuxCPU {
	r := a.resources()
	if r.CPU == nil {
		r.CPU = &specs.LinuxCPU{}
	}
	return r.CPU
}

func (a *App) setCPUMillis(millis int64) error {
	// The kernel's smallest quota is a millisecond.
	if millis < 10 || millis > 1<<40 {
		return fmt.Errorf("CPU limit of %d thousandths: the smallest is 10", millis)
	}
	quota, period := millis*cpuPeriodMicros/1000, uint64(cpuPeriodMicros)
	c := a.cpu()
	c.Quota, c.Period = &quota, &period
	return nil
}

func (a *App) setCPUShares(shares uint64) error {
	if shares < 2 || shares > 262144 {
		return fmt.Errorf("CPU shares of %d are not 2 to 262144", shares)
	}
	a.cpu().Shares = &shares
	return nil
}

func (a *App) setPids(limit int64) error {
	// The kernel's own maximum (pid_max, proc(5)).
	if limit < 1 || limit > 1<<22 {
		return fmt.Errorf("limit of %d processes is not 1 to %d", limit, 1<<22)
	}
	a.resources().Pids = &specs.LinuxPids{Limit: &limit}
	return nil
}

func (a *App) setOOMScoreAdj(adj int) error {
	if adj < -1000 || adj > 1000 {
		return fmt.Errorf("OOM score adjustment of %d is not -1000 to 1000", adj)
	}
	a.Spec.Process.OOMScoreAdj = &adj
	return nil
}
