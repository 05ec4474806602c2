package unitfile_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/raket/raket/pkg/unitfile"
)

// lookSystemd finds a program of systemd, whose own opinion the tests ask for.
func lookSystemd(t *testing.T, name string) string {
	file, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not installed (Debian package systemd)", name)
	}
	return file
}

// dump has systemd load a unit and returns its view of it: systemd-analyze prints
// what was parsed when it is told to debug.
func dump(t *testing.T, text []byte) string {
	analyze := lookSystemd(t, "systemd-analyze")
	file := filepath.Join(t.TempDir(), "x.service")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), analyze, "verify", "--man=no", "--generators=no", file)
	cmd.Env = append(os.Environ(), "SYSTEMD_LOG_LEVEL=debug", "SYSTEMD_LOG_TARGET=console")
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	for line := range strings.Lines(errs.String()) {
		// Debugging aside, systemd names file and line only to complain.
		if strings.Contains(line, file+":") {
			t.Errorf("systemd: %s", line)
		}
	}
	if err != nil {
		t.Fatalf("systemd-analyze verify: %v\n%s%s", err, text, errs.String())
	}
	return out.String()
}

// nasty are strings of every kind that a command or a variable may hold.
var nasty = []string{
	"plain", "", " ", "a b", "-", "+x", "@x", ";", `\;`, `"`, "'", `a"b'c`, `\`, `\\`, `\n`, `a\`, "a\\\nb", "$", "$$", "$HOME",
	"${HOME}", "a$b$", "%", "%%", "%n", "100%", "a\nExecStart=/bin/evil", "\t", "a\r\nb", "\x01\x1b[31m\x7f", "#c", "[Service]", "=",
	"ü→🚀", "\u2028\u0085", strings.Repeat("long ", 5000),
}

func TestSystemdReadsCommandsBack(t *testing.T) {
	// systemd's dump shows bytes that are no UTF-8 as they are.
	argv := append([]string{"/bin/true"}, nasty...)
	argv = append(argv, "\xff\xfe", "a\x80b")
	f := unitfile.New()
	f.Section("Service")
	f.Exec("ExecStart", "", argv)
	text, err := f.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(dump(t, text), "Command Line: ")
	if !ok {
		t.Fatal("systemd shows no command line")
	}
	got := shellWords(rest)
	for i, arg := range got {
		// Dollars are halved only when the command is executed.
		got[i] = strings.ReplaceAll(arg, "$$", "$")
	}
	if diff := cmp.Diff(argv, got); diff != "" {
		t.Error("arguments (-want +got):\n" + diff)
	}
}

func TestSystemdReadsUnitNamesBack(t *testing.T) {
	name := "a" + unitfile.EscapeName(`b-c\d`) + ".service"
	f := unitfile.New()
	f.Section("Unit")
	f.Units("After", name, "b@x.target")
	f.Section("Service")
	f.Exec("ExecStart", "", []string{"/bin/true"})
	text, err := f.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	out := dump(t, text)
	for _, unit := range []string{name, "b@x.target"} {
		if !strings.Contains(out, "After: "+unit+" ") {
			t.Errorf("not after %s in:\n%s", unit, out)
		}
	}
}

func TestSystemdReadsEnvironmentAndPathsBack(t *testing.T) {
	f := unitfile.New()
	f.Section("Service")
	f.Exec("ExecStart", "", []string{"/bin/true"})
	var want []string
	for i, v := range nasty {
		name := fmt.Sprintf("V%d", i)
		f.Env("Environment", name, v)
		want = append(want, "Environment: "+name+"="+v+"\n")
	}
	f.Bind("BindPaths", unitfile.Bind{Source: `/a:b c\d"e'f%n`, Target: `/g:h i\"%i`})
	f.Bind("BindReadOnlyPaths", unitfile.Bind{Source: "/a", Target: `/$HOME\`, Recursive: true})
	f.Paths("ReadOnlyPaths", `/a:b c\d"e'f%n`, `/$x`)
	f.Paths("InaccessiblePaths", "-/x y")
	f.Path("WorkingDirectory", `/a "b%n' c`)
	f.Path("RootDirectory", `/r "b%n' c`)
	f.SetRaw("CPUQuota", "150%")
	f.Words("SystemCallFilter", "~@mount", "ptrace")
	f.Words("CapabilityBoundingSet", "CAP_CHOWN", "CAP_KILL")
	want = append(want,
		`BindPaths: /a:b c\d"e'f%n:/g:h i\"%i:norbind`+"\n",
		`BindReadOnlyPaths: /a:/$HOME\:rbind`+"\n",
		`ReadOnlyPaths: /a:b c\d"e'f%n /$x`+"\n",
		"InaccessiblePaths: -/x y\n",
		"CapabilityBoundingSet: cap_chown cap_kill\n",
		`WorkingDirectory: /a "b%n' c`+"\n",
		`RootDirectory: /r "b%n' c`+"\n",
	)
	text, err := f.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	out := dump(t, text)
	for _, w := range want {
		if !strings.Contains(out, w) {
			t.Errorf("systemd does not show %.200q", w)
		}
	}
	if n := strings.Count(out, "Command Line:"); n != 1 {
		t.Errorf("%d commands", n)
	}
}

// shellWords reads the words of the first line of a dump: systemd writes those with
// special characters in double quotes, and control characters as C escapes.
func shellWords(s string) []string {
	var words []string
	for s != "" && s[0] != '\n' {
		if s[0] == ' ' {
			s = s[1:]
			continue
		}
		var word strings.Builder
		quoted := false
		for s != "" && (quoted || s[0] != ' ' && s[0] != '\n') {
			switch {
			case s[0] == '"':
				quoted = !quoted
				s = s[1:]
			case s[0] == '\\':
				var c byte
				c, s = unescape(s)
				word.WriteByte(c)
			default:
				word.WriteByte(s[0])
				s = s[1:]
			}
		}
		words = append(words, word.String())
	}
	return words
}

// unescape reads one escape of cescape_char and of shell quoting.
func unescape(s string) (byte, string) {
	if i := strings.IndexByte("abfnrtv", s[1]); i >= 0 {
		return "\a\b\f\n\r\t\v"[i], s[2:]
	}
	if s[1] >= '0' && s[1] <= '3' {
		return (s[1]-'0')<<6 | (s[2]-'0')<<3 | (s[3] - '0'), s[4:]
	}
	return s[1], s[2:]
}
