package testhost

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// unpackPackages puts the files of Debian packages, and of those they need beyond what the
// host's root has, into a directory: $1 is that root, $2 the directory, the rest are packages.
// No script of a package runs.
const unpackPackages = `set -e
root=$1 tree=$2; shift 2
rm -rf "$tree.new" "$tree.debs"; mkdir -p "$tree.new/usr" "$tree.debs"; cd "$tree.debs"
of() { apt-get -o APT::Sandbox::User=root -o Dir::State::status="$root/var/lib/dpkg/status" "$@"; }
list() { of install -s --no-install-recommends "$@" | awk '/^Inst/ {print $2}'; }
all=$(list "$@") && of download $all || { apt-get update; all=$(list "$@"); of download $all; }
for d in *.deb; do dpkg-deb -x "$d" "$tree.new"; done
cd "$tree.new"; rm -rf "$tree.debs" usr/share/doc usr/share/man usr/share/locale
for d in bin sbin lib; do if [ -d $d ]; then mkdir -p usr/$d; cp -a $d/. usr/$d/; rm -rf $d; fi; done
mv -T "$tree.new" "$tree"`

// Install puts the files of Debian packages into the host: no script of theirs runs. They are
// kept in the cache.
func (h *Host) Install(t testing.TB, packages ...string) {
	t.Helper()
	root, err := h.script(t.Context(), "root")
	if err != nil {
		t.Fatal(err)
	}
	root = strings.TrimSpace(root)
	key := sha256.Sum256([]byte(unpackPackages + root + strings.Join(packages, " ")))
	tree := filepath.Join(filepath.Dir(root), fmt.Sprintf("packages-%x", key[:6]))
	if _, err := os.Stat(tree); err != nil {
		out, err := exec.CommandContext(t.Context(), "flock", append([]string{tree + ".lock", "sh", "-c", `[ -d "$2" ] || { ` + unpackPackages + "\n}", "sh", root, tree}, packages...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("unpack %v: %v\n%s", packages, err, out)
		}
	}
	h.Put(t, tree+"/.", "/")
	h.MustRun(t, "ldconfig; systemctl daemon-reload")
}
