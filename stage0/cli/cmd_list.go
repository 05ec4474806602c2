package cli

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/raket/raket/pkg/podport"
	"github.com/raket/raket/pkg/stageabi"
)

func newList(e *env) *cobra.Command {
	var t tableFlags
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List pods",
		Long: `One line for each app; what is the pod's stands on its first line only. The oldest pod
comes first.`,
		Annotations: exits(exitOK, exitError),
		Args:        exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := service(e, e.services.pods)
			if err != nil {
				return err
			}
			pods, unreadable := s.List(cmd.Context())
			slices.SortFunc(pods, func(a, b pod) int {
				return cmp.Or(a.Created.Compare(b.Created), strings.Compare(a.UUID, b.UUID))
			})
			if t.isJSON() {
				err = t.printJSON(e.stdout, podsJSON(pods))
			} else {
				err = e.printTable(e.listLegend(&t), e.listRows(pods, t.full))
			}
			if unreadable != nil {
				unreadable = fmt.Errorf("list pods: %w", unreadable)
			}
			return errors.Join(unreadable, err)
		},
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	t.define(cmd, "print whole UUIDs, image IDs and times")
	return cmd
}

func (e *env) listLegend(t *tableFlags) []string {
	switch {
	case t.noLegend:
		return nil
	case t.full:
		legend := []string{"UUID", "APP", "IMAGE NAME", "IMAGE ID", "STATE", "CREATED", "STARTED", "NETWORKS"}
		if !e.asRkt {
			legend = append(legend, "PORTS")
		}
		return legend
	}
	return []string{"UUID", "APP", "IMAGE NAME", "STATE", "CREATED", "STARTED", "NETWORKS"}
}

func (e *env) listRows(pods []pod, full bool) [][]string {
	var rows [][]string
	for _, p := range pods {
		uuid := p.UUID
		if !full {
			uuid = shortUUID(uuid)
		}
		of := []string{p.State, e.moment(p.Created, full), e.moment(p.Started, full), networksText(p.Networks)}
		if full && !e.asRkt {
			of = append(of, portsText(p.Ports))
		}
		apps := p.Apps
		if len(apps) == 0 {
			apps = []podApp{{Name: "-", ImageName: "-", ImageID: "-"}}
		}
		for i, a := range apps {
			if i > 0 {
				uuid, of = "", make([]string, len(of))
			}
			row := []string{uuid, a.Name, a.ImageName}
			if full {
				row = append(row, shortImageID(a.ImageID))
			}
			rows = append(rows, append(row, of...))
		}
	}
	return rows
}

const shortUUIDLen = 8

func shortUUID(uuid string) string { return uuid[:min(len(uuid), shortUUIDLen)] }

// shortImageID shortens an ID of which nothing but the text is known.
func shortImageID(id string) string {
	const sha512Len = len("sha512-") + 12
	if strings.HasPrefix(id, "sha512-") {
		return id[:min(len(id), sha512Len)]
	}
	return id[:min(len(id), len("sha256:")+12)]
}

// portsText is what is published: 8080:80/tcp,127.0.0.1:53:53/udp.
func portsText(ports []stageabi.Port) string { return strings.Join(portTexts(ports), ",") }

func portTexts(ports []stageabi.Port) []string {
	var words []string
	for _, p := range ports {
		words = append(words, podport.Text(p))
	}
	return words
}

// networksText is as rkt wrote it: default:ip4=172.16.28.2.
func networksText(networks []network) string {
	var words []string
	for _, n := range networks {
		word := n.Name
		switch {
		case n.IP == "":
		case strings.Contains(n.IP, ":"):
			word += ":ip6=" + n.IP
		default:
			word += ":ip4=" + n.IP
		}
		words = append(words, word)
	}
	return strings.Join(words, ",")
}
