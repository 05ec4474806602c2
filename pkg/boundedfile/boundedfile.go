package boundedfile

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// ErrTooLarge is wrapped by Read where the file has more bytes than it may.
var ErrTooLarge = errors.New("too large")

// tooLarge says it in words, with the bound.
type tooLarge struct {
	path string
	most int64
}

func (e *tooLarge) Error() string { return fmt.Sprintf("%s is larger than %d KiB", e.path, e.most>>10) }
func (e *tooLarge) Unwrap() error { return ErrTooLarge }

// Read reads a file of at most so many bytes. Errors name the path; they are the
// system's own, or wrap ErrTooLarge.
func Read(path string, most int64) (_ []byte, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	raw, err := io.ReadAll(io.LimitReader(f, most+1))
	if err != nil {
		return nil, err
	}
	if int64(len(raw)) > most {
		return nil, &tooLarge{path, most}
	}
	return raw, nil
}
