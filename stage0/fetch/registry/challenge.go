package registry

import (
	"strings"
)

const (
	maxChallengeBytes = 8 << 10
	maxParsed         = 16
)

// challenge is one way to log in that a registry names.
type challenge struct {
	scheme string            // lower case: "basic", "bearer"
	params map[string]string // by lower case name
}

// parseChallenges reads WWW-Authenticate headers (RFC 9110, section 11.6.1).
// Of what is not grammatical it keeps what came before.
func parseChallenges(headers []string) []challenge {
	var found []challenge
	for _, h := range headers {
		if len(h) > maxChallengeBytes {
			continue
		}
		p := &challengeParser{rest: h}
		for len(found) < maxParsed {
			c, ok := p.next()
			if !ok {
				break
			}
			found = append(found, c)
		}
	}
	return found
}

type challengeParser struct{ rest string }

// next reads a scheme and its parameters, up to the next scheme.
func (p *challengeParser) next() (challenge, bool) {
	p.skip(" \t,")
	scheme := p.token()
	if scheme == "" {
		return challenge{}, false
	}
	c := challenge{scheme: strings.ToLower(scheme), params: map[string]string{}}
	for len(c.params) < maxParsed {
		before := p.rest
		p.skip(" \t,")
		name := p.token()
		p.skip(" \t")
		if name == "" || !strings.HasPrefix(p.rest, "=") {
			p.rest = before // another scheme, or the end
			return c, true
		}
		p.rest = p.rest[1:]
		p.skip(" \t")
		value, ok := p.value()
		if !ok {
			p.rest = ""
			return c, true
		}
		if _, dup := c.params[strings.ToLower(name)]; !dup {
			c.params[strings.ToLower(name)] = value
		}
	}
	p.rest = ""
	return c, true
}

func (p *challengeParser) skip(set string) { p.rest = strings.TrimLeft(p.rest, set) }

func (p *challengeParser) token() string {
	i := 0
	for i < len(p.rest) && isTokenChar(p.rest[i]) {
		i++
	}
	t := p.rest[:i]
	p.rest = p.rest[i:]
	return t
}

// value is a token or a quoted string.
func (p *challengeParser) value() (string, bool) {
	if !strings.HasPrefix(p.rest, `"`) {
		v := p.token()
		return v, v != ""
	}
	var b strings.Builder
	for i := 1; i < len(p.rest); i++ {
		switch c := p.rest[i]; {
		case c == '"':
			p.rest = p.rest[i+1:]
			return b.String(), true
		case c == '\\' && i+1 < len(p.rest):
			i++
			b.WriteByte(p.rest[i])
		default:
			b.WriteByte(c)
		}
	}
	return "", false
}

// isTokenChar is tchar of RFC 9110, section 5.6.2.
func isTokenChar(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}

// String is the challenge as a header that parses to it, with its parameters in
// no order.
func (c challenge) String() string {
	var params []string
	for name, value := range c.params {
		params = append(params, name+`="`+strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(value)+`"`)
	}
	return strings.TrimSpace(c.scheme + " " + strings.Join(params, ", "))
}
