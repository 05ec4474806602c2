// Command reloader rewrites nginx's configuration and makes nginx read it again:
//
//	reloader [-conf FILE] [-trigger FILE] [-pidfile FILE] [-listen PORT]
//
// Whenever the trigger file is written, or on SIGUSR1, the file's text becomes the answer
// that the server in the configuration file gives; then nginx's master process gets a HUP.
// The master is found by its pid file, or else by its title in /proc: both need the PID
// namespace that a pod's apps share. If the configuration is not there at the start, the
// reloader writes a first one, and is ready when nginx has it.
package main
