package main

import (
	"os"
	"strconv"
	"strings"
)

// What is known outlives the program in a file of its directory: a line of what the host was
// told, and one for each app. No field has a tab or a newline in it: texts are clean.

func (p *pod) encode() string {
	var b strings.Builder
	line := func(fields ...string) { b.WriteString(strings.Join(fields, "\t") + "\n") }
	line(strconv.FormatBool(p.settled), strconv.FormatBool(p.told.reloading), p.told.status)
	for _, a := range p.apps {
		line(a.name, a.mark, strconv.FormatBool(a.up), strconv.FormatBool(a.reloading), a.status)
	}
	return b.String()
}

// decode takes from text what it has about the pod's apps.
func (p *pod) decode(text string) {
	first, rest, _ := strings.Cut(text, "\n")
	if f := strings.Split(first, "\t"); len(f) == 3 {
		p.settled, p.told = f[0] == "true", told{reloading: f[1] == "true", status: f[2]}
	}
	for line := range strings.SplitSeq(rest, "\n") {
		f := strings.Split(line, "\t")
		if len(f) != 5 {
			continue
		}
		for _, a := range p.apps {
			if a.name == f[0] {
				a.mark, a.up, a.reloading, a.status = f[1], f[2] == "true", f[3] == "true", f[4]
			}
		}
	}
}

func (f *forwarder) load() {
	if text, err := os.ReadFile(f.dir + "/state"); err == nil {
		f.pod.decode(string(text))
	}
}

// save is called before the host is told: a program that takes over then tells it again.
func (f *forwarder) save() error {
	text := f.pod.encode()
	if text == f.saved {
		return nil
	}
	if err := os.WriteFile(f.dir+"/.state", []byte(text), 0o600); err != nil {
		return err
	}
	if err := os.Rename(f.dir+"/.state", f.dir+"/state"); err != nil {
		return err
	}
	f.saved = text
	return nil
}
