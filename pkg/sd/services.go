package sd

import (
	"context"
	"fmt"
	"time"

	"github.com/coreos/go-systemd/v22/dbus"
)

// Service is the state of a service, in systemd's words.
type Service struct {
	Active   string // "active", "activating", "failed", "inactive", …
	Sub      string // "running", "exited", "auto-restart", …
	Result   string // "success", "exit-code", "signal", …
	MainPID  int    // 0 if it does not run
	Restarts int
	// StatusText is what the service said last of itself.
	StatusText string
	Started    time.Time // of the present or last run; zero if there was none
	Finished   time.Time // of the last run's end; zero if there was none
	Code       int       // CLD_EXITED (1), CLD_KILLED (2), CLD_DUMPED (3) of the last run; 0 if there was none
	Status     int       // exit status or signal number that goes with Code
}

// Manager is a connection to the systemd whose private socket this process
// sees: one that is in its PID namespace.
type Manager struct{ conn *dbus.Conn }

// ConnectPrivate connects to systemd's private socket.
func ConnectPrivate(ctx context.Context) (*Manager, error) {
	conn, err := dbus.NewSystemdConnectionContext(ctx)
	if err != nil {
		return nil, fmt.Errorf("connect to systemd: %w", err)
	}
	return &Manager{conn}, nil
}

// Close closes the connection.
func (m *Manager) Close() { m.conn.Close() }

// State is the state of the unit of that name: "active" and so on; "inactive"
// for one that does not exist.
func (m *Manager) State(ctx context.Context, unit string) (string, error) {
	p, err := m.conn.GetUnitPropertyContext(ctx, unit, "ActiveState")
	if err != nil {
		return "", fmt.Errorf("state of %s: %w", unit, err)
	}
	s, _ := p.Value.Value().(string)
	return s, nil
}

// Service returns the state of a service.
func (m *Manager) Service(ctx context.Context, unit string) (Service, error) {
	props, err := m.conn.GetAllPropertiesContext(ctx, unit)
	if err != nil {
		return Service{}, fmt.Errorf("state of %s: %w", unit, err)
	}
	return Service{
		Active:     property[string](props, "ActiveState"),
		Sub:        property[string](props, "SubState"),
		Result:     property[string](props, "Result"),
		MainPID:    int(property[uint32](props, "MainPID")),
		Restarts:   int(property[uint32](props, "NRestarts")),
		StatusText: property[string](props, "StatusText"),
		Started:    stamp(property[uint64](props, "ExecMainStartTimestamp")),
		Finished:   stamp(property[uint64](props, "ExecMainExitTimestamp")),
		Code:       int(property[int32](props, "ExecMainCode")),
		Status:     int(property[int32](props, "ExecMainStatus")),
	}, nil
}

func property[T any](props map[string]any, name string) T {
	v, _ := props[name].(T)
	return v
}

// stamp reads microseconds since 1970.
func stamp(us uint64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(int64(us))
}

// NotifyAccess says whose notifications the host's systemd takes for a service: none, main,
// exec or all (systemd.service(5)).
func NotifyAccess(ctx context.Context, unit string) (string, error) {
	m, err := ConnectPrivate(ctx)
	if err != nil {
		return "", err
	}
	defer m.Close()
	p, err := m.conn.GetUnitTypePropertyContext(ctx, unit, "Service", "NotifyAccess")
	if err != nil {
		return "", fmt.Errorf("NotifyAccess= of %s: %w", unit, err)
	}
	s, _ := p.Value.Value().(string)
	return s, nil
}
