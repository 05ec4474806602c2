package network

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/containernetworking/cni/pkg/invoke"
	"golang.org/x/sys/unix"

	"github.com/raket/raket/pkg/nftables"
)

// forwardType is the type of another plugin that is part of this package. Where the host's
// iptables drop what is forwarded for want of a rule, as Docker and ufw leave them, it adds
// rules for the pod's addresses. They come last: what others refuse stays refused. Elsewhere
// it executes nothing.
const forwardType = "raket-forward"

// ruleset is what one of the two commands keeps for a protocol, in nf_tables or in what the
// kernel had before. Both may be in use at once, and each drops for itself.
type ruleset struct {
	program string
	family  byte
	// older is the file of the tables in the older implementation; "" for nf_tables.
	older string
}

func rulesetsOf(ip netip.Addr) []ruleset {
	// The thread's own: the process' first thread may have ended in a pod's namespace, which is
	// then what /proc/net shows.
	const tables = "/proc/thread-self/net/"
	if ip.Is4() {
		return []ruleset{{"iptables", nftables.IPv4, ""}, {"iptables", nftables.IPv4, tables + "ip_tables_names"}}
	}
	return []ruleset{{"ip6tables", nftables.IPv6, ""}, {"ip6tables", nftables.IPv6, tables + "ip6_tables_names"}}
}

// String is what to call it, for people.
func (r ruleset) String() string {
	if r.older != "" {
		return r.program + "-legacy"
	}
	return r.program
}

// The chain by the names that both commands give it.
const (
	filterTable  = "filter"
	forwardChain = "FORWARD"
)

// hostForward answers as the plugin would.
func hostForward(stdin []byte, vars map[string]string, env []string) ([]byte, error) {
	command := vars["CNI_COMMAND"]
	var do func(r ruleset, rule []string) error
	switch command {
	case "ADD":
		do = func(r ruleset, rule []string) error { return r.call(env, "-A", rule) }
	case "CHECK":
		do = func(r ruleset, rule []string) error {
			if r.call(env, "-C", rule) != nil {
				return fmt.Errorf("chain %s of %s has lost the pod's rules: start it again", forwardChain, r)
			}
			return nil
		}
	case "DEL":
		do = func(r ruleset, rule []string) error {
			err := r.call(env, "-D", rule)
			var exit *exec.ExitError
			if errors.As(err, &exit) && exit.ExitCode() == 1 {
				return nil // there is none (iptables(8), "DIAGNOSTICS" of -D)
			}
			return err
		}
	case "GC", "STATUS":
		return nil, nil
	default:
		return nil, fmt.Errorf("%s is not known", command)
	}
	raw, addresses, err := previous(stdin)
	if err != nil {
		if command == "DEL" {
			return nil, nil // it was not reached
		}
		return nil, err
	}
	comment := "raket-" + vars["CNI_CONTAINERID"] + "-" + vars["CNI_IFNAME"]
	var errs []error
	done := func() bool { return command != "DEL" && errors.Join(errs...) != nil }
	for _, a := range addresses {
		for _, r := range rulesetsOf(a.Addr()) {
			there, drops, err := r.forward(env)
			if err != nil {
				errs = append(errs, err)
			}
			if drops || there && command == "DEL" {
				for _, rule := range forwardRules(a.Addr(), comment) {
					if !done() {
						errs = append(errs, do(r, rule))
					}
				}
			}
		}
	}
	if command != "ADD" {
		raw = nil
	}
	return raw, errors.Join(errs...)
}

// forwardRules let out what the pod sends, and in what answers it or was led on to it.
func forwardRules(ip netip.Addr, comment string) [][]string {
	end := []string{"-m", "comment", "--comment", comment, "-j", "ACCEPT"}
	return [][]string{
		append([]string{"-s", ip.String()}, end...),
		append([]string{"-d", ip.String(), "-m", "conntrack", "--ctstate", "RELATED,ESTABLISHED,DNAT"}, end...),
	}
}

// forward reports whether there is a chain that sees what is forwarded, and whether it drops
// what no rule accepts.
func (r ruleset) forward(env []string) (there, drops bool, err error) {
	if r.older == "" {
		policy, err := nftables.ChainPolicy(r.family, filterTable, forwardChain)
		switch {
		case err == nil:
			return true, policy == 0, nil // NF_DROP
		case errors.Is(err, unix.ENOENT):
			return false, false, nil
		}
		return false, false, fmt.Errorf("look at chain %s of %s: %w", forwardChain, r, err)
	}
	// The older implementation has no such query, and must not be loaded by asking.
	names, err := os.ReadFile(r.older)
	if err != nil || !bytes.Contains(append([]byte("\n"), names...), []byte("\n"+filterTable+"\n")) || r.path(env) == "" {
		return false, false, nil
	}
	out, err := r.command(env, "-S", forwardChain).Output()
	if err != nil {
		return false, false, fmt.Errorf("%s: %w", r, err)
	}
	return true, bytes.HasPrefix(out, []byte("-P "+forwardChain+" DROP")), nil
}

func (r ruleset) call(env []string, how string, rule []string) error {
	out, err := r.command(env, append([]string{how, forwardChain}, rule...)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %s %s: %w: %s", r, how, forwardChain, err, oneLine(out))
	}
	return nil
}

// command waits for who else is at the rules.
func (r ruleset) command(env []string, args ...string) *exec.Cmd {
	cmd := exec.Command(cmp.Or(r.path(env), r.program), append([]string{"-w"}, args...)...)
	cmd.Env = pluginEnv(env)
	return cmd
}

// path is the program that knows these rules, "" for none. Which of them has the plain name
// is the distribution's or the administrator's choice; before there were two, it was
// the older one.
func (r ruleset) path(env []string) string {
	newer, older := find(env, r.program+"-nft"), find(env, r.program+"-legacy")
	switch {
	case r.older != "" && older != "":
		return older
	case r.older != "" && newer != "":
		return ""
	case r.older == "" && newer != "":
		return newer
	}
	return find(env, r.program)
}

func find(env []string, program string) string {
	for _, e := range pluginEnv(env) {
		if dirs, ok := strings.CutPrefix(e, "PATH="); ok {
			if path, err := invoke.FindInPath(program, filepath.SplitList(dirs)); err == nil {
				return path
			}
		}
	}
	return ""
}

// within answers for the plugins that are part of this package; done is false for others.
func within(plugin string, stdin []byte, env []string) (answer json.RawMessage, done bool, err error) {
	if plugin != masqueradeType && plugin != forwardType {
		return nil, false, nil
	}
	vars := map[string]string{}
	for _, e := range env {
		name, value, _ := strings.Cut(e, "=")
		vars[name] = value
	}
	if plugin == forwardType {
		answer, err = hostForward(stdin, vars, env)
	} else {
		answer, err = masquerade(stdin, vars)
	}
	return answer, true, err
}
