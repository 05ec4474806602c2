package appargs

import (
	"errors"
	"strconv"

	"github.com/raket/raket/pkg/appspec"
)

// limitFlags limit an app where they follow its image, and all apps together where
// they stand before the images.
func limitFlags() []flag {
	f := func(name, arg, usage string, set func(*appspec.Limits, string) error) flag {
		checked := func(l *appspec.Limits, v string) error {
			if err := set(l, v); err != nil {
				return err
			}
			return appspec.New().Apply(appspec.Override{Limits: *l})
		}
		return flag{
			Flag: Flag{Name: name, Arg: arg, Usage: usage + ofAllApps, Scope: ForApp},
			pod:  func(p *Pod, v string) error { return checked(&p.Limits, v) },
			app:  func(a *App, v string) error { return checked(&a.Override.Limits, v) },
		}
	}
	return []flag{
		f("cpu", "QUANTITY", "the most that the app gets of the CPUs, as 500m or 1.5", setCPU),
		f("cpu-shares", "N", "the app's weight among others that want a CPU, 2 to 262144 (1024 where nothing is said)", setCPUShares),
		f("memory", "QUANTITY", "the most memory that the app may use, as 256M or 1Gi", setMemory),
		f("network-bandwidth", "QUANTITY", "bytes that the app may send to others than the pod's apps, and as many that it may receive, a second, as 10M", setNetworkBandwidth),
		f("pids", "N", "how many processes and threads the app may have", setPids),
	}
}

const ofAllApps = "; before the images, of all apps together"

func setMemory(l *appspec.Limits, v string) error {
	n, err := appspec.ParseBytes(v)
	l.MemoryBytes = &n
	return err
}

func setCPU(l *appspec.Limits, v string) error {
	n, err := appspec.ParseMillis(v)
	l.CPUMillis = &n
	return err
}

func setCPUShares(l *appspec.Limits, v string) error {
	n, err := strconv.ParseUint(v, 10, 32)
	if err != nil {
		return errors.New("must be a number from 2 to 262144")
	}
	l.CPUShares = &n
	return nil
}

func setNetworkBandwidth(l *appspec.Limits, v string) error {
	n, err := appspec.ParseBytes(v)
	l.NetBytes = &n
	return err
}

func setPids(l *appspec.Limits, v string) error {
	n, err := strconv.ParseInt(v, 10, 32)
	if err != nil {
		return errors.New("must be a number from 1 on")
	}
	l.Pids = &n
	return nil
}
