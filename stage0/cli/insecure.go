package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/raket/raket/pkg/appspec"
)

// insecureOptions are checks that the user wants left out, in rkt's words.
// It is a set; the zero value leaves out none.
type insecureOptions uint

const (
	insecureImage insecureOptions = 1 << iota
	insecureTLS
	insecureOnDisk
	insecureHTTP
	insecurePubkey
	insecureCapabilities
	insecurePaths
	insecureSeccomp

	insecureNone     insecureOptions = 0
	insecureAllFetch                 = insecureImage | insecureTLS | insecureOnDisk | insecureHTTP | insecurePubkey
	insecureAllRun                   = insecureCapabilities | insecurePaths | insecureSeccomp
	insecureAll                      = insecureAllFetch | insecureAllRun
)

type insecureWord struct {
	word string
	bits insecureOptions
}

func insecureTable() []insecureWord {
	return []insecureWord{
		{"none", insecureNone}, {"image", insecureImage}, {"tls", insecureTLS}, {"ondisk", insecureOnDisk},
		{"http", insecureHTTP}, {"pubkey", insecurePubkey}, {"capabilities", insecureCapabilities},
		{"paths", insecurePaths}, {"seccomp", insecureSeccomp}, {"all-fetch", insecureAllFetch},
		{"all-run", insecureAllRun}, {"all", insecureAll},
	}
}

func insecureWords() string {
	var words []string
	for _, w := range insecureTable() {
		words = append(words, w.word)
	}
	return strings.Join(words, ", ")
}

// Set adds a list of words.
func (o *insecureOptions) Set(list string) error {
	for word := range strings.SplitSeq(list, ",") {
		i := slices.IndexFunc(insecureTable(), func(w insecureWord) bool { return w.word == word })
		if i < 0 {
			return fmt.Errorf("%q is none of %s", word, insecureWords())
		}
		*o |= insecureTable()[i].bits
	}
	return nil
}

func (o *insecureOptions) String() string {
	var words []string
	for _, w := range insecureTable() {
		single := w.bits&(w.bits-1) == 0
		if w.bits != 0 && single && *o&w.bits != 0 {
			words = append(words, w.word)
		}
	}
	return strings.Join(words, ",")
}

// Type names the value in help texts.
func (o *insecureOptions) Type() string { return "WORD,…" }

func (o insecureOptions) has(bits insecureOptions) bool { return o&bits != 0 }

// loose are the protections that a pod is made without. Those of the rest are
// checks of images; ondisk is one that raket makes on demand alone (raket image
// verify), so that there is nothing to leave out when a pod runs.
func (o insecureOptions) loose() appspec.Loose {
	return appspec.Loose{
		Capabilities: o.has(insecureCapabilities), Paths: o.has(insecurePaths), Seccomp: o.has(insecureSeccomp),
	}
}

// checkRunPrepared refuses what is decided when a pod is prepared: a user who
// asked for it must not believe it was done.
func (o insecureOptions) checkRunPrepared() error {
	loosened := o & insecureAllRun
	if loosened == 0 {
		return nil
	}
	return &fault{
		err:  fmt.Errorf("--insecure-options=%v comes too late: a pod's protections are decided when it is prepared", &loosened),
		hint: fmt.Sprintf("raket prepare --insecure-options=%v …", &loosened),
	}
}
