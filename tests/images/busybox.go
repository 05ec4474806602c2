package images

import (
	"bytes"
	"fmt"
	"os/exec"
	"strings"
)

// passwd and group name the users that tests run apps as.
const (
	passwd = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\nwww-data:x:33:33:www-data:/var/www:/bin/false\napp:x:1000:1000:app:/home/app:/bin/sh\n"
	group  = "root:x:0:\nnogroup:x:65534:\nwww-data:x:33:app\napp:x:1000:\nlogs:x:2000:app\n"
)

// Busybox is an image with the machine's static busybox as /bin/busybox, a link for each of
// its applets, and the users root, www-data (33), app (1000, also in logs, 2000), nobody.
// It runs a shell.
func Busybox() Builder { return New().Layer(BusyboxFiles()...).Cmd("/bin/sh") }

// BusyboxFiles are the entries of the busybox image, for an ACI or another base.
func BusyboxFiles() []Entry {
	path, err := exec.LookPath("busybox")
	if err != nil {
		return []Entry{{err: fmt.Errorf("make the busybox image: %w (Debian package busybox-static)", err)}}
	}
	binary := FileFrom("bin/busybox", path, 0o755)
	if binary.err == nil && bytes.Contains(binary.Body, []byte("/lib64/ld-linux")) {
		return []Entry{{err: fmt.Errorf("make the busybox image: %s is not static (Debian package busybox-static)", path)}}
	}
	entries := []Entry{
		Dir("bin", 0o755), Dir("etc", 0o755), Dir("root", 0o700), Dir("tmp", 0o1777), Dir("home", 0o755),
		Dir("home/app", 0o755).Owned(1000, 1000), Dir("usr", 0o755), Dir("usr/bin", 0o755), Dir("var", 0o755), Dir("run", 0o755),
		File("etc/passwd", passwd, 0o644), File("etc/group", group, 0o644), binary,
	}
	applets, err := exec.Command(path, "--list").Output()
	if err != nil {
		return []Entry{{err: fmt.Errorf("list busybox's applets: %w", err)}}
	}
	for _, a := range strings.Fields(string(applets)) {
		if a != "busybox" {
			entries = append(entries, Symlink("bin/"+a, "busybox"))
		}
	}
	return entries
}
