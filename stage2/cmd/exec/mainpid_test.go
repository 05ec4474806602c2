package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// message is one of D-Bus in little endian, without fields.
func message(kind byte, body ...byte) []byte {
	m := append([]byte{'l', kind, 0, 1}, binary.LittleEndian.AppendUint32(nil, uint32(len(body)))...)
	return append(append(m, 1, 0, 0, 0, 0, 0, 0, 0), body...)
}

// What a real systemd makes of the question is seen wherever a command enters an app.
func TestMainPIDAsksAndReadsTheAnswer(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("chroot(2) needs root")
	}
	programs.once.Do(buildPrograms)
	if programs.err != nil {
		t.Fatal(programs.err)
	}
	pid := append([]byte{1, 'u', 0, 0}, binary.LittleEndian.AppendUint32(nil, 4321)...)
	for _, tc := range []struct {
		name, hello string
		answer      []byte
		out, errs   string
	}{
		{"a number", "OK 0123\r\n", message(2, pid...), "4321\n", ""},
		{"none", "OK 0123\r\n", message(2, 1, 'u', 0, 0, 0, 0, 0, 0), "0\n", ""},
		{"something else first", "OK 0123\r\n", append(message(4, 1, 2, 3), message(2, pid...)...), "4321\n", ""},
		{"no such unit", "OK 0123\r\n", message(3, pid...), "", "no such file or directory"},
		{"another type", "OK 0123\r\n", message(2, 1, 's', 0, 0, 1, 0, 0, 0), "", "bad message"},
		{"more than anybody says", "OK 0123\r\n", []byte{'l', 2, 0, 1, 255, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0}, "", "bad message"},
		{"half an answer", "OK 0123\r\n", message(2, pid...)[:20], "", "connection reset by peer"},
		{"a closed door", "REJECTED EXTERNAL\r\n", nil, "", "did not let this process in"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, program := range programs.list {
				root := t.TempDir()
				socket := filepath.Join(root, strings.TrimSuffix(privateSocket, "\x00"))
				if err := os.MkdirAll(filepath.Dir(socket), 0o755); err != nil {
					t.Fatal(err)
				}
				l, err := net.Listen("unix", socket)
				if err != nil {
					t.Fatal(err)
				}
				asked := make(chan []byte, 1)
				go func() { asked <- answerOnce(l, tc.hello, tc.answer) }()
				cmd := exec.CommandContext(t.Context(), program, "-M", "1web-app")
				cmd.Dir, cmd.Env = root, []string{}
				var out, errs strings.Builder
				cmd.Stdout, cmd.Stderr = &out, &errs
				err = cmd.Run()
				if (err != nil) != (tc.errs != "") || out.String() != tc.out || !strings.Contains(errs.String(), tc.errs) {
					t.Errorf("%s: %q, %q, %v", filepath.Base(program), out.String(), errs.String(), err)
				}
				if got := <-asked; tc.answer != nil && !bytes.Contains(got, []byte("/org/freedesktop/systemd1/unit/_31web_2dapp_2eservice\x00")) {
					t.Errorf("asked for %q", got)
				}
				_ = l.Close()
			}
		})
	}
}

// answerOnce is a service manager for one question, which it returns. As systemd's, it wants
// nothing to come with BEGIN.
func answerOnce(l net.Listener, hello string, answer []byte) []byte {
	c, err := l.Accept()
	if err != nil {
		return nil
	}
	defer c.Close()
	r := bufio.NewReader(c)
	for line := ""; line != "BEGIN\r\n"; {
		if line, err = r.ReadString('\n'); err != nil {
			return nil
		}
	}
	if early := r.Buffered(); early > 0 {
		return nil
	}
	_, _ = c.Write([]byte(hello))
	head := make([]byte, 16)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil
	}
	fields, body := binary.LittleEndian.Uint32(head[12:]), binary.LittleEndian.Uint32(head[4:])
	rest := make([]byte, (fields+7)&^7+body)
	if _, err := io.ReadFull(r, rest); err != nil {
		return nil
	}
	_, _ = c.Write(answer)
	return append(head, rest...)
}
