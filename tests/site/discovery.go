package site

import (
	"cmp"
	"fmt"
	"html"
	"path"
	"runtime"
	"strings"
)

// Meta is a meta tag of a page.
type Meta struct{ Name, Content string }

// The names of meta tags that discovery reads (appc spec, discovery.md).
const (
	MetaDiscovery = "ac-discovery"
	MetaPubkeys   = "ac-discovery-pubkeys"
)

// Page puts a page with meta tags at a path.
func (s *Site) Page(p string, tags ...Meta) {
	var b strings.Builder
	b.WriteString("<!DOCTYPE html>\n<html>\n<head>\n<meta charset=\"utf-8\">\n")
	for _, t := range tags {
		fmt.Fprintf(&b, "<meta name=\"%s\" content=\"%s\">\n", html.EscapeString(t.Name), html.EscapeString(t.Content))
	}
	b.WriteString("<title>Images</title>\n</head>\n<body><p>Images are for programs.</p></body>\n</html>\n")
	s.Put(p, File{Body: []byte(b.String()), ContentType: "text/html; charset=utf-8"})
}

// Image is an image to be found by discovery.
type Image struct {
	// Name is its AC identifier, as "example.com/team/app"; the site answers for the part before
	// the first slash.
	Name string
	// Version, OS and Arch are its labels. Default: latest, linux, this machine's in appc's words.
	Version, OS, Arch string
	// ACI names its file.
	ACI string
	// Signature names the file of its detached signature. Default: none.
	Signature string
	// Keys is the armored file of public keys. Default: none.
	Keys []byte
	// Simple puts it where simple discovery looks, at https://NAME-VERSION-OS-ARCH.aci, rather
	// than behind meta tags.
	Simple bool
}

// Published is where the parts of an image are on the site, as paths; "" for none.
type Published struct {
	Page, ACI, Signature, Keys string
}

// Publish puts an image on the site. With meta tags, the page is that of its name.
func (s *Site) Publish(i Image) (Published, error) {
	host, rest, ok := strings.Cut(i.Name, "/")
	if !ok {
		return Published{}, fmt.Errorf("publish %q: not a name with a host and a path", i.Name)
	}
	i.Version = cmp.Or(i.Version, "latest")
	if i.OS == "" {
		i.OS = "linux"
	}
	if i.Arch == "" {
		i.Arch = runtime.GOARCH
		if i.Arch == "arm64" {
			i.Arch = "aarch64"
		}
	}
	file := fmt.Sprintf("%s-%s-%s-%s.aci", rest, i.Version, i.OS, i.Arch)
	p := Published{ACI: "/" + file}
	if !i.Simple {
		p.ACI, p.Page = "/images/"+file, "/"+rest
		tags := []Meta{{MetaDiscovery, i.Name + " https://" + host + "/images/" + rest + "-{version}-{os}-{arch}.{ext}"}}
		if i.Keys != nil {
			p.Keys = path.Join("/keys", rest+".asc")
			tags = append(tags, Meta{MetaPubkeys, i.Name + " https://" + host + p.Keys})
		}
		s.Page(p.Page, tags...)
	}
	s.Put(p.ACI, File{Path: i.ACI})
	if i.Signature != "" {
		p.Signature = p.ACI + ".asc"
		s.Put(p.Signature, File{Path: i.Signature})
	}
	if p.Keys != "" {
		s.Put(p.Keys, File{Body: i.Keys, ContentType: "application/pgp-keys"})
	}
	return p, nil
}
