package appc

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"

	"github.com/appc/spec/discovery"
	"github.com/appc/spec/schema/types"

	"github.com/raket/raket/pkg/image"
)

const (
	maxNameBytes = 2048
	maxLabels    = 64
	labelVersion = "version"
	labelOS      = "os"
	labelArch    = "arch"
)

// Name is an appc image name with labels (appc spec, "App Container Image
// Discovery").
type Name struct {
	// App is an AC identifier: example.com/app.
	App string
	// Labels are those that were asked for.
	Labels map[string]string
	// OS and Arch, in appc's words, are used where Labels lack them: they need
	// not be the image's, but it must not have others.
	OS, Arch string
}

// ParseName reads APP[:VERSION][,LABEL=VALUE]…. OS and Arch are this machine's.
func ParseName(s string) (Name, error) {
	switch {
	case len(s) > maxNameBytes:
		return Name{}, fmt.Errorf("image name is longer than %d bytes", maxNameBytes)
	case strings.ContainsFunc(s, isControl):
		return Name{}, errors.New("image name has a control character")
	case strings.Count(s, ",") > maxLabels:
		return Name{}, fmt.Errorf("image name has more than %d labels", maxLabels)
	}
	app, err := discovery.NewAppFromString(s)
	if err != nil {
		return Name{}, fmt.Errorf("bad appc image name %q: %w", s, err)
	}
	n := newName(string(app.Name))
	for k, v := range app.Labels {
		if err := n.setLabel(string(k), v); err != nil {
			return Name{}, fmt.Errorf("bad appc image name %q: %w", s, err)
		}
	}
	// The module takes a label called name for the name itself, and unescapes
	// what it did not escape.
	if first, _, _ := strings.Cut(s, ","); n.App != strings.SplitN(first, ":", 2)[0] {
		return Name{}, fmt.Errorf("bad appc image name %q", s)
	}
	return n, nil
}

func newName(app string) Name {
	return Name{App: app, Labels: map[string]string{}, OS: "linux", Arch: appcArch(runtime.GOARCH)}
}

func (n *Name) setLabel(key, value string) error {
	switch {
	case key == "name":
		return errors.New(`a label can't be called "name"`)
	case value == "":
		return fmt.Errorf("label %q has no value", key)
	case strings.ContainsFunc(value, func(r rune) bool { return isControl(r) || r == ',' || r == ' ' }):
		return fmt.Errorf("the value of label %q has a character that is not allowed", key)
	case key == labelVersion && strings.Contains(value, ":"):
		return errors.New("the version has a colon")
	}
	if _, err := types.NewACIdentifier(key); err != nil {
		return fmt.Errorf("bad label %q: %w", key, err)
	}
	n.Labels[key] = value
	return nil
}

func isControl(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 || r == '\ufffd' }

// appcArch is the inverse of what package image does to architecture names.
func appcArch(goarch string) string {
	switch goarch {
	case "386":
		return "i386"
	case "arm64":
		return "aarch64"
	case "arm":
		return "armv7l"
	}
	return goarch
}

// String is the name as ParseName reads it: labels sorted, without OS and Arch.
func (n Name) String() string {
	s := n.App
	if v := n.Labels[labelVersion]; v != "" {
		s += ":" + v
	}
	for _, k := range slices.Sorted(maps.Keys(n.Labels)) {
		if k != labelVersion {
			s += "," + k + "=" + n.Labels[k]
		}
	}
	return s
}

// Discoverable reports whether a web site can be asked for the image: the
// first element of the name is a host's.
func (n Name) Discoverable() bool {
	host, _, _ := strings.Cut(n.App, "/")
	if !strings.Contains(host, ".") || strings.Contains(n.App, "//") {
		return false
	}
	for label := range strings.SplitSeq(host, ".") {
		if label == "" || strings.ContainsAny(label, "_~") || strings.Trim(label, "-") != label {
			return false
		}
	}
	return true
}

// wanted are the labels to discover with: those of the name, and what the
// templates of sites rely on.
func (n Name) wanted() map[string]string {
	labels := maps.Clone(n.Labels)
	for k, v := range map[string]string{labelVersion: "latest", labelOS: n.OS, labelArch: n.Arch} {
		if labels[k] == "" {
			labels[k] = v
		}
	}
	return labels
}

// key is one string for all that decides which image is meant.
func (n Name) key() string {
	full := n
	full.Labels = n.wanted()
	return full.String()
}

// mismatch says why an image with this name and these labels is not the one
// meant (appc spec, "Validation"); "" where it is.
func (n Name) mismatch(app string, labels map[string]string) string {
	if app != n.App {
		return fmt.Sprintf("it is named %q", app)
	}
	for _, k := range slices.Sorted(maps.Keys(n.Labels)) {
		switch got, ok := labels[k]; {
		case !ok:
			return fmt.Sprintf("it has no label %q", k)
		case got != n.Labels[k]:
			return fmt.Sprintf("its label %q is %q, not %q", k, got, n.Labels[k])
		}
	}
	for _, k := range []string{labelOS, labelArch} {
		got, want := labels[k], n.OS
		if k == labelArch {
			want = n.Arch
		}
		if n.Labels[k] == "" && got != "" && want != "" && got != want && (k != labelArch || !sameArch(got, want)) {
			return fmt.Sprintf("it is for %s %q, not %q", k, got, want)
		}
	}
	return ""
}

// sameArch lets an older arm program run on a newer one.
func sameArch(got, want string) bool {
	return strings.HasPrefix(got, "armv") && strings.HasPrefix(want, "armv") && got <= want
}

// Matches reports whether an image in the store is one the name means. Its
// manifest is the image's Config.
func (n Name) Matches(img image.Image, manifest []byte) bool {
	if img.Kind != image.Appc {
		return false
	}
	app, labels, err := readLabels(manifest)
	return err == nil && n.mismatch(app, labels) == ""
}

func readLabels(manifest []byte) (app string, labels map[string]string, err error) {
	var m struct {
		Name   string `json:"name"`
		Labels []struct {
			Name  string `json:"name"`
			Value string `json:"value"`
		} `json:"labels"`
	}
	if err := json.Unmarshal(manifest, &m); err != nil {
		return "", nil, fmt.Errorf("parse appc image manifest: %w", err)
	}
	labels = map[string]string{}
	for _, l := range m.Labels {
		labels[l.Name] = l.Value
	}
	return m.Name, labels, nil
}

// bareName is how package image names an image with this label, if it does.
func bareName(app, version string) string {
	if version == "" {
		return app
	}
	return app + ":" + version
}

// mayBe tells cheaply that an image is not of this name: its names begin with
// the app's, unless another image has taken the name over.
func (n Name) mayBe(img image.Image) bool {
	if img.Kind != image.Appc {
		return false
	}
	if len(img.Names) == 0 {
		return true
	}
	return slices.ContainsFunc(img.Names, func(name string) bool {
		return strings.HasPrefix(name, n.App) || strings.Contains(name, "://")
	})
}
