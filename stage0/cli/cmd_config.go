package cli

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"github.com/raket/raket/stage0/config"
)

func newConfig(e *env) *cobra.Command {
	var pretty, secrets bool
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Print the configuration that all layers together make",
		Long: `One JSON object whose list "stage0" holds documents as the directories of the layers hold them: one for
each host of kind auth, one for each registry of kind dockerAuth, the paths, and the default stage1
where one is configured. The data directory is the one in use, --dir or the default included.

Passwords, tokens and keys are left out, unless --show-secrets asks for them or the program was called by
the name rkt, which always printed them. What has them left out is no configuration to be read again.`,
		Example: `raket config
raket config --user-config=$HOME/.config/raket --show-secrets --pretty-print=false`,
		Annotations: exits(exitOK, exitError),
		Args:        exactly(),
		RunE: func(*cobra.Command, []string) error {
			s, err := e.settings()
			if err != nil {
				return err
			}
			var raw bytes.Buffer
			enc := json.NewEncoder(&raw)
			enc.SetEscapeHTML(false)
			if err := enc.Encode(resolved(s, secrets || e.asRkt)); err != nil {
				return err
			}
			return printDocument(e.stdout, bytes.TrimSpace(raw.Bytes()), pretty)
		},
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	cmd.Flags().BoolVar(&pretty, "pretty-print", true, "indent it")
	cmd.Flags().BoolVar(&secrets, "show-secrets", false, "print passwords, tokens and keys too")
	return cmd
}

// The documents have rkt's keys in rkt's order.
type (
	configDocuments struct {
		Stage0 []any `json:"stage0"`
	}
	configHeader struct {
		Version string `json:"rktVersion"`
		Kind    string `json:"rktKind"`
	}
	authDocument struct {
		configHeader
		Domains     []string `json:"domains"`
		Type        string   `json:"type"`
		Credentials any      `json:"credentials"`
	}
	dockerAuthDocument struct {
		configHeader
		Registries  []string         `json:"registries"`
		Credentials basicCredentials `json:"credentials"`
	}
	pathsDocument struct {
		configHeader
		Data         string `json:"data"`
		Stage1Images string `json:"stage1-images,omitempty"`
		CNIPlugins   string `json:"cni-plugins,omitempty"`
	}
	stage1Document struct {
		configHeader
		Name     string `json:"name,omitempty"`
		Version  string `json:"version,omitempty"`
		Location string `json:"location,omitempty"`
	}
	basicCredentials struct {
		User     string `json:"user"`
		Password string `json:"password,omitempty"`
	}
	tokenCredentials struct {
		Token string `json:"token,omitempty"`
	}
	awsCredentials struct {
		AccessKeyID     string `json:"accessKeyID"`
		SecretAccessKey string `json:"secretAccessKey,omitempty"`
		Region          string `json:"awsRegion,omitempty"`
	}
)

func configKind(kind string) configHeader { return configHeader{Version: "v1", Kind: kind} }

// resolved is the configuration as documents, with or without the secrets.
func resolved(s settings, secrets bool) configDocuments {
	show := func(text config.Secret) string {
		if !secrets {
			return ""
		}
		return string(text)
	}
	var docs []any
	for _, host := range slices.Sorted(maps.Keys(s.Config.Auth.Hosts)) {
		a := s.Config.Auth.Hosts[host]
		d := authDocument{configHeader: configKind("auth"), Domains: []string{host}, Type: string(a.Type)}
		switch a.Type {
		case config.BasicAuth:
			d.Credentials = basicCredentials{a.User, show(a.Password)}
		case config.OAuth:
			d.Credentials = tokenCredentials{show(a.Token)}
		case config.AWSAuth:
			d.Credentials = awsCredentials{a.AccessKeyID, show(a.SecretAccessKey), a.Region}
		}
		docs = append(docs, d)
	}
	for _, host := range slices.Sorted(maps.Keys(s.Config.Auth.Registries)) {
		a := s.Config.Auth.Registries[host]
		docs = append(docs, dockerAuthDocument{configKind("dockerAuth"), []string{host}, basicCredentials{a.User, show(a.Password)}})
	}
	docs = append(docs, pathsDocument{configKind("paths"), s.DataDir, s.Config.Paths.Stage1Images, s.Config.Paths.CNIPlugins})
	if s1 := s.Config.Stage1; s1 != (config.Stage1{}) {
		docs = append(docs, stage1Document{configKind("stage1"), s1.Name, s1.Version, s1.Location})
	}
	return configDocuments{Stage0: docs}
}
