package network

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/containernetworking/cni/pkg/types"
)

// statusPatience is how long plugins are waited for that are asked whether they are ready.
const statusPatience = 5 * time.Second

// limited is the code of a plugin that is not ready and whose pods may be cut off (CNI
// specification, section "STATUS"). With any other, those that have joined are well.
const limited = 51

// notReady is what a plugin says of itself.
type notReady struct {
	plugin string
	said   *types.Error
}

func (e *notReady) Error() string { return "plugin " + e.plugin + " is not ready: " + e.said.Error() }

// status asks the plugins of a network whether they are ready, which those of CNI 1.1 say. The
// error is a *notReady, of the first that is not. One that cannot be asked is ready: what
// is wrong with it shows when something is wanted of it.
func (a *attachment) status(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, statusPatience)
	defer cancel()
	var not *notReady
	if errors.As(a.cni(&asking{&plugins{}}).GetStatusNetworkList(ctx, a.list), &not) {
		return not
	}
	return nil
}

// explain adds to what went wrong with a plugin that it is not ready, where it says so.
// To ask beforehand would be a program more to execute for each of a start.
func (a *attachment) explain(ctx context.Context, err error) error {
	if not := a.status(ctx); not != nil {
		return fmt.Errorf("%w; %w", not, err)
	}
	return err
}

// asking executes plugins for STATUS, and hears of those that do not know it no error.
type asking struct{ *plugins }

// ExecPlugin implements invoke.Exec.
func (a *asking) ExecPlugin(ctx context.Context, path string, stdin []byte, env []string) ([]byte, error) {
	answer, err := a.plugins.ExecPlugin(ctx, path, stdin, env)
	var said *types.Error
	// An unknown command is a variable of the environment with an invalid value.
	if errors.As(err, &said) && said.Code != types.ErrInvalidEnvironmentVariables {
		return nil, &notReady{filepath.Base(path), said}
	}
	return answer, nil
}
