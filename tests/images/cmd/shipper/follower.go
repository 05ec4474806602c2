package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// maxLine bounds what is kept of a line without an end; a longer one is printed in pieces.
const maxLine = 64 * 1024

// record is one line as it is printed.
type record struct {
	Source string `json:"source"`
	Line   string `json:"line"`
}

// follower reads what is new in a file that may be replaced under its name.
type follower struct {
	path, source string
	out          *json.Encoder

	file    *os.File
	offset  int64
	partial []byte
}

// drain prints all complete lines that have come, of the file it has open and then of the one
// that has taken its name.
func (f *follower) drain() error {
	if f.file == nil {
		if opened, err := f.open(); !opened {
			return err
		}
	}
	for {
		if err := f.read(); err != nil {
			return err
		}
		replaced, err := f.replaced()
		if err != nil || !replaced {
			return err
		}
		// A writer may still have the old file open between its rename and its reopening.
		if err := errors.Join(f.read(), f.close()); err != nil {
			return err
		}
		if opened, err := f.open(); !opened {
			return err
		}
	}
}

func (f *follower) open() (bool, error) {
	file, err := os.Open(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	f.file, f.offset = file, 0
	return true, nil
}

func (f *follower) replaced() (bool, error) {
	now, err := os.Stat(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil // renamed away; the next file is announced when it is made
	}
	if err != nil {
		return false, err
	}
	ours, err := f.file.Stat()
	if err != nil {
		return false, err
	}
	return !os.SameFile(now, ours), nil
}

func (f *follower) read() error {
	info, err := f.file.Stat()
	if err != nil {
		return err
	}
	if info.Size() < f.offset {
		f.offset, f.partial = 0, nil // truncated
	}
	buf := make([]byte, 32*1024)
	for {
		n, err := f.file.ReadAt(buf, f.offset)
		f.offset += int64(n)
		if err := f.lines(buf[:n]); err != nil {
			return err
		}
		if errors.Is(err, io.EOF) || n == 0 {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (f *follower) lines(data []byte) error {
	f.partial = append(f.partial, data...)
	for {
		line, rest, ok := bytes.Cut(f.partial, []byte{'\n'})
		if !ok && len(f.partial) < maxLine {
			return nil
		}
		f.partial = rest
		if err := f.out.Encode(record{f.source, string(line)}); err != nil {
			return fmt.Errorf("print a line: %w", err)
		}
	}
}

func (f *follower) close() error {
	if f.file == nil {
		return nil
	}
	err := f.file.Close()
	f.file = nil
	return err
}
