package functional

import (
	"strconv"
	"strings"
	"testing"
)

// loose are the flags of a pod that goes without a protection.
func loose(words string) []string { return []string{"--net=none", "--insecure-options=" + words} }

func TestProtectionsAreLeftOutByName(t *testing.T) {
	p := newPods(t)
	// Each script says what the app can do; the kernel's knob is one of the pod's own network.
	const (
		knob    = "echo 65 >/proc/sys/net/ipv4/ip_default_ttl && cat /proc/sys/net/ipv4/ip_default_ttl || echo no"
		masks   = "awk '$5 ~ \"^/(proc|sys)/\" {print $5}' /proc/self/mountinfo | wc -l"
		kcore   = "test -s /proc/kcore && echo there || echo masked"
		mount   = "mount -t tmpfs t /tmp && echo yes || echo no"
		newNS   = "unshare -m true && echo yes || echo no"
		filters = "awk '/^Seccomp_filters:/ {print $2}' /proc/self/status"
	)
	// The test host may be under filters itself.
	host := p.MustRun(t, filters)
	n, err := strconv.Atoi(host)
	if err != nil {
		t.Fatal(err)
	}
	both := strconv.Itoa(n + 2) // the pod's and the app's
	for name, tt := range map[string]struct{ words, script, want string }{
		"a knob is read-only":                        {"none", knob, "no"},
		"and still where something else is left out": {"capabilities,seccomp", knob, "no"},
		"but not without the protection of paths":    {"paths", knob, "65"},
		"no path is masked then":                     {"paths", masks, "0"},
		"the kernel's memory is masked":              {"capabilities,seccomp", kcore, "masked"},
		"mounting is refused":                        {"none", mount, "no"},
		"and still where something else is":          {"paths,seccomp", mount, "no"},
		"but not to an app with all capabilities":    {"capabilities", mount, "yes"},
		"nor is a namespace of mounts":               {"capabilities", newNS, "yes"},
		"which others don't get":                     {"paths,seccomp", newNS, "no"},
		"a pod's calls are filtered":                 {"paths", filters, both},
		"but not without the filter":                 {"seccomp", filters, host},
		"nor where nspawn would have its own":        {"capabilities,seccomp", filters, host},
		"all of it at once":                          {"all-run", strings.Join([]string{knob, mount, filters}, "; "), "65\nyes\n" + host},
	} {
		t.Run(name, func(t *testing.T) {
			r := p.run(t, loose(tt.words), app{script: "exec 2>/dev/null; " + tt.script})
			if got := strings.TrimSpace(r.Stdout); got != tt.want {
				t.Errorf("the app says %q, want %q; %+v", got, tt.want, r)
			}
		})
	}
}

func TestAllCapabilitiesAreTheHosts(t *testing.T) {
	p := newPods(t)
	const effective = "awk '/^CapEff:/ {print $2}' /proc/self/status"
	r := p.run(t, loose("capabilities"), app{script: effective})
	if want := p.MustRun(t, effective); strings.TrimSpace(r.Stdout) != want {
		t.Errorf("the app has %q of the host's %q; %+v", r.Stdout, want, r)
	}
	r = p.run(t, loose("capabilities"), app{script: effective, flags: []string{"--caps-retain=CAP_CHOWN"}})
	if strings.TrimSpace(r.Stdout) != "0000000000000001" {
		t.Errorf("an app that was given one has %q", r.Stdout)
	}
}

// Where systemd makes the app's root, it is systemd that protects paths in it.
func TestProtectionsThatSystemdMakesAreLeftOutToo(t *testing.T) {
	p := newPods(t)
	const knob = "exec 2>/dev/null; echo 65 >/proc/sys/net/ipv4/ip_default_ttl && echo yes || echo no"
	for words, want := range map[string]string{"none": "no", "capabilities,seccomp": "no", "paths": "yes"} {
		t.Run(words, func(t *testing.T) {
			r := p.run(t, loose(words), app{script: knob, flags: []string{"--property=PrivateTmp=yes"}})
			if strings.TrimSpace(r.Stdout) != want {
				t.Errorf("the app could turn a knob: %q, want %q; %+v", r.Stdout, want, r)
			}
		})
	}
}

func TestAPreparedPodKeepsWhatItWasPreparedWithout(t *testing.T) {
	p := newPods(t)
	script := "exec 2>/dev/null; mount -t tmpfs t /tmp && echo yes || echo no"
	uuid := p.must(t, append([]string{"prepare", "--quiet", "--insecure-options=capabilities"}, podLine(nil, app{script: script})...)...)
	r := p.raket(t, "run-prepared", "--net=none", "--insecure-options=paths", uuid)
	if r.Code != 254 || !strings.Contains(r.Stderr, "comes too late") {
		t.Errorf("run-prepared with a word of its own: %+v", r)
	}
	if got := p.must(t, "run-prepared", "--net=none", uuid); got != "yes" {
		t.Errorf("the app says %q", got)
	}
}
