// Package podsocket is about sockets that apps are handed ready to listen: those
// that a .socket unit of the host opened (sd_listen_fds(3)), and those that the
// pod's init opens.
//
// Terms: a Descriptor is a socket that this process was given, from file
// descriptor 3 on. A Wish is what an app asks for, the value of --socket. Assign
// brings the two together and makes the pod's sockets (stageabi.Socket) of them,
// each with its address as a unit file has it: the pod's systemd finds an
// inherited descriptor by comparing addresses, so what is written has to be the
// address that the kernel says.
//
// It imports the standard library, the system call package and pkg/stageabi.
package podsocket
