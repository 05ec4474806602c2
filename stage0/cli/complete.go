package cli

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/raket/raket/stage0/cli/appargs"
)

// Completion never fails: where a store can't be read there is nothing to offer.

// completeFunc is what cobra asks for the words that may stand next.
type completeFunc = func(cmd *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective)

// completePods offers UUIDs for the first most arguments, negative meaning all.
func (e *env) completePods(wanted func(pod) bool, most int) completeFunc {
	return func(cmd *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
		if most >= 0 && len(args) >= most {
			return nil, cobra.ShellCompDirectiveDefault
		}
		return e.podWords(cmd, wanted, toComplete), cobra.ShellCompDirectiveNoFileComp
	}
}

func (e *env) podWords(cmd *cobra.Command, wanted func(pod) bool, toComplete string) []string {
	s, err := service(e, e.services.pods)
	if err != nil {
		return nil
	}
	pods, _ := s.List(cmd.Context())
	var words []string
	for _, p := range pods {
		if !wanted(p) || !strings.HasPrefix(p.UUID, toComplete) {
			continue
		}
		var apps []string
		for _, a := range p.Apps {
			apps = append(apps, a.Name)
		}
		words = append(words, cobra.CompletionWithDesc(p.UUID, printable(p.State+" "+strings.Join(apps, ","))))
	}
	return words
}

// completePodThenApp is for verbs that take UUID [APP].
func (e *env) completePodThenApp(cmd *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
	switch len(args) {
	case 0:
		return e.podWords(cmd, func(pod) bool { return true }, toComplete), cobra.ShellCompDirectiveNoFileComp
	case 1:
		return e.appWords(cmd, args[0], toComplete), cobra.ShellCompDirectiveNoFileComp
	}
	return nil, cobra.ShellCompDirectiveNoFileComp
}

// appWords are the apps of a pod, or of all where uuid is empty.
func (e *env) appWords(cmd *cobra.Command, uuid, toComplete string) []string {
	s, err := service(e, e.services.pods)
	if err != nil {
		return nil
	}
	var pods []pod
	if uuid == "" {
		pods, _ = s.List(cmd.Context())
	} else if p, err := s.Find(cmd.Context(), uuid); err == nil {
		pods = []pod{p}
	}
	var words []string
	for _, p := range pods {
		for _, a := range p.Apps {
			if strings.HasPrefix(a.Name, toComplete) {
				words = append(words, a.Name)
			}
		}
	}
	slices.Sort(words)
	return slices.Compact(words)
}

// mustCompleteAppFlag offers app names for a flag.
func (e *env) mustCompleteAppFlag(cmd *cobra.Command, name string) {
	err := cmd.RegisterFlagCompletionFunc(name, func(cmd *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
		uuid := ""
		if len(args) > 0 {
			uuid = args[0]
		}
		return e.appWords(cmd, uuid, toComplete), cobra.ShellCompDirectiveNoFileComp
	})
	if err != nil {
		panic(err) // a flag of this name is not defined, or has a completion
	}
}

// completeImages offers names and IDs of the store for the first most
// arguments, negative meaning all.
func (e *env) completeImages(most int) completeFunc {
	return func(cmd *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
		if most >= 0 && len(args) >= most {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return e.imageWords(cmd, toComplete), cobra.ShellCompDirectiveNoFileComp
	}
}

func (e *env) imageWords(cmd *cobra.Command, toComplete string) []string {
	s, err := service(e, e.services.images)
	if err != nil {
		return nil
	}
	images, err := s.List(cmd.Context())
	if err != nil {
		return nil
	}
	var words []string
	for _, img := range images {
		for _, word := range append([]string{imageID(img, false)}, img.Names...) {
			if strings.HasPrefix(word, toComplete) {
				words = append(words, printable(word))
			}
		}
	}
	return words
}

// completePodArgs is for run and prepare, whose flags cobra does not parse.
func (e *env) completePodArgs(verb appargs.Verb) completeFunc {
	return func(cmd *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
		if inAppArgs(args) {
			return nil, cobra.ShellCompDirectiveDefault
		}
		name, prefix := "", ""
		if flag, value, ok := strings.Cut(toComplete, "="); ok && strings.HasPrefix(flag, "--") {
			name, prefix = flag[2:], flag+"="
			toComplete = value
		} else if n := len(args); n > 0 && strings.HasPrefix(args[n-1], "--") && !strings.Contains(args[n-1], "=") {
			name = args[n-1][2:]
		}
		for _, f := range appargs.Flags(verb) {
			if f.Name != name || f.Arg == "" || (prefix == "" && strings.HasPrefix(toComplete, "-")) {
				continue
			}
			if f.Name == "net" {
				return e.networkWords(cmd, prefix, toComplete, "host", "none", "all"), cobra.ShellCompDirectiveNoFileComp
			}
			var words []string
			for _, w := range f.Words {
				if strings.HasPrefix(w, toComplete) {
					words = append(words, prefix+w)
				}
			}
			if len(words) > 0 || !f.Files {
				return words, cobra.ShellCompDirectiveNoFileComp
			}
			return nil, cobra.ShellCompDirectiveDefault
		}
		if strings.HasPrefix(toComplete, "-") {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		switch words := leading(verb, args); {
		case len(words) == 0 && (verb == appargs.Add || verb == appargs.Update):
			return e.podWords(cmd, func(p pod) bool { return p.State == stateRunning }, toComplete), cobra.ShellCompDirectiveNoFileComp
		case len(words) == 1 && verb == appargs.Update:
			return e.appWords(cmd, words[0], toComplete), cobra.ShellCompDirectiveNoFileComp
		case verb == appargs.Sandbox:
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		// Images may be files too.
		return e.imageWords(cmd, toComplete), cobra.ShellCompDirectiveDefault
	}
}

// leading are the words among args that are neither flags nor values of such.
func leading(verb appargs.Verb, args []string) (words []string) {
	valued := map[string]bool{}
	for _, f := range appargs.Flags(verb) {
		valued["--"+f.Name] = f.Arg != ""
	}
	for i := 0; i < len(args); i++ {
		switch {
		case valued[args[i]]:
			i++
		case !strings.HasPrefix(args[i], "-"):
			words = append(words, args[i])
		}
	}
	return words
}

// inAppArgs reports whether the next word is an argument of an app.
func inAppArgs(args []string) bool {
	in := false
	for _, arg := range args {
		if !in && arg == "--" {
			in = true
		} else if in && arg == "---" {
			in = false
		}
	}
	return in
}
