package main

import (
	"fmt"
	"strings"
)

// Names of scenarios and contenders, as tables and targets share them.
const (
	scVersion  = "version"
	scReady    = "ready"
	scOneshot  = "oneshot"
	scFetch    = "fetch"
	scResident = "resident"
	scList     = "list"
	scImages   = "images"
	scMemory   = "memory"
	scMany     = "many"
	scExec     = "exec"

	scNetwork = "network"

	subNetStart      = "raket, start"
	subNetWhole      = "raket, start and end"
	subNetPodman     = "podman run --rm"
	subRaket         = "raket"
	subNothing       = "busybox true"
	subPodmanVersion = "podman --version"
	subPodmanPlay    = "podman kube play"
	subPodmanRun     = "podman run"
	subPodmanPull    = "podman pull"
	subUmoci         = "skopeo copy + umoci unpack"
	subNspawn        = "bare nspawn, SYSTEMD_SECCOMP=0"
	subNspawnStock   = "bare nspawn, stock seccomp"
	subRaketList     = "raket list"
	subRaketStatus   = "raket status"
	subImageList     = "raket image list"
	subFetchPresent  = "raket fetch, present"
	subFetchNever    = "raket fetch --pull-policy=never"
	subFetchBig      = "raket fetch, 4 layers"
	subFetchLarge    = "raket fetch, 40 layers"
	subRaketExec     = "raket exec"
	subPodmanExec    = "podman exec"
)

// readyName names the table of pods with a number of apps.
func readyName(apps int) string { return fmt.Sprintf("%s-%d", scReady, apps) }

// residentApps is how many apps the resident scenario counts helpers of.
const residentApps = 20

// target is a promise about one figure: itself, its ratio to a peer's, or what it adds to a peer's. Minima are compared.
type target struct {
	Name             string
	Table            string
	Subject, Against string // Against is empty for an absolute limit
	Figure           string
	Difference       bool // Subject minus Against, instead of their ratio
	Per              int  // of a Difference: what it is divided by; 0 for 1
	Limit            float64
	// Peer stands for Subject, and PeerAgainst for Against, in what is told beside it; empty
	// where nothing is.
	Peer, PeerAgainst string
}

// targets are the project's promises.
func targets() []target {
	both := func(name string, t target) []target {
		wall, cpu := t, t
		wall.Name, wall.Figure = name+", wall", figWall
		cpu.Name, cpu.Figure = name+", CPU", figCPU
		return []target{wall, cpu}
	}
	var all []target
	all = append(all, both("raket version", target{Table: scVersion, Subject: subRaket, Limit: 8})...)
	all = append(all, both("1 app to READY / podman kube play", target{Table: readyName(1), Subject: subRaket, Against: subPodmanPlay, Limit: 0.35})...)
	all = append(all, both("20 apps to READY / podman kube play", target{Table: readyName(20), Subject: subRaket, Against: subPodmanPlay, Limit: 0.08})...)
	all = append(all, both("one-shot to exit / podman run", target{Table: scOneshot, Subject: subRaket, Against: subPodmanRun, Limit: 0.9})...)
	all = append(all, target{Name: "raket's own share, 1 app to READY - bare nspawn, CPU", Table: readyName(1), Subject: subRaket, Against: subNspawn, Figure: figCPU, Difference: true, Limit: 15})
	more := target{Table: scMany, Subject: ofApps(subRaket, manyApps), Against: ofApps(subRaket, 1), Difference: true, Per: manyMore}
	cpu, memory := more, more
	cpu.Name, cpu.Figure, cpu.Limit = "an app more in a pod, CPU", figCPU, 4
	cpu.Peer, cpu.PeerAgainst = ofApps(subPodmanPlay, manyApps), ofApps(subPodmanPlay, 1)
	memory.Name, memory.Figure, memory.Limit = "an app more in a pod, memory beside its own", figPSS, 0.3
	all = append(all, cpu, memory,
		target{Name: "100 apps to READY, CPU", Table: scMany, Subject: ofApps(subRaket, manyApps), Figure: figCPU, Limit: 600, Peer: ofApps(subPodmanPlay, manyApps)},
		target{Name: "a command in a running app", Table: scExec, Subject: subRaketExec, Figure: figWall, Limit: 60, Peer: subPodmanExec})
	fetch := both("fetch / podman pull", target{Table: scFetch, Subject: subRaket, Against: subPodmanPull, Limit: 0.4})
	fetch[1].Limit = 0.6
	all = append(all, fetch...)
	all = append(all,
		target{Name: "the default network, start, CPU", Table: scNetwork, Subject: subNetStart, Figure: figCPU, Limit: 60, Peer: subNetPodman},
		target{Name: "the default network, start and end / podman run", Table: scNetwork, Subject: subNetWhole, Against: subNetPodman, Figure: figCPU, Limit: 0.5},
	)
	return append(all,
		target{Name: "helpers resident, 20 apps", Table: scResident, Subject: subRaket, Figure: figHelpers, Limit: 2},
		target{Name: "their PSS", Table: scResident, Subject: subRaket, Figure: figPSS, Limit: 9},
		target{Name: "their wake-ups while idle", Table: scResident, Subject: subRaket, Figure: figWakeUps, Limit: 0},
		target{Name: "memory of fetching 4 layers", Table: scMemory, Subject: subFetchBig, Figure: figPeak, Limit: 64},
		target{Name: "memory of fetching 40 layers", Table: scMemory, Subject: subFetchLarge, Figure: figPeak, Limit: 64},
		target{Name: "list of 1,000 images", Table: scImages, Subject: subImageList, Figure: figWall, Limit: 50},
		target{Name: "a present image", Table: scImages, Subject: subFetchPresent, Figure: figWall, Limit: 15},
		target{Name: "a present image, never pulled", Table: scImages, Subject: subFetchNever, Figure: figWall, Limit: 15},
		target{Name: "list of 1,000 exited pods", Table: scList, Subject: subRaketList, Figure: figWall, Limit: 100},
		target{Name: "status among 1,000 exited pods", Table: scList, Subject: subRaketStatus, Figure: figWall, Limit: 100},
	)
}

const (
	met        = "met"
	missed     = "missed"
	unmeasured = "not measured"
)

// verdict is a target held against what was measured.
type verdict struct {
	Name   string  `json:"name"`
	Value  float64 `json:"value"`
	Limit  float64 `json:"limit"`
	Unit   string  `json:"unit"`
	Result string  `json:"result"`
	// Peer is whose Beside is, in the same unit; empty for none.
	Peer   string  `json:"peer,omitempty"`
	Beside float64 `json:"beside,omitempty"`
}

// judge holds a target against what was measured, and tells what its peer has.
func judge(t target, tables []table) verdict {
	v := hold(t, tables)
	if t.Peer == "" || v.Result == unmeasured {
		return v
	}
	t.Subject, t.Against = t.Peer, t.PeerAgainst
	if peer := hold(t, tables); peer.Result != unmeasured {
		v.Peer, _, _ = strings.Cut(t.Peer, ",")
		v.Beside = peer.Value
	}
	return v
}

func hold(t target, tables []table) verdict {
	v := verdict{Name: t.Name, Limit: t.Limit, Result: unmeasured}
	for _, tab := range tables {
		if tab.Name != t.Table {
			continue
		}
		f, ok := tab.figure(t.Subject, t.Figure)
		if !ok {
			continue
		}
		v.Value, v.Unit = f.Min, f.Unit
		if t.Against != "" {
			peer, ok := tab.figure(t.Against, t.Figure)
			switch {
			case !ok || peer.Min == 0:
				return verdict{Name: t.Name, Limit: t.Limit, Result: unmeasured}
			case t.Difference:
				v.Value = (v.Value - peer.Min) / float64(max(t.Per, 1))
			default:
				v.Value, v.Unit = v.Value/peer.Min, "x"
			}
		}
		v.Result = met
		if v.Value > t.Limit {
			v.Result = missed
		}
	}
	return v
}
