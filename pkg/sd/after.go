package sd

import (
	"context"
	"errors"
	"fmt"

	"github.com/coreos/go-systemd/v22/dbus"
	godbus "github.com/godbus/dbus/v5"
)

// RunAfter has the host's systemd execute a program, as root, when a unit that is starting
// or active has ended, whatever ended it. argv[0] is the program's name. Until then
// no process waits: the unit called name, bound to the other, has nothing but a command for
// its stop. Where a unit of that name is there already, it does it.
func RunAfter(ctx context.Context, name, description, unit, path string, argv []string) error {
	conn, err := dbus.NewSystemdConnectionContext(ctx)
	if err != nil {
		return fmt.Errorf("start %s: connect to systemd: %w", name, err)
	}
	defer conn.Close()
	type command struct {
		Path          string
		Argv          []string
		IgnoreFailure bool
	}
	_, err = conn.StartTransientUnitContext(ctx, name, "replace", []dbus.Property{
		dbus.PropDescription(description),
		dbus.PropType("oneshot"),
		dbus.PropRemainAfterExit(true),
		dbus.PropBindsTo(unit),
		// Stops go the other way round: first the unit, then this one.
		dbus.PropBefore(unit),
		{Name: "ExecStop", Value: godbus.MakeVariant([]command{{path, argv, false}})},
		{Name: "CollectMode", Value: godbus.MakeVariant("inactive-or-failed")},
	}, nil)
	var busErr godbus.Error
	if errors.As(err, &busErr) && busErr.Name == "org.freedesktop.systemd1.UnitExists" {
		return nil
	}
	if err != nil {
		return fmt.Errorf("start %s: %w", name, err)
	}
	return nil
}
