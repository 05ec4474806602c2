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
// it (config-linux.md). No file system that an app can write to has working
// device nodes, or root with CAP_MKNOD would make itself the host's disk: the
// nodes of /dev are mounts of their own, from a file system that is out of reach.
func mountDev() error {
	old := unix.Umask(0)
	defer unix.Umask(old)
	loans, err := makeNodes()
	if err != nil {
		return err
	}
	if err := mountAt("tmpfs", "/dev", apiFlags|unix.MS_STRICTATIME, "mode=755,size=65536k,nr_inodes=4096"); err != nil {
		return err
	}
	for _, l := range loans {
		if err := l.place(); err != nil {
			return err
		}
	}
	for _, l := range links {
		if err := unix.Symlink(l[0], "/dev/"+l[1]); err != nil {
			return wrap("link /dev/"+l[1], err)
		}
	}
	for _, d := range [...]string{"pts", "shm", "mqueue", "raket"} {
		if err := unix.Mkdir("/dev/"+d, 0o755); err != nil {
			return wrap("make /dev/"+d, err)
		}
	}
	if err := mountAt("devpts", "/dev/pts", unix.MS_NOSUID|unix.MS_NOEXEC, "newinstance,ptmxmode=0666,mode=620,gid=5"); err != nil {
		return err
	}
	return mountAt("mqueue", "/dev/mqueue", apiFlags, "")
}

// makeNodes makes the device nodes and returns a detached mount of each.
func makeNodes() ([]loan, error) {
	if err := mountAt("tmpfs", "/dev", unix.MS_NOSUID|unix.MS_NOEXEC, "mode=755,nr_inodes=16"); err != nil {
		return nil, err
	}
	loans := make([]loan, 0, len(nodes))
	for _, n := range nodes {
		path := "/dev/" + n.name
		if err := unix.Mknod(path, unix.S_IFCHR|0o666, int(unix.Mkdev(n.major, n.minor))); err != nil {
			return nil, wrap("make "+path, err)
		}
		fd, err := unix.OpenTree(unix.AT_FDCWD, path, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
		if err != nil {
			return nil, wrap("mount "+path, err)
		}
		loans = append(loans, loan{fd, path, false})
	}
	return loans, wrap("detach the device nodes", unix.Unmount("/dev", unix.MNT_DETACH))
}
