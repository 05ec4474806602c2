package sd

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"

	"github.com/coreos/go-systemd/v22/dbus"
)

// ErrCanceled is of a job that another took the place of.
var ErrCanceled = errors.New("canceled")

// Start starts a unit and returns when its job has ended. An error says how the job
// ended, in systemd's words, where it is not "done".
func (m *Manager) Start(ctx context.Context, unit string) error {
	result := make(chan string, 1)
	if _, err := m.conn.StartUnitContext(ctx, unit, "replace", result); err != nil {
		return fmt.Errorf("start %s: %w", unit, err)
	}
	return ended(ctx, "start", unit, result)
}

// Stop stops a unit as Start starts one. It is no error that systemd has no such unit.
func (m *Manager) Stop(ctx context.Context, unit string) error {
	result := make(chan string, 1)
	_, err := m.conn.StopUnitContext(ctx, unit, "replace", result)
	if err != nil && strings.Contains(err.Error(), "not loaded") {
		return nil
	}
	if err != nil {
		return fmt.Errorf("stop %s: %w", unit, err)
	}
	return ended(ctx, "stop", unit, result)
}

func ended(ctx context.Context, what, unit string, result <-chan string) error {
	select {
	case r := <-result:
		switch r {
		case "done":
		case "canceled":
			return fmt.Errorf("%s %s: %w", what, unit, ErrCanceled)
		default:
			return fmt.Errorf("%s %s: %s", what, unit, r)
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Kill sends SIGKILL to all processes of a unit. It is no error that there are none.
func (m *Manager) Kill(ctx context.Context, unit string) {
	_ = m.conn.KillUnitWithTarget(ctx, unit, dbus.All, int32(syscall.SIGKILL))
}

// Reload has systemd read all units again.
func (m *Manager) Reload(ctx context.Context) error {
	if err := m.conn.ReloadContext(ctx); err != nil {
		return fmt.Errorf("have systemd read its units: %w", err)
	}
	return nil
}

// Forget takes a unit's failure from systemd, which keeps it in mind until then.
func (m *Manager) Forget(ctx context.Context, unit string) {
	_ = m.conn.ResetFailedUnitContext(ctx, unit)
}

// Stale reports whether systemd does not know a unit as its file has it now.
func (m *Manager) Stale(ctx context.Context, unit string) (bool, error) {
	props, err := m.conn.GetUnitPropertiesContext(ctx, unit)
	if err != nil {
		return false, fmt.Errorf("state of %s: %w", unit, err)
	}
	return property[string](props, "LoadState") != "loaded" || property[bool](props, "NeedDaemonReload"), nil
}
