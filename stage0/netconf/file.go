package netconf

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/raket/raket/pkg/boundedfile"
	"github.com/raket/raket/stage0/trust/policy/strictjson"
)

// oldestVersion is what a file without a version is taken for, or with one that is older: what
// stands in it is the same, and results say which address is on which interface.
const oldestVersion = "0.3.1"

func versions() []string {
	return []string{"0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"}
}

func listKeys() []string {
	return []string{"cniVersion", "cniVersions", "name", "disableCheck", "disableGC", "loadOnlyInlinedPlugins", "plugins"}
}

// Parse reads a network: a configuration list, or the configuration of one plugin, which is
// made a list. Lenient reading leaves keys alone that CNI does not know.
func Parse(raw []byte, lenient bool) (Network, error) {
	doc, err := strictjson.Parse(raw)
	if err != nil {
		return Network{}, err
	}
	members, err := doc.Object()
	if err != nil {
		return Network{}, err
	}
	keys := map[string]strictjson.Value{}
	for _, m := range members {
		keys[m.Key] = m.Value
	}
	var n Network
	if n.Name, err = nameOf(doc, keys); err != nil {
		return n, err
	}
	var texts map[string]json.RawMessage
	if err := json.Unmarshal(raw, &texts); err != nil {
		return n, err
	}
	list := map[string]json.RawMessage{}
	var plugins []json.RawMessage
	if value, isList := keys["plugins"]; isList {
		for _, m := range members {
			if known := slices.Contains(listKeys(), m.Key); known {
				list[m.Key] = texts[m.Key]
			} else if !lenient {
				return n, m.Value.Errorf("a network has no such key; plugins have theirs in the list \"plugins\"")
			}
		}
		if err := json.Unmarshal(texts["plugins"], &plugins); err != nil {
			return n, value.Errorf("must be an array")
		}
		items, err := value.Array()
		if err != nil {
			return n, err
		}
		for _, item := range items {
			if err := n.addPlugin(item); err != nil {
				return n, err
			}
		}
	} else {
		if err := n.addPlugin(doc); err != nil {
			return n, err
		}
		plugins = []json.RawMessage{raw}
		for _, key := range []string{"cniVersion", "cniVersions"} {
			if text, there := texts[key]; there {
				list[key] = text
			}
		}
	}
	if list["cniVersion"], err = versionOf(keys); err != nil {
		return n, err
	}
	for _, key := range []string{"disableCheck", "disableGC", "loadOnlyInlinedPlugins"} {
		if err := setFlag(list, keys, key); err != nil {
			return n, err
		}
	}
	if list["name"], err = json.Marshal(n.Name); err != nil {
		return n, err
	}
	return n, n.setConfig(list, plugins)
}

// setConfig writes Config.
func (n *Network) setConfig(list map[string]json.RawMessage, plugins []json.RawMessage) error {
	var err error
	if plugins == nil {
		plugins = []json.RawMessage{}
	}
	if list["plugins"], err = json.Marshal(plugins); err != nil {
		return err
	}
	text, err := json.Marshal(list)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	err = json.Compact(&b, text)
	n.Config = b.Bytes()
	return err
}

// addDirectory adds the plugins that stand in files of their own, in the directory with the
// network's name beside its file (CNI 1.1, "Configuration format"); after that all of them are
// in Config.
func (n *Network) addDirectory(dir string, lenient bool) error {
	var list map[string]json.RawMessage
	if err := json.Unmarshal(n.Config, &list); err != nil {
		return err
	}
	var plugins []json.RawMessage
	if err := json.Unmarshal(list["plugins"], &plugins); err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if string(list["loadOnlyInlinedPlugins"]) == "true" {
		entries = nil
	}
	for _, e := range entries {
		if e.IsDir() || filepath.Ext(e.Name()) != ".conf" {
			continue
		}
		path := filepath.Join(dir, e.Name())
		raw, err := boundedfile.Read(path, maxFileBytes)
		if err != nil {
			return err
		}
		v, err := strictjson.Parse(raw)
		if err == nil {
			err = n.addPlugin(v)
		}
		if err != nil {
			return fmt.Errorf("plugin %s: %w", path, err)
		}
		plugins = append(plugins, raw)
	}
	if len(plugins) == 0 {
		return errors.New("key plugins: there is no plugin")
	}
	list["loadOnlyInlinedPlugins"] = json.RawMessage("true")
	return n.setConfig(list, plugins)
}

func nameOf(doc strictjson.Value, keys map[string]strictjson.Value) (string, error) {
	v, there := keys["name"]
	if !there {
		return "", doc.Errorf("key name is missing")
	}
	name, err := v.Text()
	if err != nil {
		return "", err
	}
	if err := CheckName(name); err != nil {
		return "", v.Errorf("%q %v", name, err)
	}
	return name, nil
}

// CheckName holds the name of a network to CNI's rules, and keeps it from meaning something
// else to --net.
func CheckName(name string) error {
	const most = 64
	bad := func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_.-", r))
	}
	switch {
	case name == "" || len(name) > most || strings.ContainsRune("_.-", rune(name[0])) || strings.ContainsFunc(name, bad):
		return fmt.Errorf("is no name of a network: letters, digits and _.- behind the first, %d at most", most)
	case slices.Contains([]string{"host", "none", "all"}, name):
		return errors.New("means something else to --net")
	}
	return nil
}

func versionOf(keys map[string]strictjson.Value) (json.RawMessage, error) {
	version := oldestVersion
	if v, there := keys["cniVersion"]; there {
		said, err := v.Text()
		if err != nil {
			return nil, err
		}
		if !slices.Contains(versions(), said) {
			return nil, v.Errorf("version %q is not known, those from 0.3.0 to 1.1.0 are", said)
		}
		version = max(said, oldestVersion)
		if said == "0.3.0" {
			version = said
		}
	}
	if v, there := keys["cniVersions"]; there {
		items, err := v.Array()
		if err != nil {
			return nil, err
		}
		for _, item := range items {
			if _, err := item.Text(); err != nil {
				return nil, err
			}
		}
	}
	return json.Marshal(version)
}

// setFlag takes a boolean, which older files have as a string.
func setFlag(list map[string]json.RawMessage, keys map[string]strictjson.Value, key string) error {
	v, there := keys[key]
	if !there {
		return nil
	}
	b, err := v.Bool()
	if err != nil {
		text, textErr := v.Text()
		if textErr != nil || text != "true" && text != "false" {
			return err
		}
		b = text == "true"
	}
	list[key] = json.RawMessage(fmt.Sprint(b))
	return nil
}

// addPlugin reads what CNI itself says of a plugin's configuration; the rest is the plugin's.
func (n *Network) addPlugin(v strictjson.Value) error {
	members, err := v.Object()
	if err != nil {
		return err
	}
	var p Plugin
	for _, m := range members {
		switch m.Key {
		case "type":
			p.Type, err = pluginType(m.Value)
		case "ipam":
			err = n.addIPAM(&p, m.Value)
		case "capabilities":
			p.Capabilities, err = capabilities(m.Value)
		case "backend", "ipMasqBackend":
			p.Backend, _ = m.Value.Text() // another's plugin may have something else there
		case "bridge", "master":
			p.Master, _ = m.Value.Text()
		case "ingressRate", "ingressBurst", "egressRate", "egressBurst":
			p.Limited = true
		case "runtimeConfig", "prevResult":
			err = m.Value.Errorf("is said by who calls the plugin, and does not stand in a file")
		}
		if err != nil {
			return err
		}
	}
	if p.Type == "" {
		return v.Errorf("key type is missing: which plugin is it?")
	}
	n.Plugins = append(n.Plugins, p)
	return nil
}

// pluginType is the name of a program in the plugins' directories, and nowhere else.
func pluginType(v strictjson.Value) (string, error) {
	name, err := v.Text()
	if err == nil && (strings.ContainsAny(name, "/\x00\n") || name[0] == '.') {
		err = v.Errorf("%q is no name of a plugin", name)
	}
	return name, err
}

func (n *Network) addIPAM(p *Plugin, v strictjson.Value) error {
	members, err := v.Object()
	if err != nil {
		return err
	}
	for _, m := range members {
		switch m.Key {
		case "type":
			p.IPAM, err = pluginType(m.Value)
		case "daemonSocketPath":
			p.Daemon, _ = m.Value.Text()
		case "subnet":
			err = n.addSubnet(m.Value)
		case "ranges":
			err = n.addRanges(m.Value)
		}
		if err != nil {
			return err
		}
	}
	// Without a type the plugin has no addresses of its own: "ipam": {}.
	if p.IPAM == "" && len(members) > 0 {
		return v.Errorf("key type is missing: which plugin hands out addresses?")
	}
	return nil
}

// addRanges reads host-local's ranges: a list of lists.
func (n *Network) addRanges(v strictjson.Value) error {
	sets, err := v.Array()
	if err != nil {
		return err
	}
	for _, set := range sets {
		ranges, err := set.Array()
		if err != nil {
			return err
		}
		for _, r := range ranges {
			members, err := r.Object()
			if err != nil {
				return err
			}
			for _, m := range members {
				if m.Key == "subnet" {
					err = n.addSubnet(m.Value)
				}
				if err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (n *Network) addSubnet(v strictjson.Value) error {
	text, err := v.Text()
	if err != nil {
		return err
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return v.Errorf("%q is no subnet as 10.1.0.0/16", text)
	}
	n.Subnets = append(n.Subnets, p.Masked().String())
	return nil
}

func capabilities(v strictjson.Value) ([]string, error) {
	members, err := v.Object()
	if err != nil {
		return nil, err
	}
	var list []string
	for _, m := range members {
		on, err := m.Value.Bool()
		if err != nil {
			return nil, err
		}
		if on {
			list = append(list, m.Key)
		}
	}
	slices.Sort(list)
	return list, nil
}
