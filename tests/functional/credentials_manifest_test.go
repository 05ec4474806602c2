package functional

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// TestCredentialsOfAPodManifest has a pod's own manifest give its apps their credentials again,
// and only to them.
func TestCredentialsOfAPodManifest(t *testing.T) {
	p := newPods(t)
	p.MustRun(t, "umask 077; mkdir -p /run/secrets /etc/credstore; printf file >/run/secrets/file; printf key >/etc/credstore/web.key")
	t.Cleanup(func() { p.Run(t, "rm -rf /run/secrets /etc/credstore /run/f-manifest /run/f-manifest.bad /run/f-uuid") })
	lines := func(text string) []string { return slices.Sorted(strings.Lines(text)) }
	const nobody = "echo ${CREDENTIALS_DIRECTORY-none}; ls /run/raket/credentials 2>/dev/null; true"
	r := p.run(t, []string{"--uuid-file-save=/run/f-uuid"},
		app{name: "one", script: showCredentials, flags: []string{"--user=app", "--load-credential=x:/run/secrets/file", "--import-credential=web.*", "--init"}},
		app{name: "two", script: nobody})
	const want = "1000:1000 500 .\n1000:1000 400 web.key key\n1000:1000 400 x file\nnone\n"
	if r.Stdout != want {
		t.Fatalf("by flags: %+v", r)
	}
	manifest := p.must(t, "cat-manifest", "--uuid-file=/run/f-uuid")
	if !strings.Contains(manifest, "io.raket.load-credential") || !strings.Contains(manifest, "x:/run/secrets/file") {
		t.Fatalf("the manifest is %s", manifest)
	}
	// What the apps execute is not in it.
	var m map[string]any
	if err := json.Unmarshal([]byte(manifest), &m); err != nil {
		t.Fatal(err)
	}
	apps, _ := m["apps"].([]any)
	for i, section := range []map[string]any{
		{"exec": []string{"/bin/sh", "-c", showCredentials}, "user": "1000", "group": "1000"},
		{"exec": []string{"/bin/sh", "-c", nobody}, "user": "0", "group": "0"},
	} {
		apps[i].(map[string]any)["app"] = section
	}
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	p.WriteFile(t, "/run/f-manifest", string(text), 0o644)
	if r := p.raket(t, "run", "--net=none", "--quiet", "--pod-manifest=/run/f-manifest", "--uuid-file-save=/run/f-uuid"); !slices.Equal(lines(r.Stdout), lines(want)) { // which app is first is not said
		t.Errorf("by the manifest: %+v", r)
	}
	if again := p.must(t, "cat-manifest", "--uuid-file=/run/f-uuid"); !strings.Contains(again, "x:/run/secrets/file") {
		t.Errorf("the manifest became %s", again)
	}
	pods := len(p.list(t))
	for change, says := range map[string]string{
		"s,x:/run/secrets/file,x:/run/secrets/none,":      "app one: credential x: stat /run/secrets/none: no such file or directory",
		"s,x:/run/secrets/file,x:-,":                      "app one: annotation io.raket.load-credential: \"x:-\": a pod manifest's apps have no standard input",
		"s,x:/run/secrets/file,../x:/run/secrets/file,":   "app one: annotation io.raket.load-credential",
		"s,raket.import-credential,raket.set-credential,": "a pod manifest is no place for a secret",
	} {
		p.MustRun(t, "sed "+quote(change)+" /run/f-manifest >/run/f-manifest.bad")
		if r := p.raket(t, "run", "--net=none", "--quiet", "--pod-manifest=/run/f-manifest.bad"); r.Code != 254 || !strings.Contains(r.Stderr, says) || strings.Count(r.Stderr, "\n") > 2 {
			t.Errorf("%s: %+v", change, r)
		}
	}
	if r := p.run(t, nil, app{script: "true", flags: []string{"--annotation=io.raket.load-credential=x"}}); r.Code != 254 || !strings.Contains(r.Stderr, "use --load-credential") {
		t.Errorf("as an annotation of an image's: %+v", r)
	}
	if n := len(p.list(t)); n != pods {
		t.Errorf("%d pods are left of those that were refused", n-pods)
	}
}

// TestTheHostDecryptsAPodsCredentials encrypts for this host alone.
func TestTheHostDecryptsAPodsCredentials(t *testing.T) {
	p := newPods(t)
	t.Cleanup(func() { p.Run(t, "rm -f /run/f-db.cred") })
	p.MustRun(t, "printf %s "+secret+" | systemd-creds encrypt --with-key=host --name=db - /run/f-db.cred")
	if got := p.Run(t, "grep -a "+secret+" /run/f-db.cred").Stdout; got != "" {
		t.Fatalf("it is not encrypted: %q", got)
	}
	line := p.cmd() + " " + quote(runLine(nil, app{script: showCredentials, flags: []string{"--user=app", "--load-credential=db"}})...)
	r := p.Run(t, "systemd-run --quiet --wait --pipe --collect -p LoadCredentialEncrypted=db:/run/f-db.cred /bin/sh -c "+quote(line+"; exit $?"))
	if want := "1000:1000 500 .\n1000:1000 400 db " + secret + "\n"; r.Stdout != want || r.Code != 0 {
		t.Errorf("got %+v, want %q", r, want)
	}
	// Under another name it is none.
	if r := p.Run(t, "systemd-run --quiet --wait --pipe --collect -p LoadCredentialEncrypted=other:/run/f-db.cred /bin/sh -c "+quote(line)); r.Code == 0 || strings.Contains(r.Stdout, secret) {
		t.Errorf("under another name: %+v", r)
	}
}
