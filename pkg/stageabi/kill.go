package stageabi

import (
	"fmt"
	"strconv"
	"syscall"
)

// Kill is the signal that AppKill sends, and to what.
type Kill struct {
	Signal    syscall.Signal
	UUID, App string
}

// Args is the signal as AppKill's arguments.
func (k Kill) Args() []string { return []string{strconv.Itoa(int(k.Signal)), k.UUID, k.App} }

// lastSignal is the kernel's last one.
const lastSignal = 64

// ParseKill reads AppKill's arguments.
func ParseKill(args []string) (Kill, error) {
	if len(args) != 3 {
		return Kill{}, fmt.Errorf("%s: want SIGNAL, UUID and APP", AppKill)
	}
	n, err := strconv.Atoi(args[0])
	if err != nil || n < 1 || n > lastSignal {
		return Kill{}, fmt.Errorf("%s: %q is not a signal's number", AppKill, args[0])
	}
	return Kill{Signal: syscall.Signal(n), UUID: args[1], App: args[2]}, nil
}
