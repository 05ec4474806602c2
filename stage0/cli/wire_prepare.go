package cli

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/raket/raket/pkg/image"
	"github.com/raket/raket/pkg/stageabi"
	"github.com/raket/raket/stage0/cli/appargs"
	"github.com/raket/raket/stage0/flavour"
	"github.com/raket/raket/stage0/prepare"
)

// realPreparer makes pods on this host.
type realPreparer struct {
	images *realImages
	pods   *realPods
}

func openPreparer(s settings) (*realPreparer, error) {
	if os.Geteuid() != 0 {
		return nil, &fault{err: fmt.Errorf("making a pod needs root; this is user %d", os.Geteuid()), hint: "sudo raket …"}
	}
	images, err := openImages(s)
	if err != nil {
		return nil, err
	}
	pods, err := openPods(s)
	if err != nil {
		return nil, err
	}
	return &realPreparer{images, pods}, nil
}

func (r *realPreparer) Prepare(ctx context.Context, p appargs.Pod, keep bool) (string, error) {
	fetchImage := func(ctx context.Context, name string) (image.Image, error) {
		return r.images.Fetch(ctx, fetchRequest{Name: name, PullPolicy: p.PullPolicy, Quiet: p.Quiet})
	}
	stage1, err := r.stage1(ctx, p.Stage1, fetchImage)
	if err != nil {
		return "", err
	}
	uuid, err := prepare.Prepare(ctx, prepare.Request{
		Pods: r.pods.store, Images: r.images.store, Fetch: fetchImage, Stage1: stage1, Pod: p, Now: time.Now(),
		Durable: keep,
	})
	return string(uuid), err
}

// stage1 finds the flavour that was asked for, on the command line or in the
// configuration.
func (r *realPreparer) stage1(ctx context.Context, asked appargs.Stage1, fetchImage func(context.Context, string) (image.Image, error)) (stageabi.Stage1, error) {
	cfg := r.pods.Config
	q := flavour.Request{
		DataDir: r.pods.DataDir, Store: r.images.store, Name: asked.Name, SearchDirs: flavour.SearchDirs(cfg.Paths.Stage1Images),
	}
	switch {
	case asked.Path != "":
		img, err := fetchImage(ctx, asked.Path)
		if err != nil {
			return stageabi.Stage1{}, fmt.Errorf("stage1 %q: %w", asked.Path, err)
		}
		q.Image = &img
	case asked.FromDir != "" && strings.Contains(asked.FromDir, "/"):
		q.Dir = asked.FromDir
	case asked.FromDir != "":
		q.Name = asked.FromDir
	case asked.Name == "" && cfg.Stage1.Location != "":
		q.Dir = cfg.Stage1.Location
	case asked.Name == "":
		q.Name = cfg.Stage1.Name
	}
	return flavour.Find(ctx, q)
}

// applyRunOptions puts what is decided at a pod's start into its description.
func applyRunOptions(s *stageabi.Sandbox, o appargs.RunOptions) error {
	if o.Net != "" {
		s.Network.Mode = o.Net
	}
	if o.Hostname != "" {
		s.Hostname = o.Hostname
	}
	hosts, err := hostsFile(s.Hostname, o)
	if err != nil {
		return err
	}
	s.Hosts = &hosts
	s.ResolvConf, err = resolvConf(s.Network.Mode, o)
	return err
}

func hostsFile(hostname string, o appargs.RunOptions) (string, error) {
	if o.HostsFromHost {
		b, err := os.ReadFile("/etc/hosts")
		return string(b), err
	}
	var b strings.Builder
	b.WriteString("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n127.0.1.1\t" + hostname + "\n")
	for _, e := range o.Hosts {
		b.WriteString(e.IP + "\t" + strings.Join(e.Names, " ") + "\n")
	}
	return b.String(), nil
}

// resolvConf is nil where the image's own is to stay. A pod in the host's network
// resolves as the host does unless it is told otherwise.
func resolvConf(net string, o appargs.RunOptions) (*string, error) {
	said := len(o.DNS)+len(o.DNSSearch)+len(o.DNSOpt) > 0 || o.DNSDomain != ""
	switch {
	case len(o.DNS) == 1 && o.DNS[0] == "none":
		return nil, nil
	case len(o.DNS) == 1 && o.DNS[0] == "host", !said && net == stageabi.NetHost:
		b, err := os.ReadFile("/etc/resolv.conf")
		if os.IsNotExist(err) {
			return nil, nil
		}
		text := string(b)
		return &text, err
	case !said:
		return nil, nil
	}
	var b strings.Builder
	for _, ip := range o.DNS {
		if _, err := netip.ParseAddr(ip); err != nil {
			return nil, fmt.Errorf("--dns: %q is not an IP address", ip)
		}
		b.WriteString("nameserver " + ip + "\n")
	}
	if o.DNSDomain != "" {
		b.WriteString("domain " + o.DNSDomain + "\n")
	}
	if len(o.DNSSearch) > 0 {
		b.WriteString("search " + strings.Join(o.DNSSearch, " ") + "\n")
	}
	if len(o.DNSOpt) > 0 {
		b.WriteString("options " + strings.Join(o.DNSOpt, " ") + "\n")
	}
	text := b.String()
	return &text, nil
}
