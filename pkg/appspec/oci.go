package appspec

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// MaxConfigBytes bounds the image configs and manifests that are read.
const MaxConfigBytes = 4 << 20

// imageConfig is what is used of application/vnd.oci.image.config.v1+json, with
// Docker's Healthcheck.
type imageConfig struct {
	Created      string `json:"created"`
	Author       string `json:"author"`
	OS           string `json:"os"`
	OSVersion    string `json:"os.version"`
	Architecture string `json:"architecture"`
	Variant      string `json:"variant"`
	Config       struct {
		User         string
		ExposedPorts map[string]struct{}
		Env          []string
		Entrypoint   []string
		Cmd          []string
		Volumes      map[string]struct{}
		WorkingDir   string
		Labels       map[string]string
		StopSignal   string
		Healthcheck  json.RawMessage
	} `json:"config"`
}

// FromOCI makes an app from the config of an OCI or Docker image, following
// image-spec's "Conversion to OCI Runtime Configuration". Labels become
// annotations, but for those that would set unit directives or raket's own: an
// image does not configure its host.
func FromOCI(config []byte) (*App, error) {
	var img imageConfig
	if err := decode(config, &img); err != nil {
		return nil, fmt.Errorf("image config: %w", err)
	}
	a, c := New(), img.Config
	a.Filter.Kind = FilterDefault
	a.Entrypoint, a.Cmd, a.User = c.Entrypoint, c.Cmd, c.User
	p := a.Spec.Process
	for _, kv := range c.Env {
		// Docker lets a bare name through, which means nothing in an image.
		if !strings.Contains(kv, "=") && kv != "" {
			kv += "="
		}
		if err := CheckEnv(kv); err != nil {
			return nil, fmt.Errorf("image config: config.Env: %w", err)
		}
		p.Env = append(p.Env, kv)
	}
	p.Env = MergeEnv(p.Env)
	p.Cwd = cleanJoin("/", c.WorkingDir)
	if err := a.addOCIVolumes(slices.Sorted(maps.Keys(c.Volumes))); err != nil {
		return nil, fmt.Errorf("image config: config.Volumes: %w", err)
	}
	if err := a.addOCIPorts(slices.Sorted(maps.Keys(c.ExposedPorts))); err != nil {
		return nil, fmt.Errorf("image config: config.ExposedPorts: %w", err)
	}
	a.annotateOCI(&img)
	if c.StopSignal != "" {
		sig, err := parseSignal(c.StopSignal)
		if err != nil {
			return nil, fmt.Errorf("image config: config.StopSignal: %w", err)
		}
		a.setProperty("KillSignal", sig)
	}
	if h := bytes.TrimSpace(c.Healthcheck); len(h) > 0 && !bytes.Equal(h, []byte("null")) {
		var compact bytes.Buffer
		if err := json.Compact(&compact, h); err != nil {
			return nil, fmt.Errorf("image config: config.Healthcheck: %w", err)
		}
		a.Spec.Annotations[AnnotationHealthcheck] = compact.String()
	}
	return a, nil
}

// annotateOCI sets the annotations that image-spec lists; a label of the same name
// goes before them.
func (a *App) annotateOCI(img *imageConfig) {
	for _, kv := range [][2]string{
		{"org.opencontainers.image.os", img.OS},
		{"org.opencontainers.image.os.version", img.OSVersion},
		{"org.opencontainers.image.architecture", img.Architecture},
		{"org.opencontainers.image.variant", img.Variant},
		{"org.opencontainers.image.author", img.Author},
		{"org.opencontainers.image.created", img.Created},
		{"org.opencontainers.image.stopSignal", img.Config.StopSignal},
		{"org.opencontainers.image.exposedPorts", strings.Join(slices.Sorted(maps.Keys(img.Config.ExposedPorts)), ",")},
	} {
		if kv[1] != "" {
			a.Spec.Annotations[kv[0]] = kv[1]
		}
	}
	for k, v := range img.Config.Labels {
		a.annotateFromImage(k, v)
	}
}

// annotateFromImage sets an annotation that the image asks for, unless it is one
// that only the operator may set.
func (a *App) annotateFromImage(name, value string) {
	if name == "" || strings.HasPrefix(name, PropertyPrefix) || strings.HasPrefix(name, reservedPrefix) {
		return
	}
	a.Spec.Annotations[name] = value
}

// addOCIVolumes names volumes as docker2aci did, so that rkt's flags still fit:
// /var/lib/mysql is volume-var-lib-mysql.
func (a *App) addOCIVolumes(paths []string) error {
	seen := map[string]bool{}
	for _, p := range paths {
		if strings.ContainsFunc(p, isControl) {
			return fmt.Errorf("path %q holds a control character", p)
		}
		target := cleanJoin("/", p)
		if target == "/" {
			return fmt.Errorf("path %q is the root", p)
		}
		if slices.ContainsFunc(a.MountPoints, func(m MountPoint) bool { return m.Path == target }) {
			continue
		}
		a.MountPoints = append(a.MountPoints, MountPoint{Name: uniqueName("volume"+target, seen), Path: target})
	}
	return nil
}

// addOCIPorts reads "80/tcp", "53/udp", "8000-8010/tcp" and "80".
func (a *App) addOCIPorts(ports []string) error {
	seen := map[string]bool{}
	for _, s := range ports {
		numbers, proto, ok := strings.Cut(s, "/")
		if !ok {
			proto = "tcp"
		}
		switch proto = strings.ToLower(proto); proto {
		case "tcp", "udp", "sctp":
		default:
			return fmt.Errorf("port %q: protocol %q is none of tcp, udp, sctp", s, proto)
		}
		low, high, ranged := strings.Cut(numbers, "-")
		if !ranged {
			high = low
		}
		first, err1 := strconv.ParseUint(low, 10, 16)
		last, err2 := strconv.ParseUint(high, 10, 16)
		if err1 != nil || err2 != nil || first == 0 || last < first {
			return fmt.Errorf("port %q: want PORT[-PORT][/PROTOCOL]", s)
		}
		a.Ports = append(a.Ports, Port{
			Name: uniqueName(numbers+"-"+proto, seen), Protocol: proto,
			Port: uint16(first), Count: uint16(last - first + 1),
		})
	}
	return nil
}

// uniqueName makes an appc name of s, and counts up if it was taken.
func uniqueName(s string, seen map[string]bool) string {
	base := strings.Trim(strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', '0' <= r && r <= '9':
			return r
		case 'A' <= r && r <= 'Z':
			return r - 'A' + 'a'
		}
		return '-'
	}, s), "-")
	name := base
	for n := 2; seen[name]; n++ {
		name = base + "-" + strconv.Itoa(n)
	}
	seen[name] = true
	return name
}

// decode reads one JSON document of an image, bounded, and names the path of what
// has the wrong type.
func decode(doc []byte, into any) error {
	if len(doc) > MaxConfigBytes {
		return fmt.Errorf("%d bytes, at most %d are read", len(doc), MaxConfigBytes)
	}
	// encoding/json would put U+FFFD in place of what is none.
	if !utf8.Valid(doc) {
		return errors.New("is not UTF-8")
	}
	err := json.Unmarshal(doc, into)
	var wrong *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &wrong) && wrong.Field != "":
		return fmt.Errorf("%s: a JSON %s does not belong there", wrong.Field, wrong.Value)
	case errors.As(err, &syntax):
		return fmt.Errorf("byte %d: %w", syntax.Offset, err)
	}
	return err
}
