package network

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/containernetworking/cni/pkg/invoke"
	"github.com/containernetworking/cni/pkg/types"
	"github.com/containernetworking/cni/pkg/version"
)

// plugins executes CNI plugins for libcni.
type plugins struct {
	version.PluginDecoder
	// output, if not empty, is a file that gets what a plugin says while it says it: it is
	// there if this process is not any more when the plugin ends. So is what the one before
	// has said.
	output string
	// busy is a locked file that plugins inherit; may be nil.
	busy *os.File
	// say gets what plugins complain of and yet succeed; may be nil.
	say func(string)
}

// before ends the name of what the plugin before in the chain said.
const before = ".before"

// maxAnswerBytes bounds what a plugin may answer.
const maxAnswerBytes = 4 << 20

// ExecPlugin implements invoke.Exec.
func (p *plugins) ExecPlugin(ctx context.Context, path string, stdin []byte, env []string) (_ []byte, err error) {
	name := filepath.Base(path)
	if answer, done, err := within(path, stdin, env); done {
		return answer, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, path)
	cmd.Env, cmd.Stdin = pluginEnv(env), bytes.NewReader(stdin)
	if p.busy != nil {
		cmd.ExtraFiles = []*os.File{p.busy}
	}
	out, err := p.openOutput()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	complaint := tail{most: 4 << 10}
	cmd.Stdout, cmd.Stderr = out, &complaint
	ran := cmd.Run()
	if _, err := out.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	answer, err := io.ReadAll(io.LimitReader(out, maxAnswerBytes+1))
	if err != nil {
		return nil, err
	}
	said := oneLine(complaint.kept)
	switch {
	case len(answer) > maxAnswerBytes:
		return nil, fmt.Errorf("plugin %s: its answer is larger than %d bytes", name, maxAnswerBytes)
	case ran == nil:
		if said != "" && p.say != nil {
			p.say("plugin " + name + ": " + said)
		}
		return answer, nil
	}
	// As the CNI specification has it, section 4, "Error".
	e := new(types.Error)
	if json.Unmarshal(answer, e) == nil && e.Msg != "" {
		e.Msg, e.Details = oneLine([]byte(e.Msg)), oneLine([]byte(e.Details))
		if strings.Contains(e.Msg, exec.ErrNotFound.Error()) {
			e.Msg += ": install that program, or take plugin " + name + " out of the network"
		}
		return nil, e
	}
	if said == "" {
		said = oneLine(answer)
	}
	if said == "" {
		return nil, ran
	}
	return nil, fmt.Errorf("%w: %s", ran, said)
}

func (p *plugins) openOutput() (*os.File, error) {
	if p.output != "" {
		if err := os.Rename(p.output, p.output+before); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		return os.OpenFile(p.output, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	}
	f, err := os.CreateTemp("", "raket-cni-")
	if err != nil {
		return nil, err
	}
	return f, os.Remove(f.Name())
}

// FindInPath implements invoke.Exec.
func (p *plugins) FindInPath(plugin string, dirs []string) (string, error) {
	if plugin == masqueradeType || plugin == forwardType {
		return plugin, nil
	}
	path, err := invoke.FindInPath(plugin, dirs)
	if err != nil {
		return "", fmt.Errorf("there is no CNI plugin %q in %s: %w", plugin, strings.Join(dirs, ", "), fs.ErrNotExist)
	}
	return path, nil
}

// pluginEnv is the environment of plugins: nothing that is meant for the pod, and a PATH
// that has nft, iptables and the like, which that of an ordinary shell may not.
func pluginEnv(env []string) []string {
	const system = "/usr/local/sbin:/usr/sbin:/sbin"
	path := "/usr/local/bin:/usr/bin:/bin"
	out := make([]string, 0, len(env)+1)
	for _, e := range env {
		name, value, _ := strings.Cut(e, "=")
		switch {
		case name == "PATH":
			path = value
		case name == "NOTIFY_SOCKET", strings.HasPrefix(name, "LISTEN_"), strings.HasPrefix(name, "RAKET_"):
		default:
			out = append(out, e)
		}
	}
	return append(out, "PATH="+strings.TrimPrefix(path+":"+system, ":"))
}

// tail keeps the last of what is written.
type tail struct {
	most int
	kept []byte
}

func (t *tail) Write(b []byte) (int, error) {
	t.kept = append(t.kept, b...)
	if len(t.kept) > t.most {
		t.kept = t.kept[len(t.kept)-t.most:]
	}
	return len(b), nil
}

// oneLine makes foreign text fit for an error.
func oneLine(text []byte) string {
	s := strings.Join(strings.Fields(strings.ToValidUTF8(string(text), "?")), " ")
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, s)
	const most = 400
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}
