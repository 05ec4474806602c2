package layer

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"github.com/ulikunitz/xz"
	"golang.org/x/sys/unix"
)

func TestBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget(0)
		all, err := b.acquire(t.Context(), DefaultBudgetBytes)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		order := make(chan string, 3)
		go func() {
			_, err := b.acquire(ctx, 20<<20)
			order <- fmt.Sprint("given up: ", errors.Is(err, context.Canceled))
		}()
		synctest.Wait()
		for _, name := range []string{"first", "second"} {
			go func() {
				release, err := b.acquire(t.Context(), 20<<20)
				if err != nil {
					t.Error(err)
					return
				}
				order <- name
				release()
			}()
			synctest.Wait()
		}
		select {
		case who := <-order:
			t.Errorf("%s did not wait", who)
		default:
		}
		cancel()
		synctest.Wait()
		all()
		synctest.Wait()
		var got []string
		for range 3 {
			got = append(got, <-order)
		}
		if diff := cmp.Diff([]string{"given up: true", "first", "second"}, got); diff != "" {
			t.Errorf("order (-want +got):\n%s", diff)
		}
		if b.left != DefaultBudgetBytes {
			t.Errorf("%d bytes are left at the end, want all %d", b.left, int64(DefaultBudgetBytes))
		}
	})
}

// xzOf is an xz file of some streams, each in blocks of 4 KiB.
func xzOf(t *testing.T, streams ...string) []byte {
	t.Helper()
	var buf bytes.Buffer
	for _, text := range streams {
		z, err := xz.WriterConfig{DictCap: 1 << 20, BlockSize: 4 << 10}.NewWriter(&buf)
		if err == nil {
			_, err = io.WriteString(z, text)
		}
		if err == nil {
			err = z.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return buf.Bytes()
}

func guarded(raw []byte) ([]byte, error) {
	return io.ReadAll(&xzGuard{r: bufio.NewReaderSize(bytes.NewReader(raw), 64<<10), next: (*xzGuard).streamHeader})
}

func TestXZGuardPassesWellFormedFilesOn(t *testing.T) {
	long := strings.Repeat("some text, more text, ", 3000)
	for name, raw := range map[string][]byte{
		"one stream":            xzOf(t, "hello"),
		"a stream without data": xzOf(t, ""),
		"many blocks":           xzOf(t, long),
		"many streams":          xzOf(t, long, "", "hello", long),
		"padding at the end":    append(xzOf(t, "hello"), make([]byte, 8)...),
	} {
		got, err := guarded(raw)
		if err != nil || !bytes.Equal(got, raw) {
			t.Errorf("%s: %d of %d bytes, %v", name, len(got), len(raw), err)
		}
	}
}

func TestXZGuardReadsEveryBlocksHeader(t *testing.T) {
	raw := xzOf(t, strings.Repeat("some text, more text, ", 3000))
	// A block's header: no sizes, one filter, LZMA2 with one byte of properties.
	filter := []byte{0x21, 0x01}
	blocks := 0
	for at := 0; ; {
		i := bytes.Index(raw[at:], filter)
		if i < 0 {
			break
		}
		at += i + 2
		if raw[at] != 16 { // 1 MiB; else it is data that looks alike
			continue
		}
		blocks++
		huge := bytes.Clone(raw)
		huge[at] = 40 // 4 GiB
		if got, err := guarded(huge); err == nil || !strings.Contains(err.Error(), "dictionary") || len(got) >= at {
			t.Errorf("block %d: %d bytes passed on, the dictionary is in byte %d: %v", blocks, len(got), at, err)
		}
	}
	if blocks < 10 {
		t.Errorf("%d blocks were tried, want at least 10", blocks)
	}
	if _, err := guarded(raw[:len(raw)/2]); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("half a file: %v", err)
	}
}

func TestDirLogOnDisk(t *testing.T) {
	log := dirLog{dst: t.TempDir()}
	want := map[string]dirMeta{}
	for i := range 20_000 {
		name := fmt.Sprintf("%s/%d\xff\n", strings.Repeat("long", 10), i)
		meta := dirMeta{mode: uint32(i) & 0o7777, uid: i, gid: 1<<32 - 2, mtime: unix.Timespec{Sec: -int64(i), Nsec: 7}, again: i%2 == 0}
		if i%100 == 0 {
			meta.xattrs = map[string]string{"user.a": "\x00b", "user.c": ""}
		}
		if err := log.add(name, meta); err != nil {
			t.Fatal(err)
		}
		want[name] = meta
	}
	if log.file == nil {
		t.Error("all of it is in memory")
	}
	gone := fmt.Sprintf("%s/%d\xff\n", strings.Repeat("long", 10), 19_999)
	if err := log.remove(gone); err != nil {
		t.Fatal(err)
	}
	delete(want, gone)
	got := map[string]dirMeta{}
	if err := log.each(func(name string, meta dirMeta) error { got[name] = meta; return nil }); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(dirMeta{})); diff != "" {
		t.Errorf("directories (-want +got):\n%s", diff)
	}
	if err := log.close(); err != nil {
		t.Fatal(err)
	}
}
