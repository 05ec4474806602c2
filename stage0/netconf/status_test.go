package netconf

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

func TestPluginsSayWhetherTheyAreReady(t *testing.T) {
	dir := t.TempDir()
	for name, does := range map[string]string{
		"ready":   `exit 0`,
		"busy":    `printf %s '{"code":50,"msg":"no\naddresses","details":"ask again"}'; exit 1`,
		"knowing": `[ "$CNI_COMMAND" = STATUS ] && [ "$(cat)" = '{"cniVersion":"1.1.0","name":"lan","type":"knowing","x":1}' ] || echo '{"code":7,"msg":"told something else"}' && exit 1`,
		"unknown": `echo '{"code":4,"msg":"unknown CNI_COMMAND: STATUS"}'; exit 1`,
		"mute":    `echo what; exit 1`,
	} {
		if err := os.Chmod(write(t, dir, name, "#!/bin/sh\n"+does+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, tt := range map[string]struct{ version, plugins, want string }{
		"all are ready":                      {"1.1.0", `{"type":"ready"},{"type":"knowing","x":1}`, ""},
		"one that does not know the command": {"1.1.0", `{"type":"unknown"},{"type":"mute"},{"type":"ready"}`, ""},
		"the first that is not":              {"1.1.0", `{"type":"unknown"},{"type":"busy"},{"type":"knowing"}`, "plugin busy is not ready: no addresses; ask again"},
		"raket's own, and one that is gone":  {"1.1.0", `{"type":"raket-masquerade"},{"type":"gone"},{"type":"knowing"}`, "plugin knowing is not ready: told something else"},
		"of a version without":               {"1.0.0", `{"type":"busy"}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			n, err := Parse(fmt.Appendf(nil, `{"cniVersion":%q,"name":"lan","plugins":[%s]}`, tt.version, tt.plugins), false)
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			if err := n.Status(t.Context(), []string{filepath.Join(dir, "none"), dir}); err != nil {
				got = err.Error()
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
