package main

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/raket/raket/stage0/cli"
)

// manPages makes raket.1 and raket-VERB.1 for every verb, and
// raket-exit-codes.7.
func manPages() map[string][]byte {
	docs := cli.Documents()
	pages := make(map[string][]byte)
	for _, d := range docs {
		pages[pageName(d.Name)+".1"] = manPage(d)
	}
	pages["raket-exit-codes.7"] = exitCodesPage()
	return pages
}

func pageName(command string) string { return strings.ReplaceAll(command, " ", "-") }

// manPage writes one page for man(7). There is no date in it, so that the same
// tree makes the same page.
func manPage(d cli.Doc) []byte {
	var p page
	p.title(pageName(d.Name), 1)
	p.section("NAME")
	p.text(pageName(d.Name) + ` \- ` + escape(lowerFirst(d.Short)))
	p.section("SYNOPSIS")
	p.text(`\fB` + escape(d.Usage) + `\fR`)
	if d.Long != "" {
		p.section("DESCRIPTION")
		p.paragraphs(d.Long)
	}
	if len(d.Verbs) > 0 {
		p.section("VERBS")
		for _, v := range d.Verbs {
			p.item(pageName(d.Name+" "+v.Word)+"(1)", v.Text)
		}
	}
	for _, s := range d.Flags {
		if len(s.Flags) == 0 {
			continue
		}
		p.section(s.Title)
		for _, f := range s.Flags {
			p.item(f.Spelling, f.Text)
		}
	}
	if len(d.Exits) > 0 {
		p.section("EXIT STATUS")
		for _, x := range d.Exits {
			p.item(x.Word, x.Text)
		}
	}
	if len(d.Examples) > 0 {
		p.section("EXAMPLES")
		p.verbatim(d.Examples)
	}
	p.section("SEE ALSO")
	p.text(escape(seeAlso(d.Name)))
	return p.Bytes()
}

func seeAlso(command string) string {
	if command == "raket" {
		return "raket-exit-codes(7), systemd-nspawn(1)"
	}
	parent := command[:strings.LastIndex(command, " ")]
	return pageName(parent) + "(1), raket-exit-codes(7)"
}

func exitCodesPage() []byte {
	var p page
	p.title("raket-exit-codes", 7)
	p.section("NAME")
	p.text(`raket-exit-codes \- what raket's exit codes mean`)
	p.section("DESCRIPTION")
	for _, x := range cli.ExitCodes() {
		p.item(x.Word, x.Text)
	}
	p.section("SEE ALSO")
	p.text("raket(1)")
	return p.Bytes()
}

// page is roff in the making.
type page struct{ bytes.Buffer }

func (p *page) title(name string, section int) {
	fmt.Fprintf(p, ".TH %s %d \"\" raket raket\n", strings.ToUpper(escape(name)), section)
}

func (p *page) section(title string) { fmt.Fprintf(p, ".SH %s\n", escape(title)) }

// text writes a line that is escaped already.
func (p *page) text(line string) { p.WriteString(line + "\n") }

// paragraphs keeps lines that begin with two spaces as they are.
func (p *page) paragraphs(s string) {
	var kept []string
	flush := func() {
		if kept != nil {
			p.verbatim(kept)
			kept = nil
		}
	}
	for line := range strings.SplitSeq(s, "\n") {
		switch {
		case strings.HasPrefix(line, "  "):
			kept = append(kept, strings.TrimPrefix(line, "  "))
		case line == "":
			flush()
			p.WriteString(".PP\n")
		default:
			flush()
			p.text(escape(line))
		}
	}
	flush()
}

func (p *page) item(word, text string) {
	fmt.Fprintf(p, ".TP\n\\fB%s\\fR\n%s\n", escape(word), escape(text))
}

func (p *page) verbatim(lines []string) {
	p.WriteString(".PP\n.nf\n.RS\n")
	for _, line := range lines {
		p.text(escape(line))
	}
	p.WriteString(".RE\n.fi\n")
}

// escape makes text what roff prints as it is: hyphens stay hyphens, so that
// commands can be copied, and no line is taken for a request.
func escape(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`, "…", `\[u2026]`).Replace(s)
	if strings.HasPrefix(s, ".") || strings.HasPrefix(s, "'") {
		s = `\&` + s
	}
	return s
}

func lowerFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}
