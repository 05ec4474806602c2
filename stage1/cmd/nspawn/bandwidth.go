package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/raket/raket/pkg/appspec"
	"github.com/raket/raket/pkg/capset"
	"github.com/raket/raket/pkg/netlimit"
	"github.com/raket/raket/pkg/stageabi"
	"github.com/raket/raket/stage1/network"
)

// netAdmin is what the pod's root takes to limit apps in the pod's network.
const netAdmin = "CAP_NET_ADMIN"

// podBandwidth is the table of nf_tables that limits all apps together. Those of the apps have their
// names behind it.
const podBandwidth = "raket-bandwidth"

// limitBandwidth finds out which apps' network bandwidth the pod can limit
// (docs/adr/0026-network-bandwidth.md). That it cannot is said, and no error: appc lets an executor
// pass over a limit if it says so.
func (p *pod) limitBandwidth() error {
	p.limits.bandwidth = make([]int64, len(p.specs))
	why, asked := "", false
	for i, a := range p.sandbox.Apps {
		n, err := appspec.NetworkBandwidth(p.specs[i])
		if err != nil {
			return fmt.Errorf("app %s: %w", a.Name, err)
		}
		if n == 0 || p.sandbox.Network.Mode == stageabi.NetNone {
			continue // apps of one pod may always talk to each other
		}
		if !asked {
			if why, err = p.noBandwidth(); err != nil {
				return err
			}
			asked = true
		}
		if why == "" {
			p.limits.bandwidth[i] = n
		} else {
			p.unlimited("app "+a.Name, why)
		}
	}
	if p.sandbox.NetworkBandwidth != 0 && p.sandbox.Network.Mode == stageabi.NetHost && p.leader == 0 {
		p.unlimited("the pod", ofHost)
	}
	return nil
}

func (p *pod) unlimited(who, why string) {
	if !p.quiet {
		fmt.Fprintf(os.Stderr, "raket: %s: not limited as asked, by resource/network-bandwidth: %s\n", who, why)
	}
}

const ofHost = "the network is the host's"

// noBandwidth says why apps of the pod cannot be limited one by one; "" if they can be.
func (p *pod) noBandwidth() (why string, err error) {
	switch {
	case p.sandbox.Network.Mode != stageabi.NetCNI:
		return ofHost, nil
	case p.sandbox.Users != nil:
		return "a pod with users of its own has no rights over its network", nil
	case p.leader != 0:
		have, err := p.bounding()
		if err != nil {
			return "", err
		}
		if have&capset.Mask([]string{netAdmin}) == 0 {
			return "the pod was started without " + netAdmin + " (--capability=" + netAdmin + ")", nil
		}
	}
	if err := tryBandwidth(); err != nil {
		return "the kernel cannot: " + err.Error(), nil
	}
	return "", nil
}

// tryBandwidth has the kernel take, in a network namespace that goes with a thread, the rules that
// limit a control group.
func tryBandwidth() (err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // to the end
		if err = unix.Unshare(unix.CLONE_NEWNET); err != nil {
			err = os.NewSyscallError("unshare", err)
			return
		}
		var g netlimit.Group
		if g, err = netlimit.Own(); err == nil {
			const anyLevel = 1
			err = netlimit.SetGroup(podBandwidth, g, anyLevel, 1)
		}
	}()
	<-done
	return err
}

// bounding are the capabilities that the running pod may have.
func (p *pod) bounding() (uint64, error) {
	text, err := place{dir: "/proc/" + strconv.Itoa(p.leader)}.status("CapBnd")
	if err != nil {
		return 0, err
	}
	return strconv.ParseUint(text, 16, 64)
}

// limitTogether limits all apps together, in the network that they share.
func (p *pod) limitTogether(j *network.Joined) error {
	if p.sandbox.NetworkBandwidth == 0 {
		return nil
	}
	err := j.Within(func() error { return netlimit.SetAll(podBandwidth, uint64(p.sandbox.NetworkBandwidth)) })
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EPROTONOSUPPORT) || errors.Is(err, unix.ENOENT) {
		p.unlimited("the pod", "the kernel has no nf_tables with limits: "+err.Error())
		return nil
	}
	if err != nil {
		return fmt.Errorf("limit the pod's network bandwidth: %w", err)
	}
	return nil
}
