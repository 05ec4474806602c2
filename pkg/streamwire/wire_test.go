package streamwire

import "testing"

func TestModes(t *testing.T) {
	for s, ok := range map[string]bool{
		"nll": true, "ttt": true, "sss": true, "tln": true, "nnn": true,
		"": false, "nl": false, "nlll": false, "lll": false, "nlx": false, "\x00\x00\x00": false,
	} {
		m, err := ParseModes(s)
		if (err == nil) != ok || ok && m.String() != s {
			t.Errorf("%q: %v, %v", s, m, err)
		}
	}
	for s, held := range map[string]bool{"nll": false, "nnn": false, "tnn": true, "nls": true} {
		if m, _ := ParseModes(s); m.Held() != held {
			t.Errorf("%s: held %v", s, m.Held())
		}
	}
}

func TestNumbers(t *testing.T) {
	for _, n := range []uint64{0, 1, 255, 256, 1<<32 + 5, 1<<64 - 1} {
		var b [8]byte
		PutUint(b[:], n)
		if got := Uint(b[:]); got != n {
			t.Errorf("%d came back as %d", n, got)
		}
	}
	b := []byte{0, 0}
	PutUint(b, 0x1234)
	if b[0] != 0x12 || b[1] != 0x34 {
		t.Errorf("%x", b)
	}
}
