package cli

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/raket/raket/pkg/appspec"
)

func TestWordsLoosenWhatTheyName(t *testing.T) {
	for words, want := range map[string]appspec.Loose{
		"none":                         {},
		"image,tls,ondisk,http,pubkey": {},
		"all-fetch":                    {},
		"capabilities":                 {Capabilities: true},
		"paths":                        {Paths: true},
		"none,seccomp,image":           {Seccomp: true},
		"all-run":                      {Capabilities: true, Paths: true, Seccomp: true},
		"all":                          {Capabilities: true, Paths: true, Seccomp: true},
		"paths,none":                   {Paths: true},
	} {
		t.Run(words, func(t *testing.T) {
			var o insecureOptions
			if err := o.Set(words); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, o.loose()); diff != "" {
				t.Errorf("loosened (-want +got):\n%s", diff)
			}
		})
	}
}
