package main

import (
	"os/exec"
	"strings"
	"testing"
)

func TestVersionsOfSystemd(t *testing.T) {
	for text, want := range map[string]int{
		"systemd 252 (252.39-1~deb12u1)\n+PAM +AUDIT": 252, "systemd 257 (257-1)": 257, "systemd 258~rc1 (258~rc1)": 258, "": 0, "busybox 252": 0, "systemd v252": 0,
	} {
		got, err := parseVersion(text)
		if got != want || (err == nil) != (want != 0) {
			t.Errorf("%q: %d, %v", text, got, err)
		}
	}
}

func TestExpressionsOfTheCalendar(t *testing.T) {
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("systemd-analyze is not installed (Debian package systemd)")
	}
	if err := checkCalendar("Mon *-*-* 04:00 Europe/Berlin"); err != nil {
		t.Error(err)
	}
	for _, bad := range []string{"Sometimes", "--help"} {
		if err := checkCalendar(bad); err == nil || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), bad) {
			t.Errorf("%q: error %v", bad, err)
		}
	}
}
