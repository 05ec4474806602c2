package uidrange

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// span is a range of IDs, both ends included.
type span struct{ first, last uint64 }

func (s span) meets(r Range) bool {
	return s.first <= uint64(r.Base)+uint64(r.Count)-1 && uint64(r.Base) <= s.last
}

// taken are the IDs that files of the host's give to somebody: its users and groups, and
// the ranges of its users' own containers.
func taken(etc string) ([]span, error) {
	var spans []span
	for name, column := range map[string]int{"passwd": 2, "group": 2, "subuid": 1, "subgid": 1} {
		text, err := os.ReadFile(filepath.Join(etc, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(string(text)) {
			f := strings.Split(strings.TrimSpace(line), ":")
			if len(f) < 3 {
				continue
			}
			first, err := strconv.ParseUint(f[column], 10, 32)
			if err != nil {
				continue // a comment, or what nobody can use
			}
			s := span{first, first}
			if column == 1 {
				count, err := strconv.ParseUint(f[2], 10, 32)
				if err != nil || count == 0 {
					continue
				}
				s.last = first + count - 1
			}
			spans = append(spans, s)
		}
	}
	return spans, nil
}

// asksElsewhere reports whether the host knows users that are in no file (nsswitch.conf(5)).
// systemd's own are outside of the ranges that are picked.
func asksElsewhere(etc string) bool {
	text, err := os.ReadFile(filepath.Join(etc, "nsswitch.conf"))
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(text)) {
		line, _, _ = strings.Cut(line, "#")
		database, sources, _ := strings.Cut(strings.TrimSpace(line), ":")
		if database != "passwd" && database != "group" {
			continue
		}
		for source := range strings.FieldsSeq(sources) {
			switch source {
			case "files", "compat", "systemd", "mymachines":
			default:
				if !strings.HasPrefix(source, "[") {
					return true
				}
			}
		}
	}
	return false
}

// patience is how long a directory service may take to say whom it knows.
const patience = 10 * time.Second

// known asks all sources of users for the ends of a range, as systemd-nspawn does: nobody
// can ask for all between them.
func known(ctx context.Context, r Range) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	first, last := strconv.FormatUint(uint64(r.Base), 10), strconv.FormatUint(uint64(r.Base+r.Count-1), 10)
	for _, database := range [...]string{"passwd", "group"} {
		for _, id := range [...]string{first, last} {
			err := exec.CommandContext(ctx, "getent", database, id).Run()
			const none = 2 // getent(1)
			var exit *exec.ExitError
			switch {
			case err == nil:
				return true, nil
			case errors.As(err, &exit) && exit.ExitCode() == none:
			case errors.Is(err, exec.ErrNotFound):
				return false, nil
			default:
				return false, fmt.Errorf("ask for %s %s: %w", database, id, errors.Join(err, ctx.Err()))
			}
		}
	}
	return false, nil
}
