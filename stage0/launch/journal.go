package launch

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"strings"

	"github.com/raket/raket/pkg/pod"
	"github.com/raket/raket/pkg/stageabi"
)

// journal writes what the host's journal has of a pod.
func journal(ctx context.Context, p *pod.Pod, s stageabi.Sandbox, unit string, o LogOptions, stdout io.Writer) error {
	started := p.Started()
	args := []string{"--output=json", "--all", "--unit=" + unit}
	for _, a := range s.Apps {
		if o.App == "" || o.App == a.Name {
			args = append(args, "--identifier="+a.Name)
		}
	}
	// A unit outlives its runs: the pod's lines are those since it was started.
	since := fmt.Sprintf("--since=@%d.%06d", started.Unix(), started.Nanosecond()/1000)
	r := journalReader{args: args, out: stdout, prefix: o.App == "" && len(s.Apps) > 1}
	first := []string{since}
	if end := p.Exited(); p.State != pod.Running && !end.IsZero() {
		first = append(first, fmt.Sprintf("--until=@%d", end.Unix()+1))
	}
	if o.Lines >= 0 {
		first = append(first, "--lines="+strconv.Itoa(o.Lines))
	}
	if !o.Follow || p.State != pod.Running {
		return r.run(ctx, first...)
	}
	if o.Lines < 0 {
		first = append(first, "--no-tail")
	}
	// journalctl does not end with the pod, and what the pod said last may not
	// have reached it then.
	following, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		_ = wait(following, p)
		cancel()
	}()
	if err := r.run(following, append(first, "--follow")...); err != nil || ctx.Err() != nil {
		return err
	}
	if err := exec.CommandContext(ctx, "journalctl", "--sync").Run(); err != nil {
		return fmt.Errorf("read the journal: journalctl --sync: %w", err)
	}
	if r.cursor == "" {
		return r.run(ctx, since)
	}
	return r.run(ctx, "--after-cursor="+r.cursor)
}

// journalReader prints entries and remembers the last one.
type journalReader struct {
	args   []string
	out    io.Writer
	prefix bool
	cursor string
}

// run runs journalctl to its end, or to ctx's, which is no error.
func (r *journalReader) run(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, "journalctl", append(append([]string{}, r.args...), args...)...)
	var complaint strings.Builder
	cmd.Stderr = &complaint
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("read the journal: %w", err)
	}
	rerr := r.print(pipe)
	err = cmd.Wait()
	if ctx.Err() != nil {
		return nil
	}
	if err != nil && complaint.Len() > 0 {
		err = errors.New(strings.TrimSpace(complaint.String()))
	}
	if err = errors.Join(rerr, err); err != nil {
		return fmt.Errorf("read the journal: %w", err)
	}
	return nil
}

// maxEntryBytes bounds one entry as JSON; journald's own limit of a line is
// 48 KiB, of a field 768 MiB.
const maxEntryBytes = 16 << 20

func (r *journalReader) print(in io.Reader) error {
	sc := bufio.NewScanner(in)
	sc.Buffer(nil, maxEntryBytes)
	out := bufio.NewWriter(r.out)
	for sc.Scan() {
		var e struct {
			Cursor     string          `json:"__CURSOR"`
			Identifier string          `json:"SYSLOG_IDENTIFIER"`
			Message    json.RawMessage `json:"MESSAGE"`
		}
		if err := json.Unmarshal(sc.Bytes(), &e); err != nil {
			return err
		}
		r.cursor = e.Cursor
		if r.prefix {
			fmt.Fprintf(out, "%s: ", e.Identifier)
		}
		fmt.Fprintf(out, "%s\n", message(e.Message))
		// Whoever follows sees lines as they come.
		if err := out.Flush(); err != nil {
			return err
		}
	}
	return sc.Err()
}

// message is a field's text: journalctl writes what is not UTF-8 as numbers.
func message(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	var numbers []byte
	var ints []int
	if json.Unmarshal(raw, &ints) == nil {
		for _, n := range ints {
			numbers = append(numbers, byte(n))
		}
	}
	return string(numbers)
}
