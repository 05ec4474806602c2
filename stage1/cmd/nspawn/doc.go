// Command nspawn is the default stage1: it runs a pod in systemd-nspawn, with
// the host's systemd as the pod's init.
//
// It is one program under the names of its entrypoints: run, enter, attach,
// stop, status, cp, gc. docs/stage1-contract.md says what each is asked to do; the working
// directory is the pod's.
package main
