package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/raket/raket/pkg/appspec"
	"github.com/raket/raket/pkg/boundedfile"
	"github.com/raket/raket/pkg/podmetadata"
	"github.com/raket/raket/pkg/stageabi"
	"github.com/raket/raket/stage1/unitgen"
)

// addMetadataURL tells an app where its pod's metadata service is, whatever its image
// says of that. The working directory is the pod's.
func addMetadataURL(s stageabi.Sandbox, spec *appspec.Spec) error {
	if s.Metadata == nil || spec.Process == nil {
		return nil
	}
	token, err := boundedfile.Read(filepath.Join(stageabi.MetadataDir, podmetadata.TokenFile), 2*podmetadata.TokenBytes)
	if err != nil {
		return fmt.Errorf("read the metadata service's token: %w", err)
	}
	url := stageabi.EnvMetadataURL + "=http://" + s.Metadata.Address + "/" + strings.TrimSpace(string(token))
	spec.Process.Env = appspec.MergeEnv(spec.Process.Env, []string{url})
	return nil
}

// mountMetadata brings what the metadata service needs into the pod's root, where no
// app sees it.
func (p *pod) mountMetadata() error {
	m := p.sandbox.Metadata
	if m == nil {
		return nil
	}
	if err := os.Mkdir(filepath.Join(rootDir, unitgen.MetadataPath), 0o700); err != nil {
		return err
	}
	if err := p.ownTree(stageabi.MetadataDir); err != nil {
		return err
	}
	if err := (bind{filepath.Join(p.dir, stageabi.MetadataDir), unitgen.MetadataPath, true}).mount(); err != nil {
		return err
	}
	if m.HostKey == "" {
		return nil
	}
	key, err := boundedfile.Read(m.HostKey, podmetadata.KeyBytes)
	if err != nil {
		return fmt.Errorf("read the metadata service's key: %w", err)
	}
	// A copy, which ends with the pod.
	path := filepath.Join(rootDir, unitgen.HostKeyPath)
	if err := os.WriteFile(path, key, 0o400); err != nil {
		return err
	}
	return p.ownTree(path)
}

// metadata is the service as units have it.
func (p *pod) metadata() *unitgen.Metadata {
	if p.sandbox.Metadata == nil {
		return nil
	}
	return &unitgen.Metadata{Address: p.sandbox.Metadata.Address, HostKey: p.sandbox.Metadata.HostKey != ""}
}
