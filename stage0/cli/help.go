package cli

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/raket/raket/stage0/cli/appargs"
)

// printHelp prints all there is to know of a command. It is written out here, for
// a template package would cost 3 MiB.
func printHelp(w io.Writer, cmd *cobra.Command) error {
	d := document(cmd)
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s - %s\n\nUSAGE\n  %s\n", d.Name, d.Short, d.Usage)
	if d.Long != "" {
		fmt.Fprintf(&b, "\n%s\n", d.Long)
	}
	if len(d.Verbs) > 0 {
		b.WriteString("\nVERBS\n")
		for _, v := range d.Verbs {
			fmt.Fprintf(&b, "  %-14s %s\n", v.Word, v.Text)
		}
	}
	for _, s := range d.Flags {
		if len(s.Flags) == 0 {
			continue
		}
		fmt.Fprintf(&b, "\n%s\n", s.Title)
		for _, f := range s.Flags {
			writeFlag(&b, f)
		}
	}
	if len(d.Exits) > 0 {
		b.WriteString("\nEXIT STATUS\n")
		for _, x := range d.Exits {
			fmt.Fprintf(&b, "  %3s  %s\n", x.Word, x.Text)
		}
	}
	if len(d.Examples) > 0 {
		b.WriteString("\nEXAMPLES\n")
		for _, line := range d.Examples {
			fmt.Fprintf(&b, "  %s\n", line)
		}
	}
	if cmd.HasParent() && !cmd.HasSubCommands() {
		b.WriteString("\nFlags of every verb are listed by raket help.\n")
	}
	_, err := w.Write(b.Bytes())
	return err
}

func writeFlag(b *bytes.Buffer, f FlagDoc) {
	const column = 30
	if len(f.Spelling) < column-2 {
		fmt.Fprintf(b, "  %-*s%s\n", column-2, f.Spelling, f.Text)
		return
	}
	fmt.Fprintf(b, "  %s\n%*s%s\n", f.Spelling, column, "", f.Text)
}

// Doc describes a verb: what help prints and man pages are made of.
type Doc struct {
	// Name is as typed: "raket image list".
	Name  string
	Short string
	Usage string
	// Long is paragraphs; lines that begin with two spaces are to be kept.
	Long  string
	Verbs []Entry
	Flags []FlagSection
	Exits []Entry
	// Examples are command lines.
	Examples []string
}

// Entry is a word and what it means.
type Entry struct{ Word, Text string }

// FlagSection is a list of flags that belong together.
type FlagSection struct {
	Title string
	Flags []FlagDoc
}

// FlagDoc is a flag: its spelling, as "-f, --follow" or "--app=NAME", and
// what it does.
type FlagDoc struct{ Spelling, Text string }

// Documents describes every verb, raket itself first, and groups before their
// verbs.
func Documents() []Doc {
	e := &env{stdout: io.Discard, stderr: io.Discard}
	e.define()
	var docs []Doc
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		docs = append(docs, document(cmd))
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
	}
	root := newRoot(e)
	root.InitDefaultHelpCmd()
	walk(root)
	return docs
}

// ExitCodes is the table of exit codes.
func ExitCodes() []Entry { return entriesOf(exitTable()) }

func entriesOf(rows []exitRow) []Entry {
	var entries []Entry
	for _, r := range rows {
		entries = append(entries, Entry{r.name(), r.meaning})
	}
	return entries
}

func document(cmd *cobra.Command) Doc {
	d := Doc{
		Name:  cmd.CommandPath(),
		Short: cmd.Short,
		Usage: strings.TrimSuffix(cmd.CommandPath(), cmd.Name()) + cmd.Use,
		Long:  cmd.Long,
		Exits: entriesOf(exitsOf(cmd)),
	}
	if cmd.Example != "" {
		d.Examples = strings.Split(cmd.Example, "\n")
	}
	if cmd.HasSubCommands() {
		d.Usage = cmd.CommandPath() + " [FLAGS] VERB ..."
	}
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() || sub.Name() == "help" {
			d.Verbs = append(d.Verbs, Entry{sub.Name(), sub.Short})
		}
	}
	switch {
	case !cmd.HasParent():
		d.Flags = []FlagSection{{"FLAGS OF EVERY VERB", flagDocs(cmd.PersistentFlags())}}
	case cmd.DisableFlagParsing:
		verb, _ := strconv.Atoi(cmd.Annotations[grammarAnnotation])
		d.Flags = podFlagDocs(appargs.Verb(verb))
	default:
		d.Flags = []FlagSection{{"FLAGS", flagDocs(cmd.LocalNonPersistentFlags())}}
	}
	return d
}

func podFlagDocs(verb appargs.Verb) []FlagSection {
	pod, app := FlagSection{Title: "POD FLAGS"}, FlagSection{Title: "APP FLAGS"}
	for _, f := range appargs.Flags(verb) {
		d := FlagDoc{"--" + f.Name, f.Usage}
		if f.Arg != "" {
			d.Spelling += "=" + f.Arg
		}
		if f.Scope == appargs.ForApp {
			app.Flags = append(app.Flags, d)
		} else {
			pod.Flags = append(pod.Flags, d)
		}
	}
	if verb == appargs.Add || verb == appargs.Update {
		pod.Title = "FLAGS"
	}
	return []FlagSection{pod, app}
}

func flagDocs(fs *pflag.FlagSet) []FlagDoc {
	var docs []FlagDoc
	fs.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		arg, usage := pflag.UnquoteUsage(f)
		d := FlagDoc{"--" + f.Name, usage}
		switch {
		case f.NoOptDefVal != "" && arg != "":
			d.Spelling += "[=" + arg + "]"
		case arg != "":
			d.Spelling += "=" + arg
		}
		if f.Shorthand != "" {
			d.Spelling = "-" + f.Shorthand + ", " + d.Spelling
		}
		if zero := []string{"", "false", "0s", "-1", "[]"}; !slices.Contains(zero, f.DefValue) {
			d.Text += " (default " + f.DefValue + ")"
		}
		docs = append(docs, d)
	})
	return docs
}
