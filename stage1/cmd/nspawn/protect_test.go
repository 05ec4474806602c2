package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/raket/raket/pkg/appspec"
)

func TestLabelsNeedTheirModule(t *testing.T) {
	with := func(files map[string]string) string {
		dir := t.TempDir()
		for name, text := range files {
			path := filepath.Join(dir, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		return dir
	}
	none, off := with(nil), with(map[string]string{"module/apparmor/parameters/enabled": "N\n"})
	apparmor, selinux := with(map[string]string{"module/apparmor/parameters/enabled": "Y\n"}), with(map[string]string{"fs/selinux/enforce": "1"})
	for _, tc := range []struct {
		name, sys      string
		profile, label string
		err            string
	}{
		{"nothing asked for", none, "", "", ""},
		{"a profile with AppArmor", apparmor, "p", "", ""},
		{"a profile without", none, "p", "", "AppArmor profile p: AppArmor is not at work on this host"},
		{"a profile with AppArmor switched off", off, "p", "", "AppArmor profile p: AppArmor is not at work on this host"},
		{"a context with SELinux", selinux, "", "a:b:c:s0", ""},
		{"a context without", apparmor, "", "a:b:c:s0", "SELinux context a:b:c:s0: SELinux is not at work on this host"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			spec := appspec.New().Spec
			spec.Process.ApparmorProfile, spec.Process.SelinuxLabel = tc.profile, tc.label
			got := ""
			if err := checkLabels(spec, tc.sys); err != nil {
				got = err.Error()
			}
			if got != tc.err {
				t.Errorf("error %q, want %q", got, tc.err)
			}
		})
	}
}
