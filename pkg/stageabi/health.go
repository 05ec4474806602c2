package stageabi

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// HealthPath is the file in which a stage1 records an app's health; app names hold no
// dots.
func HealthPath(pod, app string) string { return filepath.Join(pod, StatusDir, ".health-"+app) }

// AppHealth is what the checks of an app's health have found.
type AppHealth struct {
	Status  string    // "starting", "healthy", "unhealthy"
	Failing int       // checks in a row that have failed, and count
	Checked time.Time // the last check's end; zero if there was none
	Code    int       // of the last check; -1 if it took too long
	Output  string    // the beginning of what the last check printed: any bytes
}

// maxHealthBytes bounds what is read of a record.
const maxHealthBytes = 64 << 10

// ReadAppHealth reads the health record of an app: lines KEY=VALUE (status, failing,
// exit, checked as seconds.nanoseconds since 1970), an empty line, the last check's
// output. The error wraps fs.ErrNotExist for an app that has none.
func ReadAppHealth(pod, app string) (AppHealth, error) {
	f, err := os.Open(HealthPath(pod, app))
	if err != nil {
		return AppHealth{}, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxHealthBytes))
	if err != nil {
		return AppHealth{}, err
	}
	h, err := ParseAppHealth(string(text))
	if err != nil {
		return h, fmt.Errorf("%s: %w", f.Name(), err)
	}
	return h, nil
}

// ParseAppHealth reads what ReadAppHealth describes.
func ParseAppHealth(text string) (AppHealth, error) {
	head, output, ok := strings.Cut(text, "\n\n")
	if !ok {
		return AppHealth{}, errors.New("no empty line ends the head")
	}
	h := AppHealth{Output: output}
	for line := range strings.SplitSeq(head, "\n") {
		k, v, ok := strings.Cut(line, "=")
		if !ok {
			return h, fmt.Errorf("line %q has no =", line)
		}
		var err error
		switch k {
		case "status":
			h.Status = v
		case "failing":
			h.Failing, err = strconv.Atoi(v)
		case "exit":
			h.Code, err = strconv.Atoi(v)
		case "checked":
			h.Checked, err = parseStamp(v)
		}
		if err != nil {
			return h, err
		}
	}
	return h, nil
}
