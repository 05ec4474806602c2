// Command exit is the last program of a pod: the pod's systemd executes it in
// its own place, as process 1, when it has stopped everything, under the name of
// systemd-shutdown. The kernel kills what is left as process 1 ends, and nspawn
// passes its exit status on.
//
// systemd-shutdown unmounts, detaches and syncs what a machine has; a pod has
// nothing of that, and this takes a millisecond.
package main
