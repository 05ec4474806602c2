package unitgen

import (
	"strconv"

	"github.com/raket/raket/pkg/streamwire"
	"github.com/raket/raket/pkg/unitfile"
)

// BandwidthPath is the program that limits what an app sends and receives, in the pod's root.
const BandwidthPath = "/raket/bin/bandwidth"

// innerBandwidthPath is where it is bound to in an app's root that systemd enters.
const innerBandwidthPath = "/.raket/bandwidth"

// limitBandwidth is the command that limits the app. It comes before all others of the app's,
// in the control group that all of them are in.
func (c command) limitBandwidth(f *unitfile.File, p Pod, a App, m streamwire.Modes) {
	if a.NetworkBandwidth == 0 {
		return
	}
	argv := []string{BandwidthPath}
	if c.systemdRoot {
		argv = []string{innerBandwidthPath, "-p"}
	}
	argv = append(argv, journalArgs(p.Log, a.Name, m)...)
	if m.Held() {
		argv = append(argv, "-m", m.String())
	}
	f.Exec("ExecStartPre", "+", append(argv, "-s", strconv.FormatInt(a.NetworkBandwidth, 10), a.Name))
}

// freeBandwidth takes that back.
func (c command) freeBandwidth(f *unitfile.File, a App) {
	if a.NetworkBandwidth == 0 {
		return
	}
	path := BandwidthPath
	if c.systemdRoot {
		path = innerBandwidthPath
	}
	f.Exec("ExecStopPost", "-+", []string{path, "-d", a.Name})
}
