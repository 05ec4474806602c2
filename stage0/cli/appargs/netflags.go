package appargs

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/raket/raket/pkg/netrate"
	"github.com/raket/raket/pkg/podport"
)

// NetChoice is one network of a --net.
type NetChoice struct {
	// Name is "host", "none", "all" or the name of a network.
	Name string
	// Args are what plugins are told, in order: names and values of CNI_ARGS, and limits
	// (netrate).
	Args [][2]string
}

// The words of --net that are no networks.
const (
	netHost = "host"
	netNone = "none"
	netAll  = "all"
)

// portFlags say which ports are published.
func portFlags() []flag {
	set := func(p *Pod, v string) error { return appendParsed(&p.Ports, podport.Parse, v) }
	return []flag{
		{Flag: Flag{Name: "port", Arg: "NAME[:[IP:]PORT]|[[IP:]PORT:]PODPORT[/udp]", Usage: "publish a port on the host: one that an image names, or a number or range of numbers; where PORT is left out, a free one of the host is picked"}, pod: set},
		{Flag: Flag{Name: publish, Arg: "[[IP:]PORT:]PODPORT[/udp]", Usage: "the same as --port; -p for short"}, pod: set},
		{Flag: Flag{Name: publishAll, Usage: "publish all ports that the images name, each by a free one of the host; -P for short"}, bare: "true",
			pod: func(p *Pod, v string) error { return setBool(&p.PublishAll, v) }},
	}
}

// publish is podman's name of --port, and -p what it is for short.
const (
	publish         = "publish"
	publishShort    = "-p"
	publishAll      = "publish-all"
	publishAllShort = "-P"
)

// takeShort takes the flags of a single letter: "-p VALUE", "-pVALUE" or "-p=VALUE", and "-P".
func (p *parser) takeShort(arg string, args []string) (rest []string, err error) {
	if arg == publishAllShort {
		return p.takeFlag(publishAll, args)
	}
	value, ok := strings.CutPrefix(arg, publishShort)
	switch {
	case !ok:
		return nil, &UnknownFlagError{arg}
	case value == "":
		return p.takeFlag(publish, args)
	}
	return p.takeFlag(publish+"="+strings.TrimPrefix(value, "="), args)
}

// addNet reads NETWORK[:NAME=VALUE;…],….
func addNet(r *RunOptions, v string) error {
	for word := range strings.SplitSeq(v, ",") {
		c, err := parseNet(word)
		if err != nil {
			return err
		}
		if i := slices.IndexFunc(r.Net, func(o NetChoice) bool { return o.Name == c.Name }); i >= 0 {
			if len(c.Args)+len(r.Net[i].Args) > 0 {
				return fmt.Errorf("network %q is given twice", c.Name)
			}
			continue
		}
		r.Net = append(r.Net, c)
		for _, o := range r.Net {
			if len(r.Net) > 1 && (o.Name == netHost || o.Name == netNone) {
				return fmt.Errorf("%s stands alone", o.Name)
			}
		}
	}
	return nil
}

func parseNet(word string) (NetChoice, error) {
	name, args, hasArgs := strings.Cut(word, ":")
	c := NetChoice{Name: name}
	bad := func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_.-", r))
	}
	switch {
	case name == "" || strings.ContainsFunc(name, bad):
		return c, errors.New("want host, none, all, or the name of a network, with arguments as NAME:IP=ADDRESS;KEY=VALUE")
	case !hasArgs:
		return c, nil
	case name == netHost || name == netNone || name == netAll:
		return c, fmt.Errorf("%s takes no arguments", name)
	}
	for arg := range strings.SplitSeq(args, ";") {
		kv, err := parseKeyValue(arg)
		if err != nil {
			return c, errors.New("an argument of a network is KEY=VALUE, and the next stands behind a semicolon")
		}
		if strings.ContainsFunc(kv.Key, bad) || strings.Contains(kv.Value, "=") || checkText(kv.Value) != nil {
			return c, fmt.Errorf("the argument %q holds what no plugin can be told", arg)
		}
		if kv.Key == "IP" && !isAddress(kv.Value) {
			return c, fmt.Errorf("%q is not an address", kv.Value)
		}
		c.Args = append(c.Args, [2]string{kv.Key, kv.Value})
	}
	_, _, err := netrate.Take(c.Args)
	return c, err
}

// isAddress takes an address, with the length of its subnet where a plugin wants that.
func isAddress(s string) bool {
	if _, err := netip.ParsePrefix(s); err == nil {
		return true
	}
	ip, err := netip.ParseAddr(s)
	return err == nil && ip.Zone() == ""
}

// String is the choice as --net has it.
func (c NetChoice) String() string {
	text := c.Name
	for i, a := range c.Args {
		sep := ";"
		if i == 0 {
			sep = ":"
		}
		text += sep + a[0] + "=" + a[1]
	}
	return text
}

// maxAliases bounds the names of one pod.
const maxAliases = 32

func addAlias(r *RunOptions, v string) error {
	var probe RunOptions
	switch {
	case setHostname(&probe, v) != nil:
		return errors.New("is no name of a host")
	case slices.Contains(r.Aliases, v):
		return errors.New("it is given twice")
	case len(r.Aliases) == maxAliases:
		return fmt.Errorf("a pod has at most %d of them", maxAliases)
	}
	r.Aliases = append(r.Aliases, v)
	return nil
}
