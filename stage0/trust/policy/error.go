package policy

import (
	"fmt"
	"strings"
)

const (
	shownReasons  = 4
	shownWhyBytes = 240
)

// RefusedError says that the policy does not allow an image, and why.
type RefusedError struct {
	// Image is the reference, or an image's ID.
	Image string
	// File is the policy's; "" for the built-in one.
	File string
	// Scope is what the image fell under: `docker "host/team"`, or "default".
	Scope string
	// Requirement is the type of the one that failed, Line where it stands.
	Requirement string
	Line        int
	// Why has a reason for each signature that was found and is no good, and
	// what went wrong in looking.
	Why []string

	hint string
}

// Error is one line.
func (e *RefusedError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "policy refuses %s: %s", e.Image, e.Requirement)
	if e.File != "" {
		fmt.Fprintf(&b, " (%s:%d, scope %s)", e.File, e.Line, e.Scope)
	}
	for i, why := range e.Why {
		if i == shownReasons {
			fmt.Fprintf(&b, "; and %d more", len(e.Why)-i)
			break
		}
		if i == 0 {
			b.WriteString(": ")
		} else {
			b.WriteString("; ")
		}
		b.WriteString(oneLine(why))
	}
	return b.String()
}

// Unsigned reports that another signature could change the verdict.
func (e *RefusedError) Unsigned() bool {
	return e.Requirement == signedBy || e.Requirement == sigstoreSigned
}

// Hint is what to do next.
func (e *RefusedError) Hint() string { return e.hint }

// oneLine makes what others said fit to print: short, and without characters
// that break the line or steer a terminal.
func oneLine(s string) string {
	s = strings.ReplaceAll(s, "\n", "; ") // errors.Join's
	if len(s) > shownWhyBytes {
		s = s[:shownWhyBytes] + "…"
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 || r == 0x2028 || r == 0x2029 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
}
