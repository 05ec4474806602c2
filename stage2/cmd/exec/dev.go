package main

import "golang.org/x/sys/unix"

type node struct {
	name         string
	major, minor uint32
}

var (
	nodes = [...]node{{"null", 1, 3}, {"zero", 1, 5}, {"full", 1, 7}, {"random", 1, 8}, {"urandom", 1, 9}, {"tty", 5, 0}}
	links = [...][2]string{
		{"/proc/self/fd", "fd"}, {"/proc/self/fd/0", "stdin"}, {"/proc/self/fd/1", "stdout"},
		{"/proc/self/fd/2", "stderr"}, {"pts/ptmx", "ptmx"},
	}
)

// mountDev fills /dev as the OCI runtime specification's default devices have
// it (config-linux.md).
func mountDev() error {
	if err := mountAt("tmpfs", "/dev", unix.MS_NOSUID|unix.MS_NOEXEC|unix.MS_STRICTATIME, "mode=755,size=64k,nr_inodes=64"); err != nil {
		return err
	}
	old := unix.Umask(0)
	defer unix.Umask(old)
	for _, n := range nodes {
		if err := unix.Mknod("/dev/"+n.name, unix.S_IFCHR|0o666, int(unix.Mkdev(n.major, n.minor))); err != nil {
			return wrap("make /dev/"+n.name, err)
		}
	}
	for _, l := range links {
		if err := unix.Symlink(l[0], "/dev/"+l[1]); err != nil {
			return wrap("link /dev/"+l[1], err)
		}
	}
	for _, d := range [...]string{"pts", "shm", "mqueue", "raket", emptyDir[len("/dev/"):]} {
		if err := unix.Mkdir("/dev/"+d, 0o755); err != nil {
			return wrap("make /dev/"+d, err)
		}
	}
	if err := mountAt("devpts", "/dev/pts", unix.MS_NOSUID|unix.MS_NOEXEC, "newinstance,ptmxmode=0666,mode=620,gid=5"); err != nil {
		return err
	}
	return mountAt("mqueue", "/dev/mqueue", apiFlags, "")
}

// sealDev makes /dev itself read-only. It is the one file system of the app's on
// which device nodes work, and root with CAP_MKNOD would make itself the host's
// disk there. What is mounted below it stays as it is.
func sealDev() error {
	flags := uintptr(unix.MS_REMOUNT | unix.MS_BIND | unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NOEXEC | unix.MS_STRICTATIME)
	return wrap("make /dev read-only", unix.Mount("", "/dev", "", flags, ""))
}
