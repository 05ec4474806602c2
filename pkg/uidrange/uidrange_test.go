package uidrange

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWhatIsAskedFor(t *testing.T) {
	pick := Wish{Pick: true, Range: Range{0, Size}}
	for _, tc := range []struct {
		text string
		want Wish
		err  string
	}{
		{"no", Wish{}, ""},
		{"false", Wish{}, ""},
		{"pick", pick, ""},
		{"auto", pick, ""},
		{"true", pick, ""},
		{"65536", Wish{Range: Range{65536, Size}}, ""},
		{"1000000000:1000", Wish{Range: Range{1000000000, 1000}}, ""},
		{"4294901759", Wish{Range: Range{4294901759, Size}}, ""},
		{"", Wish{}, "must be no, pick"},
		{"maybe", Wish{}, "must be no, pick"},
		{"1e9", Wish{}, "must be no, pick"},
		{"70000:", Wish{}, "must be no, pick"},
		{"70000:10:1", Wish{}, "must be no, pick"},
		{"-1", Wish{}, "must be no, pick"},
		{"4294967296", Wish{}, "must be no, pick"},
		{"0", Wish{}, "the host's own users"},
		{"65535:2", Wish{}, "the host's own users"},
		{"70000:0", Wish{}, "a pod has 1 to"},
		{"70000:1048577", Wish{}, "a pod has 1 to"},
		{"4294901760:65536", Wish{}, "no IDs above"},
	} {
		got, err := Parse(tc.text)
		if (err == nil) != (tc.err == "") || err != nil && !strings.Contains(err.Error(), tc.err) {
			t.Errorf("%q: error %v, want %q", tc.text, err, tc.err)
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", tc.text, diff)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"no", "pick", "65536:1", "4294967294:1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		w, err := Parse(text)
		if err != nil || w == (Wish{}) || w.Pick {
			return
		}
		if w.Range.Base < Size || w.Range.Count == 0 || uint64(w.Range.Base)+uint64(w.Range.Count) > 1<<32-1 {
			t.Errorf("%q is %+v", text, w)
		}
	})
}

// host is a host with these files in its /etc.
func host(t *testing.T, etc map[string]string) Host {
	t.Helper()
	h := Host{Locks: t.TempDir(), Etc: t.TempDir()}
	for name, text := range etc {
		if err := os.WriteFile(filepath.Join(h.Etc, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

func take(t *testing.T, h Host, word, name string) (Range, *Held, error) {
	t.Helper()
	w, err := Parse(word)
	if err != nil {
		t.Fatal(err)
	}
	r, held, err := h.Take(t.Context(), w, name)
	if err == nil {
		t.Cleanup(func() { _ = held.Close() })
	}
	return r, held, err
}

func TestRangesThatArePickedAreFreeAndStayFirstChoice(t *testing.T) {
	h := host(t, nil)
	first, held, err := take(t, h, "pick", "a")
	if err != nil {
		t.Fatal(err)
	}
	if first.Base%Size != 0 || first.Base < firstBase || first.Base > lastBase || first.Count != Size {
		t.Errorf("the range is %+v", first)
	}
	second, _, err := take(t, h, "pick", "a")
	if err != nil || second.Base == first.Base {
		t.Errorf("a second pod of that name has %+v, %v", second, err)
	}
	if _, _, err := take(t, h, "1000000", "b"); err != nil {
		t.Error(err)
	}
	if _, _, err := h.Take(t.Context(), Wish{Range: Range{first.Base + 5, 1}}, "c"); err == nil || !strings.Contains(err.Error(), "another container's") {
		t.Errorf("a part of a range in use is had: %v", err)
	}
	if err := h.Forget(first); err != nil {
		t.Error(err)
	}
	if third, _, err := take(t, h, "pick", "a"); err != nil || third == first {
		t.Errorf("a range was forgotten while in use: %+v, %v", third, err)
	}
	if err := held.Close(); err != nil {
		t.Fatal(err)
	}
	if err := h.Forget(first); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(h.lockPath(uint64(first.Base))); !os.IsNotExist(err) {
		t.Errorf("the lock's file stays: %v", err)
	}
	if again, _, err := take(t, h, "pick", "a"); err != nil || again != first {
		t.Errorf("the name's range is free, and it gets %+v, %v", again, err)
	}
}

func TestRangesThatWereSaidAreShared(t *testing.T) {
	h := host(t, nil)
	said := candidate("a", 0)
	for range 2 {
		if _, _, err := h.Take(t.Context(), Wish{Range: said}, "x"); err != nil {
			t.Fatal(err)
		}
	}
	if r, _, err := take(t, h, "pick", "a"); err != nil || r == said {
		t.Errorf("one was picked too: %+v, %v", r, err)
	}
}

func TestRangesOfOthersAreLeftAlone(t *testing.T) {
	r := candidate("a", 0)
	inside := func(n uint32) string { return uintText(r.Base + n) }
	for name, etc := range map[string]map[string]string{
		"a user":                                {"passwd": "x:x:" + inside(7) + ":1::/:/bin/sh\n"},
		"a group":                               {"group": "x:x:" + inside(65535) + ":\n"},
		"a user's range that begins before":     {"subuid": "# comment\nx:100000:" + inside(0) + "\n"},
		"a user's range of groups in its midst": {"subgid": "x:" + inside(100) + ":10\n"},
	} {
		if got, _, err := take(t, host(t, etc), "pick", "a"); err != nil || got == r {
			t.Errorf("%s: picked %+v, %v", name, got, err)
		}
	}
	for name, etc := range map[string]map[string]string{
		"neighbours":        {"passwd": "x:x:" + uintText(r.Base-1) + ":1::/:\n", "group": "x:x:" + inside(65536) + ":\n", "subuid": "x:" + inside(65536) + ":1\n"},
		"what is no number": {"passwd": "x:x:y:1::/:\n:::\n\n", "subuid": "x:y\nx:" + inside(1) + ":0\n"},
	} {
		if got, _, err := take(t, host(t, etc), "pick", "a"); err != nil || got != r {
			t.Errorf("%s: picked %+v, %v", name, got, err)
		}
	}
	full := host(t, map[string]string{"subuid": "x:100000:4000000000\n"})
	if _, _, err := take(t, full, "pick", "a"); err == nil || !strings.Contains(err.Error(), "no free range") {
		t.Errorf("a full host: %v", err)
	}
}

func uintText(n uint32) string { return strconv.FormatUint(uint64(n), 10) }

func TestWhoIsAskedForUsers(t *testing.T) {
	for text, want := range map[string]bool{
		"passwd: files systemd\ngroup: files [success=merge] systemd\nhosts: dns\n": false,
		"passwd: files sss\n":          true,
		"group: compat ldap # x\n":     true,
		"# passwd: ldap\npasswd:files": false,
	} {
		if got := asksElsewhere(host(t, map[string]string{"nsswitch.conf": text}).Etc); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
	for id, want := range map[uint32]bool{0: true, 1999999999: false} {
		if got, err := known(t.Context(), Range{id, 1}); err != nil || got != want {
			t.Errorf("user %d is known: %v, %v", id, got, err)
		}
	}
}
