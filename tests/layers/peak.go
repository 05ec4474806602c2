package layers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// peakArg is the first argument of a process that only measures another.
const peakArg = "measure-peak-memory"

// Peak runs a command and returns the most memory, in bytes, that any process
// of it had at a time. The kernel counts for a process what its parent had
// when it was forked, so a small process has to be in between: the caller's
// own program, which calls MeasureIfAsked before anything else.
func Peak(ctx context.Context, stdout, stderr io.Writer, argv ...string) (int64, error) {
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	reader, writer, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	defer reader.Close()
	cmd := exec.CommandContext(ctx, self, append([]string{peakArg}, argv...)...)
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = stdout, stderr, []*os.File{writer}
	err = errors.Join(cmd.Run(), writer.Close())
	if err != nil {
		return 0, err
	}
	raw, err := io.ReadAll(io.LimitReader(reader, 64))
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(strings.TrimSpace(string(raw)), 10, 64)
}

// MeasureIfAsked measures in a process that Peak started, which is to exit with
// this status then.
func MeasureIfAsked() (status int, asked bool) {
	if len(os.Args) < 3 || os.Args[1] != peakArg {
		return 0, false
	}
	cmd := exec.Command(os.Args[2], os.Args[3:]...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1, true
	}
	if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		fmt.Fprintln(os.NewFile(3, "result"), usage.Maxrss<<10)
	}
	return 0, true
}
