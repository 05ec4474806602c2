package launch

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"

	"github.com/raket/raket/pkg/pod"
	"github.com/raket/raket/pkg/stageabi"
)

// journal writes what the host's journal has of a pod.
func journal(ctx context.Context, p *pod.Pod, s stageabi.Sandbox, unit string, o LogOptions, stdout io.Writer) error {
	started := p.Started()
	args := []string{"--output=json", "--all"}
	if s.Users == nil {
		args = append(args, "--unit="+unit)
	}
	apps := []string{o.App}
	if o.App == "" {
		apps = appNames(s)
	}
	// A unit outlives its runs: the pod's lines are those since it was started.
	since := fmt.Sprintf("--since=@%d.%06d", started.Unix(), started.Nanosecond()/1000)
	r := journalReader{args: args, out: stdout, apps: apps, users: s.Users}
	first := []string{since}
	if end := p.Exited(); p.State != pod.Running && !end.IsZero() {
		first = append(first, fmt.Sprintf("--until=@%d", end.Unix()+1))
	}
	// What was written before may be on its way still. Only root may ask for it;
	// others see what has arrived.
	_ = syncJournal(ctx)
	r.last = o.Lines
	if err := r.run(ctx, first...); err != nil || !o.Follow || p.State != pod.Running {
		return err
	}
	r.last = -1
	if o.App == "" {
		r.joined = func() ([]string, error) {
			s, err := p.Sandbox()
			if errors.Is(err, os.ErrNotExist) {
				return nil, nil // the pod has ended, and been collected
			}
			return appNames(s), err
		}
	}
	// journalctl does not end with the pod, and what the pod said last may not
	// have reached it then.
	following, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		_ = wait(following, p)
		cancel()
	}()
	if err := r.run(following, r.from(since), "--follow", "--no-tail"); err != nil || ctx.Err() != nil {
		return err
	}
	if err := syncJournal(ctx); err != nil {
		return fmt.Errorf("read the journal: journalctl --sync: %w", err)
	}
	return r.run(ctx, r.from(since))
}

func syncJournal(ctx context.Context) error {
	return exec.CommandContext(ctx, "journalctl", "--sync").Run()
}

// journalReader prints entries and remembers the last one.
type journalReader struct {
	args   []string
	out    io.Writer
	apps   []string // whose entries to print; of more than one, with its name before each
	cursor string
	// joined asks which apps the pod has by now, for who follows all of them; nil for who
	// does not.
	joined func() ([]string, error)
	// users are the pod's own: what they wrote is the pod's. journald does not believe
	// them the unit's name, and credits none with the lines of who is gone.
	users *stageabi.Users
	// last is how many of the last entries to print; negative for all. journalctl
	// with --since takes --lines for the first ones, up to version 252.
	last int
}

// from is where to go on, as an option of journalctl's.
func (r *journalReader) from(since string) string {
	if r.cursor == "" {
		return since
	}
	return "--after-cursor=" + r.cursor
}

// run runs journalctl to its end, or to ctx's, which is no error.
func (r *journalReader) run(ctx context.Context, args ...string) error {
	all := slices.Clone(r.args)
	if r.joined == nil {
		if len(r.apps) == 0 {
			return nil // without a name journalctl prints what init and launcher say too
		}
		for _, name := range r.apps {
			all = append(all, "--identifier="+name)
		}
	}
	cmd := exec.CommandContext(ctx, "journalctl", append(all, args...)...)
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
	if rerr != nil {
		// What nobody reads any more would keep it waiting to write.
		_ = cmd.Process.Kill()
	}
	err = cmd.Wait()
	if ctx.Err() != nil {
		return nil
	}
	if rerr != nil {
		err = rerr
	} else if err != nil && complaint.Len() > 0 {
		err = errors.New(strings.TrimSpace(complaint.String()))
	}
	if err != nil {
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
	var held []string
	for sc.Scan() {
		var e struct {
			Cursor     string          `json:"__CURSOR"`
			Identifier string          `json:"SYSLOG_IDENTIFIER"`
			Message    json.RawMessage `json:"MESSAGE"`
			UID        string          `json:"_UID"`
		}
		if err := json.Unmarshal(sc.Bytes(), &e); err != nil {
			return err
		}
		r.cursor = e.Cursor
		if uid, err := strconv.ParseUint(e.UID, 10, 32); r.users != nil && (err != nil || !r.users.Has(uint32(uid))) {
			continue
		}
		if ours, err := r.isApp(e.Identifier); err != nil {
			return err
		} else if !ours {
			continue
		}
		line := message(e.Message) + "\n"
		if len(r.apps) > 1 {
			line = e.Identifier + ": " + line
		}
		if r.last >= 0 {
			held = append(held, line)
			held = held[max(0, len(held)-r.last):]
			continue
		}
		_, _ = out.WriteString(line) // Flush has its error
		// Whoever follows sees lines as they come.
		if err := out.Flush(); err != nil {
			return err
		}
	}
	for _, line := range held {
		_, _ = out.WriteString(line)
	}
	return errors.Join(sc.Err(), out.Flush())
}

// isApp reports whether an entry is one of the apps'. Apps may have joined the pod since it was
// last asked for them; those that have left are remembered.
func (r *journalReader) isApp(identifier string) (bool, error) {
	if r.joined == nil || slices.Contains(r.apps, identifier) {
		return true, nil
	}
	now, err := r.joined()
	if err != nil || !slices.Contains(now, identifier) {
		return false, err
	}
	r.apps = append(slices.Clip(r.apps), identifier)
	return true, nil
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
