// Command exec is the last step of starting an app: systemd executes it in the
// pod's root, it enters the app's root, does what no unit directive can express
// or what systemd does slowly, gives up the capabilities that took, and executes
// the app.
//
// Usage:
//
//	exec [-h IDENTIFIER -u UNIT [-j]] [-m MODES] [-R ROOT [-r] [-o] [-U]] [-w DIR] [-n|-N PATH] [-f N] [-e FILE] [-d DEVICE]... [-i PATH]... [-q PATH]... [-x LABEL] [-g FILE]... [-c FILE] [-b MASK] [-a MASK] -- PROGRAM [ARG]...
//	exec [-h IDENTIFIER -u UNIT] [-p] [-G GROUP] -s APP
//	exec [-p] -D|-S|-V|-W APP
//	exec -l ADDRESS
//	exec -L FILE
//	exec -M APP
//	exec -k [-y FILE] -- INIT [ARG]...
//
// The options:
//
//	-h, -u  file descriptor 1 is a fresh connection to journald's stream socket:
//	        write its header, with the host's unit rather than the pod's
//	-j      that connection is file descriptor 2
//	-m      file descriptor 0 is a connection to mux, which holds the app's streams: get
//	        them from there, or make a terminal and leave its other end there
//	-R      make a mount namespace, enter the root ROOT (a mount point) and mount
//	        /proc, /sys and /dev there
//	-r      make that root read-only
//	-o      leave the kernel's files there as the kernel has them: none masked, none
//	        read-only
//	-U      the pod has a user namespace: take device nodes and /sys from the pod (see
//	        lent.go)
//	-w      change the working directory, after the root
//	-n      the app speaks to its service manager: carry the notify socket along
//	-N      the same with another socket in place of systemd's, PATH; in a root that systemd
//	        has entered it is at /.raket/notify
//	-f      fail if LISTEN_FDS is less than N: an app without its sockets would wait for
//	        connections that never come
//	-e      add the variables of this file to the environment, NAME=VALUE and a NUL byte each,
//	        which no unit could hold; it is seen from before the root is entered
//	-d      make a device node, PATH:TYPE:MAJOR:MINOR:MODE:UID:GID
//	-i, -q  hide a path of the app's, or make it read-only, beyond those that are so in every app
//	-x      execute PROGRAM with apparmor:PROFILE or selinux:CONTEXT
//	-y      with -k: set the kernel parameters of this file, lines a/b/c=VALUE
//	-g      join the control group whose file "tasks" this is, seen from before the
//	        root is entered
//	-c      load the system call filter of this file (pkg/seccomp/program), seen from
//	        before the root is entered, as the last thing before PROGRAM
//	-b      capabilities to keep in the bounding set, a hexadecimal mask
//	-a      capabilities to keep in the ambient set, a hexadecimal mask
//	-s      do not start anything: record how the app ended, and say so if it
//	        failed (see record.go)
//	-G      the name of the app's control group for memory, where it is not the app's
//	-D      do not start anything: record that the app has run to its end, and well
//	-S, -V  do not start anything: note that the app has started, or never will
//	-W      do not start anything: wait until one of these is noted, and fail if it
//	        is the second (see up.go)
//	-p      of these: systemd has entered the app's root
//	-l      do not start anything: wait until a stream socket listens at ADDRESS
//	        (see await.go)
//	-L      do not start anything: wait until nobody has locked FILE (flock(2))
//	-M      do not start anything: print the number of the app's main process, 0 for
//	        none, with the pod's root as the working directory (see mainpid.go)
//	-k      have the kernel kill PROGRAM when the process that started it dies: the
//	        pod's init goes with nspawn, whatever kills that, and with the init
//	        every process of the pod
//
// It exits 203 when PROGRAM cannot be executed, 226 when the root cannot be set up
// and 228 when the filter cannot be loaded, as systemd does.
//
// It stays resident in no pod: every path ends in execve(2) or exit(2). It
// imports the standard library's os, the system call packages, and nothing else,
// because each app of each pod pays for its start.
package main
