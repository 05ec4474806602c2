package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/raket/raket/pkg/podsocket"
	"github.com/raket/raket/pkg/stageabi"
)

// checkSockets refuses sockets that only a service manager could open or watch.
func checkSockets(sockets []stageabi.Socket) error {
	for _, s := range sockets {
		switch {
		case s.OnDemand:
			return fmt.Errorf("fly has no service manager for the app: it opens no socket %q (run it without --stage1-name=fly)", s.Name)
		case s.Proxy != "":
			return fmt.Errorf("fly has no service manager for the app: nothing passes on the connections of the socket %q (run it without --stage1-name=fly)", s.Name)
		}
	}
	return nil
}

// handSockets leaves the app the descriptors that the host's systemd gave, as
// sd_listen_fds(3) has it, and returns the app's environment: this process is
// about to become the app, so they are its own. Of an image's socketActivated
// ports that the host has no socket for, the app gets none.
func handSockets(env []string, sockets []stageabi.Socket) ([]string, error) {
	var names []string
	for _, s := range sockets {
		if s.FD != 0 {
			names = append(names, s.Name)
		}
	}
	if len(names) == 0 {
		return env, nil
	}
	env = append(env[:len(env):len(env)],
		"LISTEN_PID="+strconv.Itoa(os.Getpid()),
		"LISTEN_FDS="+strconv.Itoa(len(names)),
		"LISTEN_FDNAMES="+strings.Join(names, ":"))
	return env, podsocket.SetInheritable(true)
}
