package main

import (
	"golang.org/x/sys/unix"

	"github.com/raket/raket/stage2/bare"
)

type node struct {
	path         bare.Str
	major, minor uint32
}

var (
	nodes = [...]node{
		{"/dev/null\x00", 1, 3}, {"/dev/zero\x00", 1, 5}, {"/dev/full\x00", 1, 7},
		{"/dev/random\x00", 1, 8}, {"/dev/urandom\x00", 1, 9}, {"/dev/tty\x00", 5, 0},
	}
	links = [...][2]bare.Str{
		{"/proc/self/fd\x00", "/dev/fd\x00"}, {"/proc/self/fd/0\x00", "/dev/stdin\x00"}, {"/proc/self/fd/1\x00", "/dev/stdout\x00"},
		{"/proc/self/fd/2\x00", "/dev/stderr\x00"}, {"pts/ptmx\x00", "/dev/ptmx\x00"},
	}
	devDirs = [...]bare.Str{"/dev/pts\x00", "/dev/shm\x00", "/dev/mqueue\x00", "/dev/raket\x00", emptyDir}
)

// mountDev fills /dev as the OCI runtime specification's default devices have
// it (config-linux.md). shm is the pod's /dev/shm: POSIX shared memory goes with the
// IPC namespace, which its apps share.
func mountDev(lent *lent, shm int) bare.Failure {
	const dev = bare.Str("/dev\x00")
	if bad := mountAt("tmpfs\x00", dev, unix.MS_NOSUID|unix.MS_NOEXEC|unix.MS_STRICTATIME, "mode=755,size=64k,nr_inodes=64\x00"); bad.Failed() {
		return bad
	}
	old := bare.Umask(0)
	if bad := lent.placeNodes(); bad.Failed() {
		return bad
	}
	for _, n := range nodes {
		if lent.given {
			break
		}
		if errno := bare.Mknod(n.path, unix.S_IFCHR|0o666, uintptr(unix.Mkdev(n.major, n.minor))); errno != 0 {
			return bare.Check("make", n.path.Text(), errno)
		}
	}
	bare.Umask(old)
	for _, l := range links {
		if errno := bare.Symlink(l[0], l[1]); errno != 0 {
			return bare.Check("link", l[1].Text(), errno)
		}
	}
	for _, d := range devDirs {
		if errno := bare.Mkdir(d, 0o755); errno != 0 {
			return bare.Check("make", d.Text(), errno)
		}
	}
	if bad := mountAt("devpts\x00", "/dev/pts\x00", unix.MS_NOSUID|unix.MS_NOEXEC, "newinstance,ptmxmode=0666,mode=620,gid=5\x00"); bad.Failed() {
		return bad
	}
	tree, errno := bare.CloneTree(shm)
	if errno == 0 {
		errno = bare.MoveMount(tree, shmPath)
		bare.Close(tree)
	}
	bare.Close(shm)
	if errno != 0 {
		return bare.Check("share", bare.Str(shmPath).Text(), errno)
	}
	return mountAt("mqueue\x00", "/dev/mqueue\x00", apiFlags, "")
}

// sealDev makes /dev itself read-only. It is the one file system of the app's on
// which device nodes work, and root with CAP_MKNOD would make itself the host's
// disk there. What is mounted below it stays as it is.
func sealDev() bare.Failure {
	const flags = unix.MS_REMOUNT | unix.MS_BIND | unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NOEXEC | unix.MS_STRICTATIME
	return bare.Check("make /dev read-only", "", bare.Mount("", "/dev\x00", "", flags, ""))
}
