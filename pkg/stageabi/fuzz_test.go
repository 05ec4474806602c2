package stageabi_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/raket/raket/pkg/stageabi"
)

// Whatever is in a status file, its reading ends, and what it says of the exit
// status is one that a process can have.
func FuzzParseAppStatus(f *testing.F) {
	for _, seed := range []string{
		"result=exit-code\ncode=exited\nstatus=7\nstarted=1700000000.000000000\nfinished=1700000001.000000000\n",
		"code=killed\nstatus=RTMIN+99999999999999999999\n", "code=dumped\nstatus=RTMIN\n", "=\n=\n", "started=-9223372036854775808.999999999\n", "\x00", "code=exited",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := stageabi.ParseAppStatus(strings.NewReader(text))
		if err != nil {
			return
		}
		if s.Code < 0 || s.Code > 255 {
			t.Errorf("exit status %d", s.Code)
		}
		if s.Signal != "" && s.Code < 128 {
			t.Errorf("signal %s, exit status %d", s.Signal, s.Code)
		}
	})
}

// A stage1 that is accepted has its entrypoints inside its image.
func FuzzReadStage1(f *testing.F) {
	for _, seed := range []string{
		stage1("raket/stage1/interface-version=1", "raket/stage1/run=/run"),
		stage1("raket/stage1/interface-version=1", "raket/stage1/run=a/../../b"),
		`{"acKind":"ImageManifest","annotations":[null,{"name":"raket/stage1/"}]}`, "null", "",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, stageabi.Stage1ManifestFile), text, 0o644); err != nil {
			t.Fatal(err)
		}
		s, err := stageabi.ReadStage1("x", dir)
		if err != nil {
			return
		}
		for e := range s.Entrypoints {
			if path, err := s.Path(e); err != nil || !strings.HasPrefix(path, dir+"/rootfs/") {
				t.Errorf("%s: %q, %v", e, path, err)
			}
		}
	})
}

func FuzzReadSandbox(f *testing.F) {
	f.Add([]byte(`{"uuid":"x","apps":[{"name":"a","lowers":["/x"]}],"stage1":{"entrypoints":{"run":"run"}}}`))
	f.Add([]byte(`{"created":1}`))
	f.Add([]byte(`{"hosts":null,"apps":[null]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, stageabi.SandboxFile), text, 0o644); err != nil {
			t.Fatal(err)
		}
		s, err := stageabi.ReadSandbox(dir)
		if err == nil {
			_, _ = s.Stage1.Path(stageabi.Run)
		}
	})
}
