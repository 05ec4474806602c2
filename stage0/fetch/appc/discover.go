package appc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/appc/spec/discovery"
	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"github.com/raket/raket/pkg/image"
)

const (
	maxPageBytes  = 1 << 20
	maxTokenBytes = 64 << 10
	maxFound      = 64 // tags of a page
	walkTimeout   = 2 * time.Minute
)

// meta is what a page says of names with a prefix.
type meta struct {
	prefix, uri string
}

// Endpoints finds where an image may be fetched from, the best place first (appc
// spec, "App Container Image Discovery"): by the meta tags of the page that the
// name names, or of one above it, or, where there are none, by the name itself.
//
// The module's own functions take no context, read pages without limit through
// a client in a variable of its package, and put labels into URLs as they are: so
// they are not used, though its types are.
func Endpoints(ctx context.Context, n Name, h HTTP) (discovery.ACIEndpoints, error) {
	c := newClient(h)
	defer c.close()
	return c.endpoints(ctx, n)
}

func (c *client) endpoints(ctx context.Context, n Name) (discovery.ACIEndpoints, error) {
	if !n.Discoverable() {
		return nil, hinted(fmt.Errorf("%q: %w: the name does not begin with a host's", n.String(), ErrNoImage),
			"name an image with its site, as example.com/app, or by URL or file")
	}
	var eps discovery.ACIEndpoints
	labels := n.wanted()
	err := c.walk(ctx, n, func(found []meta) bool {
		for _, m := range found {
			if ep, ok := expand(m.uri, n.App, labels); ok && !slices.Contains(eps, ep) {
				eps = append(eps, ep)
			}
		}
		return len(eps) > 0
	})
	if err != nil {
		return nil, err
	}
	if len(eps) == 0 {
		// Simple discovery, of the specification's first versions.
		if ep, ok := expand("https://{name}-{version}-{os}-{arch}.{ext}", n.App, labels); ok {
			eps = append(eps, ep)
		}
	}
	return eps, nil
}

// walk shows the tags of one page after the other, from the name's up to the
// host's, until enough were seen. A page that is not there, or has no tags, is
// passed over.
func (c *client) walk(ctx context.Context, n Name, enough func([]meta) bool) error {
	ctx, cancel := context.WithTimeout(ctx, walkTimeout)
	defer cancel()
	for at := n.App; at != ""; at = parentName(at) {
		found, err := c.metaOf(ctx, at, n.App)
		var status *statusError
		switch {
		case errors.As(err, &status) && status.code < 500 && !status.passing():
			continue
		case err != nil:
			return fmt.Errorf("look for %q: %w", n.App, err)
		case enough(found):
			return nil
		}
	}
	return nil
}

func parentName(name string) string {
	i := strings.LastIndexByte(name, '/')
	return name[:max(0, i)]
}

func (c *client) metaOf(ctx context.Context, at, app string) ([]meta, error) {
	raw, _, err := c.page(ctx, "https://"+at+"?ac-discovery=1", maxPageBytes)
	var status *statusError
	if err != nil && c.AllowHTTP && ctx.Err() == nil && !errors.As(err, &status) {
		raw, _, err = c.page(ctx, "http://"+at+"?ac-discovery=1", maxPageBytes)
	}
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(readMeta(raw), func(m meta) bool { return !strings.HasPrefix(app, m.prefix) }), nil
}

// readMeta finds the tags that discovery defines, in the order of the page.
func readMeta(page []byte) []meta {
	var found []meta
	z := html.NewTokenizer(bytes.NewReader(page))
	z.SetMaxBuf(maxTokenBytes)
	for len(found) < maxFound {
		switch z.Next() {
		case html.ErrorToken:
			return found
		case html.StartTagToken, html.SelfClosingTagToken:
			if name, more := z.TagName(); more && atom.Lookup(name) == atom.Meta {
				if m, ok := readTag(z); ok {
					found = append(found, m)
				}
			}
		}
	}
	return found
}

func readTag(z *html.Tokenizer) (meta, bool) {
	var name, content string
	for more := true; more; {
		var key, value []byte
		key, value, more = z.TagAttr()
		switch string(key) {
		case "name":
			name = string(value)
		case "content":
			content = string(value)
		}
	}
	fields := strings.Fields(content)
	if len(fields) != 2 || name != "ac-discovery" {
		return meta{}, false
	}
	return meta{prefix: fields[0], uri: fields[1]}, true
}

// expand fills in a template, once for the image and once for its signature. It
// reports false for one that asks for what is not known, or whose result is not
// a URL that can be fetched.
func expand(template, app string, labels map[string]string) (discovery.ACIEndpoint, bool) {
	var ep discovery.ACIEndpoint
	if !strings.Contains(template, "{ext}") {
		return ep, false
	}
	for ext, to := range map[string]*string{"aci": &ep.ACI, "aci.asc": &ep.ASC} {
		expanded, ok := fill(template, func(name string) (string, bool) {
			switch name {
			case "name":
				return app, true // of characters that need no escape
			case "ext":
				return ext, true
			}
			value, ok := labels[name]
			return escape(value), ok
		})
		ref, err := image.Parse(expanded)
		if !ok || err != nil || ref.Transport != image.ACIURL {
			return discovery.ACIEndpoint{}, false
		}
		*to = ref.URL
	}
	return ep, true
}

// fill replaces each {name}, in one pass: values are not templates.
func fill(template string, value func(name string) (string, bool)) (string, bool) {
	var b strings.Builder
	for {
		before, rest, ok := strings.Cut(template, "{")
		b.WriteString(before)
		if !ok {
			return b.String(), true
		}
		name, after, ok := strings.Cut(rest, "}")
		if !ok {
			return "", false
		}
		v, ok := value(name)
		if !ok || b.Len() > maxNameBytes*4 {
			return "", false
		}
		b.WriteString(v)
		template = after
	}
}

// escape is RFC 6570's simple expansion (section 3.2.2): a label can't lead to
// another path or query. A value of dots would all the same.
func escape(value string) string {
	if strings.Trim(value, ".") == "" {
		return strings.ReplaceAll(value, ".", "%2E")
	}
	return strings.ReplaceAll(url.QueryEscape(value), "+", "%20")
}
