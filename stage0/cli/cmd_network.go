package cli

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
)

// networkInfo is what the verbs show of a network, and the JSON of it.
type networkInfo struct {
	// Name is "" where the file is broken.
	Name string `json:"name,omitempty"`
	File string `json:"file,omitempty"` // "" for one of raket's own
	// Shared says that the file is in a directory of all programs that use CNI.
	Shared    bool            `json:"shared,omitempty"`
	Type      string          `json:"type,omitempty"` // of the first plugin
	Plugins   []networkPlugin `json:"plugins,omitempty"`
	Subnets   []string        `json:"subnets,omitempty"`
	Publishes bool            `json:"publishesPorts"`
	// Problem says why no pod can join it.
	Problem string          `json:"problem,omitempty"`
	Pods    []networkPod    `json:"pods"`
	Config  json.RawMessage `json:"config,omitempty"`
}

// networkPlugin is a plugin of a network.
type networkPlugin struct {
	Name string `json:"name"`
	// Path is "" where it is missing, or a part of raket.
	Path    string `json:"path,omitempty"`
	BuiltIn bool   `json:"builtIn,omitempty"`
}

// networkPod is a pod that has joined.
type networkPod struct {
	UUID      string   `json:"uuid"`
	Interface string   `json:"interface"`
	Addresses []string `json:"addresses"`
	Ports     []string `json:"ports,omitempty"`
	Names     []string `json:"names,omitempty"`
}

func newNetwork(e *env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "network",
		Short: "Look at the networks that pods can join",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return printHelp(e.stdout, cmd)
		},
		Annotations: exits(exitOK, exitError),
	}
	cmd.AddCommand(newNetworkList(e), newNetworkInspect(e))
	return cmd
}

func newNetworkList(e *env) *cobra.Command {
	var t tableFlags
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List networks",
		Long: `The networks that --net takes, and files that were meant to be some. STATE says "ready", or
why no pod can join.`,
		Annotations: exits(exitOK, exitError),
		Args:        exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			list, err := e.networks(cmd)
			if err != nil {
				return err
			}
			if t.isJSON() {
				return t.printJSON(e.stdout, list)
			}
			var legend []string
			if !t.noLegend {
				legend = []string{"NAME", "TYPE", "SUBNETS", "PODS", "FILE", "STATE"}
			}
			var rows [][]string
			for _, n := range list {
				plugins := n.Type
				if t.full {
					var names []string
					for _, p := range n.Plugins {
						names = append(names, p.Name)
					}
					plugins = strings.Join(names, ",")
				}
				rows = append(rows, []string{
					cmp.Or(n.Name, "-"), cmp.Or(plugins, "-"), cmp.Or(strings.Join(n.Subnets, ","), "-"), strconv.Itoa(len(n.Pods)),
					cmp.Or(n.File, "built in"), cmp.Or(n.Problem, "ready"),
				})
			}
			return e.printTable(legend, rows)
		},
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	t.define(cmd, "print all plugins of each network")
	return cmd
}

func newNetworkInspect(e *env) *cobra.Command {
	var pretty bool
	cmd := &cobra.Command{
		Use:   "inspect NETWORK...",
		Short: "Print what there is to know of networks, as JSON",
		Long: `A list of one object for each network: its file, its plugins and where they were found, the
configuration as plugins get it, and the running pods that have joined. Plugins of CNI 1.1 are asked whether
they are ready; where one is not, "problem" says why.`,
		Example:     "raket network inspect default",
		Annotations: exits(exitOK, exitError),
		Args:        between(1, -1, "NETWORK"),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := service(e, e.services.networks)
			if err != nil {
				return err
			}
			list, err := s.Networks(cmd.Context())
			if err != nil {
				return err
			}
			var found []networkInfo
			var missing []error
			for _, name := range args {
				n, ok := networkNamed(list, name)
				if !ok {
					missing = append(missing, &fault{err: fmt.Errorf("no network %q", name), hint: "raket network list"})
					continue
				}
				if n.Problem == "" {
					if err := s.NetworkReady(cmd.Context(), n.Name); err != nil {
						n.Problem = err.Error()
					}
				}
				found = append(found, n)
			}
			if len(found) > 0 {
				if err := printJSON(e.stdout, found, pretty); err != nil {
					return err
				}
			}
			return errors.Join(missing...)
		},
		ValidArgsFunction: func(cmd *cobra.Command, _ []string, toComplete string) ([]string, cobra.ShellCompDirective) {
			return e.networkWords(cmd, "", toComplete), cobra.ShellCompDirectiveNoFileComp
		},
	}
	cmd.Flags().BoolVar(&pretty, "pretty-print", true, "indent it")
	return cmd
}

func (e *env) networks(cmd *cobra.Command) ([]networkInfo, error) {
	s, err := service(e, e.services.networks)
	if err != nil {
		return nil, err
	}
	return s.Networks(cmd.Context())
}

func networkNamed(list []networkInfo, name string) (networkInfo, bool) {
	for _, n := range list {
		if n.Name == name && name != "" {
			return n, true
		}
	}
	return networkInfo{}, false
}

// networkWords are the names of networks behind what stands before the last comma of a
// word; prefix stands before all of it.
func (e *env) networkWords(cmd *cobra.Command, prefix, toComplete string, others ...string) []string {
	if i := strings.LastIndexByte(toComplete, ','); i >= 0 {
		prefix, toComplete = prefix+toComplete[:i+1], toComplete[i+1:]
	}
	list, err := e.networks(cmd)
	if err != nil {
		list = nil
	}
	var words []string
	for _, n := range list {
		if n.Name != "" {
			others = append(others, n.Name)
		}
	}
	for _, w := range others {
		if strings.HasPrefix(w, toComplete) {
			words = append(words, prefix+w)
		}
	}
	return words
}
