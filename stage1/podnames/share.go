package podnames

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/raket/raket/pkg/approot"
	"github.com/raket/raket/pkg/atomicfile"
	"github.com/raket/raket/pkg/boundedfile"
	"github.com/raket/raket/pkg/flock"
	"github.com/raket/raket/pkg/stageabi"
)

// mark is the line of a hosts file behind which this package writes.
const mark = "# other pods of this host\n"

const (
	namesDir  = "names"
	allHosts  = "hosts"
	lockName  = ".lock"
	dirMode   = 0o755
	fileMode  = 0o644
	maxRecord = 64 << 10
	maxHosts  = 1 << 20
)

// record is a pod that is to be found.
type record struct {
	Pod      string              `json:"pod"` // its directory, absolute
	Names    []string            `json:"names"`
	Networks map[string][]string `json:"networks"` // addresses by the network's name
}

// Share writes the hosts file of the pod in dir, which is starting and holds its lock, with the
// names of others below the pod's own text, and tells the others of the pod's names. dir is
// absolute, among the directories of the other running pods.
func Share(dir string, n stageabi.Network, status stageabi.NetworkStatus, own string) (err error) {
	s, err := open(n.StateDir)
	if err != nil {
		return fmt.Errorf("names of pods: %w", err)
	}
	defer func() { err = errors.Join(err, s.close()) }()
	if len(n.Aliases) > 0 {
		r := record{Pod: dir, Names: n.Aliases, Networks: addresses(status)}
		if err := s.add(filepath.Base(dir), r); err != nil {
			return fmt.Errorf("names of pods: %w", err)
		}
	}
	text := own + s.section(dir, addresses(status))
	if err := os.WriteFile(filepath.Join(dir, approot.HostsFile), []byte(text), fileMode); err != nil {
		return err
	}
	return s.tell(dir)
}

// Refresh forgets the names of pods that have ended.
func Refresh(stateDir string) (err error) {
	if _, err := os.Stat(filepath.Join(stateDir, namesDir)); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	s, err := open(stateDir)
	if err != nil {
		return fmt.Errorf("names of pods: %w", err)
	}
	defer func() { err = errors.Join(err, s.close()) }()
	return s.tell("")
}

// state has the records, locked.
type state struct {
	dir     string // the state directory
	lock    *flock.Lock
	records map[string]record // by UUID; those of pods that live
	changed bool
	runDirs []string // where pods are that may have to be told
}

func open(stateDir string) (*state, error) {
	dir := filepath.Join(stateDir, namesDir)
	if err := os.MkdirAll(dir, dirMode); err != nil {
		return nil, err
	}
	lock, err := flock.Create(filepath.Join(dir, lockName))
	if err != nil {
		return nil, err
	}
	s := &state{dir: stateDir, lock: lock, records: map[string]record{}}
	if err := lock.Exclusive(); err != nil {
		return nil, errors.Join(err, s.close())
	}
	if err := s.read(); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func (s *state) close() error { return s.lock.Close() }

// read takes the records of living pods, and removes the others.
func (s *state) read() error {
	dir := filepath.Join(s.dir, namesDir)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		var r record
		path := filepath.Join(dir, e.Name())
		raw, err := boundedfile.Read(path, maxRecord)
		if err != nil {
			return err
		}
		// One that was being written when the power went is of no pod that lives.
		broken := json.Unmarshal(raw, &r) != nil || !filepath.IsAbs(r.Pod)
		if !broken {
			s.runIn(filepath.Dir(r.Pod))
		}
		if broken || !lives(r.Pod) {
			s.changed = true
			if err := os.Remove(path); err != nil {
				return err
			}
			continue
		}
		s.records[e.Name()] = r
	}
	return nil
}

func (s *state) runIn(dir string) {
	if !slices.Contains(s.runDirs, dir) {
		s.runDirs = append(s.runDirs, dir)
	}
}

// lives reports whether somebody holds a pod's lock.
func lives(dir string) bool {
	l, err := flock.Open(dir)
	if err != nil {
		return false
	}
	free, err := l.TryShared()
	return errors.Join(err, l.Close()) == nil && !free
}

func (s *state) add(uuid string, r record) error {
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	s.records[uuid], s.changed = r, true
	s.runIn(filepath.Dir(r.Pod))
	return atomicfile.Write(filepath.Join(s.dir, namesDir, uuid), append(text, '\n'), fileMode, atomicfile.Options{NoSync: true})
}

// tell writes what has changed into the hosts files of all pods but the one in except.
func (s *state) tell(except string) error {
	if !s.changed {
		return nil
	}
	for _, run := range s.runDirs {
		entries, err := os.ReadDir(run)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		for _, e := range entries {
			dir := filepath.Join(run, e.Name())
			if dir == except {
				continue
			}
			if err := s.update(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	return atomicfile.Write(filepath.Join(s.dir, allHosts), []byte(s.section("", nil)), fileMode, atomicfile.Options{NoSync: true})
}

// update writes the names into the hosts file of another pod. The file stays the same one:
// it is mounted in the pod's apps, which may have written into it.
func (s *state) update(dir string) (err error) {
	status, err := stageabi.ReadNetworkStatus(dir)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(dir, approot.HostsFile), os.O_RDWR|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	raw, err := io.ReadAll(io.LimitReader(f, maxHosts))
	if err != nil {
		return err
	}
	own, _, _ := strings.Cut(string(raw), mark)
	text := own + s.section(dir, addresses(status))
	if text == string(raw) {
		return nil
	}
	if _, err := f.WriteAt([]byte(text), 0); err != nil {
		return err
	}
	return f.Truncate(int64(len(text)))
}

// section are the lines for the pod in dir, which is in these networks; in all, where dir
// is empty.
func (s *state) section(dir string, networks map[string][]string) string {
	var lines []string
	for _, r := range s.records {
		if r.Pod == dir {
			continue
		}
		for network, ips := range r.Networks {
			if _, shared := networks[network]; !shared && dir != "" {
				continue
			}
			for _, ip := range ips {
				lines = append(lines, ip+"\t"+strings.Join(r.Names, " ")+"\n")
			}
		}
	}
	if len(lines) == 0 {
		return ""
	}
	slices.Sort(lines)
	return mark + strings.Join(slices.Compact(lines), "")
}

// addresses are a pod's, by network.
func addresses(status stageabi.NetworkStatus) map[string][]string {
	byNetwork := map[string][]string{}
	for _, a := range status.Attachments {
		byNetwork[a.Name] = nil
		for _, p := range a.Addresses {
			ip, _, _ := strings.Cut(p, "/")
			byNetwork[a.Name] = append(byNetwork[a.Name], ip)
		}
	}
	return byNetwork
}
