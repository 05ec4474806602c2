package appspec_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/raket/raket/pkg/appspec"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func ptr[T any](v T) *T { return &v }

// readCase returns a file of testdata, or nil if the case has none.
func readCase(t *testing.T, parts ...string) []byte {
	text, err := os.ReadFile(filepath.Join(append([]string{"testdata"}, parts...)...))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return text
}

func load(t *testing.T, image string) *appspec.App {
	t.Helper()
	if config := readCase(t, image, "config.json"); config != nil {
		a, err := appspec.FromOCI(config)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	a, err := appspec.FromAppc(readCase(t, image, "manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func root(t *testing.T, image string, executables ...string) appspec.Root {
	return appspec.Root{
		Users:      appspec.UserFiles{Passwd: readCase(t, image, "passwd"), Group: readCase(t, image, "group")},
		Owner:      func(string) (uint32, uint32, error) { return 7, 8, nil },
		Executable: func(p string) bool { return slices.Contains(executables, p) },
	}
}

func TestImagesBecomeSpecs(t *testing.T) {
	everything := appspec.Override{
		Args: []string{"redis-server", "--port", "6380", "$HOME 100%\n"}, User: "redis:ssl", Supplementary: []string{"tty", "12"},
		Env: []string{"REDIS_VERSION=8", "EMPTY=", "A=1", "A=2"}, InheritEnv: []string{"LANG=C", "A=0"}, WorkingDir: "/data/x/..",
		ReadonlyRootfs: ptr(true), Hostname: "rkt-1", CapsRetain: []string{"net_raw", "CAP_CHOWN"}, NoNewPrivileges: ptr(true),
		Rlimits:     []appspec.Rlimit{{Type: "RLIMIT_NOFILE", Soft: 1024, Hard: 4096}},
		OOMScoreAdj: ptr(500), Limits: appspec.Limits{MemoryBytes: ptr(int64(256 << 20)), CPUMillis: ptr(int64(1500)), CPUShares: ptr(uint64(2048))},
		Annotations: map[string]string{"example.com/owner": "me"},
		Properties: []appspec.Property{
			{Name: "ExecStartPost", Value: "/bin/a"}, {Name: "ExecStartPost", Value: "-/bin/b %n"}, {Name: "IOWeight", Value: "50"},
		},
		Type: "exec", Restart: "on-failure", StopSignal: "15", StopTimeout: ptr(1500 * time.Millisecond),
	}
	for _, tc := range []struct {
		name, image, golden string
		override            appspec.Override
		executables         []string
	}{
		{name: "nginx has its entrypoint by path", image: "nginx", golden: "spec.json", executables: []string{"/docker-entrypoint.sh"}},
		{name: "nginx with its command from flags", image: "nginx", golden: "spec-exec.json", executables: []string{"/usr/sbin/nginx"},
			override: appspec.Override{Exec: []string{"nginx"}, Args: []string{"-g", "daemon off;"}, User: "nginx", CapsRemove: []string{"CAP_MKNOD"}}},
		{name: "redis has its entrypoint in PATH", image: "redis", golden: "spec.json", executables: []string{"/usr/local/bin/docker-entrypoint.sh"}},
		{name: "redis with every override", image: "redis", golden: "spec-all.json", override: everything,
			executables: []string{"/usr/local/bin/docker-entrypoint.sh"}},
		{name: "postgres has volumes and a health check", image: "postgres", golden: "spec.json", executables: []string{"/usr/local/bin/docker-entrypoint.sh"}},
		{name: "distroless has a user without passwd", image: "distroless", golden: "spec.json", executables: []string{"/server"}},
		{name: "an ACI with isolators", image: "etcd-aci", golden: "spec.json", executables: []string{"/usr/local/bin/etcd"}},
		{name: "an ACI with event handlers", image: "worker-aci", golden: "spec.json",
			executables: []string{"/usr/bin/reduce-worker", "/usr/bin/data-downloader", "/usr/bin/deregister-worker"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := load(t, tc.image)
			if err := a.Apply(tc.override); err != nil {
				t.Fatal(err)
			}
			points, ports := a.MountPoints, a.Ports
			spec, err := a.Resolve(root(t, tc.image, tc.executables...))
			if err != nil {
				t.Fatal(err)
			}
			// It is the architecture's, and has tests of its own.
			if spec.Linux.Seccomp == nil {
				t.Error("there is no system call filter")
			}
			spec.Linux.Seccomp = nil
			text, err := appspec.Marshal(spec)
			if err != nil {
				t.Fatal(err)
			}
			back, err := appspec.Parse(text)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(spec, back); diff != "" {
				t.Error("parsed again (-written +read):\n" + diff)
			}
			compact, err := appspec.Compact(spec)
			if err != nil {
				t.Fatal(err)
			}
			if back, err := appspec.Indent(compact); err != nil || !bytes.Equal(back, text) || len(compact) >= len(text) {
				t.Errorf("compact and indented again, error %v:\n%s", err, back)
			}
			facts, err := json.MarshalIndent(map[string]any{"mountPoints": points, "ports": ports}, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			golden(t, filepath.Join("testdata", tc.image, tc.golden), text)
			golden(t, filepath.Join("testdata", tc.image, "facts.json"), append(facts, '\n'))
		})
	}
}

func golden(t *testing.T, file string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v (go test -update writes it)", err)
	}
	if !bytes.Equal(want, got) {
		t.Errorf("%s (-want +got):\n%s", file, cmp.Diff(string(want), string(got)))
	}
}
