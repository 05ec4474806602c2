package network

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/containernetworking/cni/libcni"
	"github.com/containernetworking/cni/pkg/invoke"
	types100 "github.com/containernetworking/cni/pkg/types/100"

	"github.com/raket/raket/pkg/boundedfile"
	"github.com/raket/raket/pkg/stageabi"
)

// attachment is one network of a pod, ready for libcni.
type attachment struct {
	stageabi.Attachment
	record *record
	list   *libcni.NetworkConfigList
	rt     libcni.RuntimeConf
}

// attachment reads the configuration of one of the record's networks.
func (r *record) attachment(a stageabi.Attachment, nsPath string) (*attachment, error) {
	list, err := libcni.NetworkConfFromBytes(a.Config)
	if err != nil {
		return nil, fmt.Errorf("network %s: %w", a.Name, err)
	}
	capabilities := map[string]any{}
	for name, value := range a.Capabilities {
		capabilities[name] = value
	}
	if ports := portMappings(r.Network.Ports); len(ports) > 0 {
		capabilities["portMappings"] = ports
	}
	return &attachment{Attachment: a, record: r, list: list, rt: libcni.RuntimeConf{
		ContainerID: r.UUID, NetNS: nsPath, IfName: a.IfName, Args: a.Args, CapabilityArgs: capabilities,
	}}, nil
}

// cni is libcni with the record's cache.
func (a *attachment) cni(p invoke.Exec) *libcni.CNIConfig {
	return libcni.NewCNIConfigWithCacheDir(a.record.Network.PluginDirs, filepath.Join(a.record.dir, resultsDir), p)
}

// output is the file of what the plugins said when they were asked to add.
func (a *attachment) output() string {
	return filepath.Join(a.record.dir, outputsDir, a.IfName)
}

// begun reports whether a plugin has been asked to add.
func (a *attachment) begun() bool {
	_, err := os.Lstat(a.output())
	return err == nil
}

// cached is the file of libcni's cache.
func (a *attachment) cached() string {
	return filepath.Join(a.record.dir, resultsDir, "results", a.Name+"-"+a.record.UUID+"-"+a.IfName)
}

// recall is the result of an ADD, or of as much of one as was done when it was
// interrupted; nil where there is none. libcni has it afterwards.
func (a *attachment) recall() *types100.Result {
	_, err := os.Stat(a.cached())
	if errors.Is(err, fs.ErrNotExist) {
		text := a.lastAnswer()
		if text == nil {
			return nil
		}
		// A plain result is the older form of what libcni keeps.
		if os.MkdirAll(filepath.Dir(a.cached()), 0o700) != nil || os.WriteFile(a.cached(), text, 0o600) != nil {
			return nil
		}
	}
	cached, err := a.cni(&plugins{}).GetNetworkListCachedResult(a.list, &a.rt)
	if err != nil || cached == nil {
		return nil
	}
	res, err := types100.NewResultFromResult(cached)
	if err != nil {
		return nil
	}
	return res
}

// lastAnswer is the result of the last plugin that had one.
func (a *attachment) lastAnswer() []byte {
	for _, path := range [...]string{a.output(), a.output() + before} {
		text, err := boundedfile.Read(path, maxAnswerBytes)
		var answer struct{ Code *int }
		if err != nil || json.Unmarshal(text, &answer) != nil || answer.Code != nil {
			continue // none, half of one, or an error
		}
		return text
	}
	return nil
}

// portMapping is one of capability "portMappings" (CNI conventions).
type portMapping struct {
	HostPort      uint16 `json:"hostPort"`
	ContainerPort uint16 `json:"containerPort"`
	Protocol      string `json:"protocol"`
	HostIP        string `json:"hostIP,omitempty"`
}

func portMappings(ports []stageabi.Port) []portMapping {
	var all []portMapping
	for _, p := range ports {
		for i := range max(p.Count, 1) {
			all = append(all, portMapping{p.HostPort + i, p.PodPort + i, p.Protocol, p.HostIP})
		}
	}
	return all
}
