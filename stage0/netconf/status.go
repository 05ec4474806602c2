package netconf

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// statusVersion is CNI's first one with STATUS, statusPatience how long a plugin may take to
// answer it.
const (
	statusVersion  = "1.1.0"
	statusPatience = 10 * time.Second
)

// unknownCommand is the code of a plugin that does not know STATUS.
const unknownCommand = 4

// Status asks the plugins of a network whether they are ready for pods (CNI specification,
// "STATUS"), if it is of a version that has that. The error names the first that says that it
// is not. Those that do not say anything of it are.
func (n Network) Status(ctx context.Context, dirs []string) error {
	var list struct {
		CNIVersion string                       `json:"cniVersion"`
		Plugins    []map[string]json.RawMessage `json:"plugins"`
	}
	if err := json.Unmarshal(n.Config, &list); err != nil {
		return err
	}
	if list.CNIVersion < statusVersion {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, statusPatience)
	defer cancel()
	for i, p := range n.Plugins {
		path := FindPlugin(p.Type, dirs)
		if WithinStage1(p.Type) || path == "" {
			continue
		}
		config := list.Plugins[i]
		config["name"], config["cniVersion"] = mustMarshal(n.Name), mustMarshal(list.CNIVersion)
		cmd := exec.CommandContext(ctx, path)
		cmd.WaitDelay = time.Second // for what it has started and left
		cmd.Stdin = bytes.NewReader(mustMarshal(config))
		cmd.Env = append(os.Environ(), "PATH="+os.Getenv("PATH")+":/usr/local/sbin:/usr/sbin:/sbin", "CNI_COMMAND=STATUS", "CNI_PATH="+strings.Join(dirs, string(os.PathListSeparator)))
		answer, err := cmd.Output()
		if err == nil {
			continue
		}
		var said struct {
			Code         int
			Msg, Details string
		}
		if json.Unmarshal(answer, &said) != nil || said.Code == unknownCommand || said.Msg == "" {
			continue
		}
		if said.Details != "" {
			said.Msg += "; " + said.Details
		}
		return fmt.Errorf("plugin %s is not ready: %s", p.Type, strings.Join(strings.Fields(said.Msg), " "))
	}
	return nil
}
