// Package hostport holds ports of the host for pods that publish them.
//
// Rules of the kernel send what comes for a published port to the pod, whoever listens there:
// a process of the host's would never hear of it. So each such port is bound, by a socket that
// nobody listens on, whose descriptor goes along with the process that becomes the pod and is
// closed with it. The kernel then refuses the port to anybody else, and refuses it to raket if
// somebody has it already; no record of ports can be wrong after a crash.
//
// It imports pkg/podport and pkg/stageabi.
package hostport
