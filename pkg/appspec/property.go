package appspec

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// Property is a systemd directive of an app.
type Property struct {
	Name  string // of a [Service] directive, as "MemoryMax"
	Value string // in unit file syntax, one line
}

// ParseProperty reads NAME=VALUE.
func ParseProperty(s string) (Property, error) {
	name, value, ok := strings.Cut(s, "=")
	if !ok {
		return Property{}, fmt.Errorf("property %q: want NAME=VALUE", s)
	}
	p := Property{Name: strings.TrimSpace(name), Value: strings.TrimSpace(value)}
	return p, p.check()
}

// Properties returns the systemd directives of a spec: annotations with the prefix
// org.systemd.property., sorted by name. An annotation may hold several lines:
// that many values of its directive, in their order, for directives that may be
// given repeatedly. Values are in unit file syntax, so that what systemd's manual
// says holds. (runc's convention has GVariant text there.)
//
// A directive that would leave the frame of the pod is refused; see
// RefusedProperty.
func Properties(spec *Spec) ([]Property, error) {
	var props []Property
	for _, key := range slices.Sorted(maps.Keys(spec.Annotations)) {
		name, ok := strings.CutPrefix(key, PropertyPrefix)
		if !ok {
			continue
		}
		for value := range strings.SplitSeq(spec.Annotations[key], "\n") {
			p := Property{Name: name, Value: value}
			if err := p.check(); err != nil {
				return nil, err
			}
			props = append(props, p)
		}
	}
	return props, nil
}

func (p Property) check() error {
	if !isDirectiveName(p.Name) {
		return fmt.Errorf("property %q: not the name of a directive", p.Name)
	}
	if reason := RefusedProperty(p.Name); reason != "" {
		return fmt.Errorf("property %s is not for an app to set: %s", p.Name, reason)
	}
	if !utf8.ValidString(p.Value) || strings.ContainsFunc(p.Value, isControl) || strings.HasSuffix(p.Value, `\`) {
		return fmt.Errorf("property %s: value %q is not one line of a unit file", p.Name, p.Value)
	}
	if p.IsCommand() {
		if err := checkCommand(p.Value); err != nil {
			return fmt.Errorf("property %s: value %q: %w", p.Name, p.Value, err)
		}
	}
	return nil
}

// IsCommand reports whether the value is a command line: for those the value is
// the prefixes - and :, either or none, and an absolute path with arguments.
func (p Property) IsCommand() bool {
	return strings.HasPrefix(p.Name, "Exec") && p.Name != "ExecSearchPath" && p.Name != "ExecPaths"
}

// checkCommand holds a command line to what can be executed in an app's root and
// as its user.
func checkCommand(value string) error {
	path := strings.TrimLeft(value, "-:")
	switch quoted := strings.TrimLeft(path, `"'`); {
	case strings.ContainsAny(value[:len(value)-len(strings.TrimLeft(value, `"'@-:+! `))], "+!"):
		return errors.New("the prefixes + and ! leave the app's root and user")
	case !strings.HasPrefix(quoted, "/") || len(path)-len(quoted) > 1:
		return errors.New("want an absolute path, behind no prefix but a dash or a colon")
	case holdsSeparator(value):
		return errors.New("one command each: give the property again for another")
	}
	return nil
}

// holdsSeparator reports whether a command line has ";" as a word of its own,
// without quotes: another command follows (systemd.service(5), "COMMAND LINES").
func holdsSeparator(line string) bool {
	quote := byte(0)
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case c == '\\':
			i++
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == ';' && (i == 0 || isSpace(line[i-1])) && (i+1 == len(line) || isSpace(line[i+1])):
			return true
		}
	}
	return false
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' }

// RefusedProperty returns why the directive of this name cannot be set as a
// property of an app, or "" if it can be.
func RefusedProperty(name string) string {
	switch name {
	case "ExecStart":
		return "the command comes from the image or --exec"
	case "RootDirectory", "RootDirectoryStartOnly", "RootImage", "RootImageOptions", "RootImagePolicy", "RootHash",
		"RootHashSignature", "RootVerity", "RootEphemeral", "RootMStack", "MountAPIVFS":
		return "the pod gives each app its root"
	case "User", "Group", "SupplementaryGroups", "DynamicUser", "PAMName":
		return "users are resolved in the app's own files: set the user instead"
	case "Sockets", "FileDescriptorName", "OpenFile", "USBFunctionDescriptors", "USBFunctionStrings":
		return "descriptors come from the pod's sockets"
	case "StandardInput", "StandardOutput", "StandardError", "TTYPath", "LogNamespace", "SyslogIdentifier", "BindLogSockets":
		return "the pod connects its apps' input, output and logs"
	case "SuccessAction", "FailureAction", "StartLimitAction", "SuccessActionExitStatus", "FailureActionExitStatus", "RebootArgument":
		return "the pod's exit policy says what an app's end does to the pod"
	case "NetworkNamespacePath", "IPCNamespacePath", "UserNamespacePath":
		return "the pod's apps share its namespaces, and no others are in reach"
	case "LoadCredential", "LoadCredentialEncrypted", "SetCredential", "SetCredentialEncrypted", "ImportCredential":
		return "a credential does not belong into an app spec: use --load-credential and its like"
	case "Slice":
		return "the pod places its apps in the control group tree"
	case "BusName":
		return "there is no message bus in a pod"
	}
	return ""
}

func isDirectiveName(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z':
		case i > 0 && '0' <= c && c <= '9':
		default:
			return false
		}
	}
	return s != "" && len(s) <= 64
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

// setProperty puts one value in place of those the directive had.
func (a *App) setProperty(name, value string) { a.Spec.Annotations[PropertyPrefix+name] = value }
