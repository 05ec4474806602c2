package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
)

// machine is what a reader must know to compare two reports.
type machine struct {
	OS      string            `json:"os"`
	Kernel  string            `json:"kernel"`
	CPU     string            `json:"cpu"`
	CPUs    int               `json:"cpus"`
	Cgroups string            `json:"cgroups"`
	Load    string            `json:"load"` // the one-minute average at the start
	Peers   map[string]string `json:"peers"`
}

func (m machine) String() string {
	return fmt.Sprintf("%s, kernel %s, %s x %d, cgroups %s, load %s at the start", m.OS, m.Kernel, m.CPU, m.CPUs, m.Cgroups, m.Load)
}

func describeMachine(h hierarchies) machine {
	m := machine{CPUs: runtime.NumCPU(), Cgroups: "unified", Peers: map[string]string{}}
	if h.hybrid() {
		m.Cgroups = "hybrid"
	}
	m.OS = strings.Trim(lineValue("/etc/os-release", "PRETTY_NAME", "="), `"`)
	m.CPU = lineValue("/proc/cpuinfo", "model name", ":")
	kernel, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	m.Kernel = strings.TrimSpace(string(kernel))
	load, _ := os.ReadFile("/proc/loadavg")
	m.Load, _, _ = strings.Cut(string(load), " ")
	for _, peer := range []string{"podman", "crun", "systemd-nspawn", "skopeo", "umoci"} {
		if out, err := exec.Command(peer, "--version").Output(); err == nil {
			m.Peers[peer], _, _ = strings.Cut(string(out), "\n")
		}
	}
	return m
}

// lineValue finds the first "NAME <separator> value" of a text file.
func lineValue(path, name, separator string) string {
	data, _ := os.ReadFile(path)
	for line := range strings.Lines(string(data)) {
		if key, value, ok := strings.Cut(line, separator); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
