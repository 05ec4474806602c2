package appspec

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// annotationNotify is appc's: the app tells its readiness with sd_notify (appc
// spec, "Image Manifest Schema").
const annotationNotify = "appc.io/executor/supports-systemd-notify"

// The appc documents are read with types of our own: the appc module's panic on
// isolators without a value, and reject unknown ones without naming them.
type (
	appcImage struct {
		ACKind      string          `json:"acKind"`
		Annotations []appcPair      `json:"annotations"`
		App         json.RawMessage `json:"app"`
	}
	appcPair struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	}
	appcApp struct {
		Exec              []string       `json:"exec"`
		EventHandlers     []appcHandler  `json:"eventHandlers"`
		User              string         `json:"user"`
		Group             string         `json:"group"`
		SupplementaryGIDs []uint32       `json:"supplementaryGIDs"`
		WorkingDirectory  string         `json:"workingDirectory"`
		Environment       []appcPair     `json:"environment"`
		MountPoints       []MountPoint   `json:"mountPoints"`
		Ports             []Port         `json:"ports"`
		Isolators         []appcIsolator `json:"isolators"`
	}
	appcHandler struct {
		Name string   `json:"name"`
		Exec []string `json:"exec"`
	}
)

// FromAppc makes an app from an appc ImageManifest. One without an app section, as
// of images that others depend on, gives an app without a command.
func FromAppc(manifest []byte) (*App, error) {
	var img appcImage
	if err := decode(manifest, &img); err != nil {
		return nil, fmt.Errorf("image manifest: %w", err)
	}
	if img.ACKind != "ImageManifest" {
		return nil, fmt.Errorf("image manifest: acKind: %q, want ImageManifest", img.ACKind)
	}
	a := New()
	a.Filter.Kind = FilterKill
	for _, an := range img.Annotations {
		a.annotateFromImage(an.Name, an.Value)
	}
	if len(img.App) > 0 && string(img.App) != "null" {
		if err := a.SetAppc(img.App); err != nil {
			return nil, fmt.Errorf("image manifest: %w", err)
		}
	}
	return a, a.applyNotify(img.Annotations)
}

// FromAppcApp makes an app from an appc app section alone.
func FromAppcApp(app []byte) (*App, error) {
	a := New()
	a.Filter.Kind = FilterKill
	if err := a.SetAppc(app); err != nil {
		return nil, err
	}
	return a, nil
}

// SetAppc replaces all that the image says about its app, but annotations, by an
// appc app section: the one of a pod manifest stands for the image's.
func (a *App) SetAppc(section []byte) error {
	var app appcApp
	if err := decode(section, &app); err != nil {
		return fmt.Errorf("app: %w", err)
	}
	annotations, filter := a.Spec.Annotations, a.Filter
	*a = *New()
	a.Spec.Annotations, a.Filter = annotations, filter
	switch {
	case app.User == "":
		return errors.New("app.user: is required")
	case app.Group == "":
		return errors.New("app.group: is required")
	case app.WorkingDirectory != "" && app.WorkingDirectory[0] != '/':
		return fmt.Errorf("app.workingDirectory: %q is not absolute", app.WorkingDirectory)
	}
	a.Entrypoint, a.User, a.Group = app.Exec, app.User, app.Group
	for _, gid := range app.SupplementaryGIDs {
		a.Supplementary = append(a.Supplementary, formatID(gid))
	}
	a.Spec.Process.Cwd = cleanJoin("/", app.WorkingDirectory)
	for i, e := range app.Environment {
		kv := e.Name + "=" + e.Value
		if err := CheckEnv(kv); err != nil || strings.Contains(e.Name, "=") {
			return fmt.Errorf("app.environment[%d]: bad variable %q", i, e.Name)
		}
		a.Spec.Process.Env = append(a.Spec.Process.Env, kv)
	}
	a.Spec.Process.Env = MergeEnv(a.Spec.Process.Env)
	if err := a.addHandlers(app.EventHandlers); err != nil {
		return err
	}
	if err := a.addMountPoints(app.MountPoints); err != nil {
		return err
	}
	if err := a.addPorts(app.Ports); err != nil {
		return err
	}
	if err := a.addIsolators(app.Isolators); err != nil {
		return fmt.Errorf("app.%w", err)
	}
	return nil
}

func (a *App) addHandlers(handlers []appcHandler) error {
	for i, h := range handlers {
		if len(h.Exec) == 0 {
			return fmt.Errorf("app.eventHandlers[%d].exec: is empty", i)
		}
		switch {
		case h.Name == "pre-start" && a.PreStart == nil:
			a.PreStart = [][]string{h.Exec}
		case h.Name == "post-stop" && a.PostStop == nil:
			a.PostStop = [][]string{h.Exec}
		case h.Name == "pre-start", h.Name == "post-stop":
			return fmt.Errorf("app.eventHandlers[%d].name: a second %s", i, h.Name)
		default:
			return fmt.Errorf("app.eventHandlers[%d].name: %q is neither pre-start nor post-stop", i, h.Name)
		}
	}
	return nil
}

func (a *App) addMountPoints(points []MountPoint) error {
	seen := map[string]bool{}
	for i, m := range points {
		switch {
		case !isACName(m.Name):
			return fmt.Errorf("app.mountPoints[%d].name: %q is not an appc name", i, m.Name)
		case seen[m.Name]:
			return fmt.Errorf("app.mountPoints[%d].name: %q a second time", i, m.Name)
		case !strings.HasPrefix(m.Path, "/") || strings.ContainsFunc(m.Path, isControl) || cleanJoin("/", m.Path) == "/":
			return fmt.Errorf("app.mountPoints[%d].path: %q is not an absolute path below the root", i, m.Path)
		}
		seen[m.Name] = true
		m.Path = cleanJoin("/", m.Path)
		a.MountPoints = append(a.MountPoints, m)
	}
	return nil
}

func (a *App) addPorts(ports []Port) error {
	seen := map[string]bool{}
	for i, p := range ports {
		if p.Count == 0 {
			p.Count = 1
		}
		switch {
		case !isACName(p.Name):
			return fmt.Errorf("app.ports[%d].name: %q is not an appc name", i, p.Name)
		case seen[p.Name]:
			return fmt.Errorf("app.ports[%d].name: %q a second time", i, p.Name)
		case p.Protocol == "":
			return fmt.Errorf("app.ports[%d].protocol: is required", i)
		case p.Port == 0 || int(p.Port)+int(p.Count)-1 > 65535:
			return fmt.Errorf("app.ports[%d].port: %d is not 1-65535", i, int(p.Port)+int(p.Count)-1)
		}
		seen[p.Name] = true
		p.Protocol = strings.ToLower(p.Protocol)
		a.Ports = append(a.Ports, p)
	}
	return nil
}

// applyNotify makes an app that says so one that systemd waits for.
func (a *App) applyNotify(annotations []appcPair) error {
	for _, an := range annotations {
		if an.Name != annotationNotify {
			continue
		}
		notify, err := strconv.ParseBool(an.Value)
		if err != nil {
			return fmt.Errorf("annotation %s: %q is neither true nor false", an.Name, an.Value)
		}
		if notify {
			a.setProperty("Type", "notify")
		}
	}
	return nil
}

// isACName reports whether s is an appc name (appc spec, "AC Name Type").
func isACName(s string) bool {
	if s == "" || len(s) > 255 || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	return strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}
