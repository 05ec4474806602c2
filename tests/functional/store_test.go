package functional

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/raket/raket/tests/images"
	"github.com/raket/raket/tests/registry"
	"github.com/raket/raket/tests/testhost"
)

// noise is a file that no compression makes smaller; another seed is another file.
func noise(seed byte, bytes int) images.Entry {
	content := make([]byte, bytes)
	_, _ = rand.NewChaCha8([32]byte{seed}).Read(content) // it never fails
	return images.File("noise", string(content), 0o644)
}

func TestAStoreIsVerifiedAndRepaired(t *testing.T) {
	p := newPods(t)
	name := putImage(t, p.Host, "verified", images.Busybox().Layer(images.Dir("srv", 0o755), images.File("srv/a", "as it came", 0o644), images.File("srv/b", "b", 0o600)))
	id := p.must(t, "fetch", "--quiet", name)
	clean := func(t *testing.T) {
		t.Helper()
		if got := p.must(t, "image", "verify", "--all"); got != id+": all as its digests say" {
			t.Errorf("verified is %q", got)
		}
	}
	clean(t)
	tree := filepath.Dir(filepath.Dir(filepath.Dir(p.MustRun(t, "ls "+p.dir+"/trees/*/fs/srv/a"))))
	t.Run("a file that was changed, one that is missing, and one too many", func(t *testing.T) {
		p.MustRun(t, "cd "+tree+"/fs/srv && t=$(stat -c @%Y a) && printf 'As it came' >a && touch -d $t a && chmod 666 b && d=$(stat -c @%Y .) && touch 'x\ny' && touch -d $d .")
		r := p.raket(t, "image", "verify", name)
		for _, want := range []string{`"srv/a": content differs`, `"srv/b": mode differs`, `"srv/x\ny": not in the image`} {
			if !strings.Contains(r.Stdout, id+": tree "+filepath.Base(tree)+" "+want+"\n") {
				t.Errorf("no %s in %q", want, r.Stdout)
			}
		}
		if r.Code != 254 || !inOrder(r.Stderr, "raket: …\nhint: raket image verify --repair") {
			t.Errorf("%+v", r)
		}
	})
	t.Run("is repaired, unless a pod uses it", func(t *testing.T) {
		uuid, unit := p.start(t, nil, app{image: name, script: "sleep 1000"})
		r := p.raket(t, "image", "verify", "--repair", name)
		if r.Code != 254 || !strings.Contains(r.Stdout+r.Stderr, uuid) {
			t.Errorf("%+v", r)
		}
		p.MustRun(t, "systemctl stop "+unit)
		p.must(t, "image", "verify", "--repair", name)
		clean(t)
		if r := p.run(t, nil, app{image: name, script: "cat /srv/a"}); r.Stdout != "as it came" {
			t.Errorf("%+v", r)
		}
	})
	t.Run("a layer that is damaged is removed, and comes again", func(t *testing.T) {
		blob := p.MustRun(t, "ls -S "+p.dir+"/images/blobs/sha256 | head -1")
		p.MustRun(t, "printf x | dd of="+p.dir+"/images/blobs/sha256/"+blob+" bs=1 seek=99 conv=notrunc status=none")
		r := p.raket(t, "image", "verify", "--all")
		if r.Code != 254 || !strings.Contains(r.Stdout, "layer sha256:"+blob[:12]) {
			t.Errorf("%+v", r)
		}
		p.raket(t, "image", "verify", "--repair", "--all")
		p.must(t, "fetch", "--quiet", "--pull-policy=update", name)
		clean(t)
	})
}

func TestImagesInUseAreKept(t *testing.T) {
	p := newPods(t)
	name := putImage(t, p.Host, "used", hello("used"))
	uuid, unit := p.start(t, nil, app{image: name, script: "sleep 1000"})
	id := p.must(t, "fetch", "--quiet", "--full", name)
	before := p.Run(t, p.contents()).Stdout
	for _, args := range [][]string{{"rm", id}, {"rm", "--all-names", name}} {
		r := p.raket(t, append([]string{"image"}, args...)...)
		expectRefusal(t, r.Code, r.Stderr, "in use by pod "+uuid)
	}
	if got := p.must(t, "image", "gc", "--grace-period=0s"); got != "" {
		t.Errorf("gc removed %q", got)
	}
	if after := p.Run(t, p.contents()).Stdout; before == "" || after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
	p.MustRun(t, "systemctl stop "+unit)
	r := p.raket(t, "image", "rm", id)
	expectRefusal(t, r.Code, r.Stderr, "in use by pod "+uuid) // it can be looked at still
	p.collect(t)
	if got := p.must(t, "image", "rm", id); got != id {
		t.Errorf("removed %q", got)
	}
}

func TestImagesAreCollectedToASize(t *testing.T) {
	p := newPods(t)
	var ids []string
	for i := range 3 {
		ids = append(ids, p.must(t, "fetch", "--quiet", "--full", putImage(t, p.Host, fmt.Sprint("sized", i), images.Busybox().Layer(noise(byte(i), 2<<20)))))
	}
	// Two of them have been used since; the second never.
	for _, i := range []int{2, 0} {
		p.must(t, append(oneApp(ids[i]), "--exec=/bin/true")...)
	}
	p.collect(t)
	listed := func() []string {
		return strings.Fields(p.must(t, "image", "list", "--no-legend", "--fields=id", "--full"))
	}
	all := len(listed())
	dry := p.must(t, "image", "gc", "--grace-period=0s", "--size-target=12M", "--dry-run")
	if len(listed()) != all {
		t.Error("a dry run removed an image")
	}
	if got := p.must(t, "image", "gc", "--size-target=12M"); got != "" {
		t.Errorf("within the grace period gc removed %q", got)
	}
	got := p.must(t, "image", "gc", "--grace-period=0s", "--size-target=12M")
	if got != dry || got != ids[1] {
		t.Errorf("removed %q, want %q, announced was %q", got, ids[1], dry)
	}
	if r := p.Run(t, "[ $(du -ck "+p.dir+"/images/blobs "+p.dir+"/trees | tail -1 | cut -f1) -le $((12<<10)) ]"); r.Code != 0 {
		t.Error("more than 12 MiB are left")
	}
	if got := p.must(t, "image", "gc", "--grace-period=0s", "--size-target=1"); strings.Count(got, "sha256:") != all-1 {
		t.Errorf("removed %q", got)
	}
	if left := p.MustRun(t, "find "+p.dir+"/images/blobs/sha256 "+p.dir+"/trees -mindepth 1 ! -name .ingest"); left != "" {
		t.Errorf("left is %s", left)
	}
}

func TestManyProcessesFetchOneImage(t *testing.T) {
	p := newPods(t)
	s := p.serve(t)
	const processes = 20
	many := func(t *testing.T, image, first string) testhost.Result {
		t.Helper()
		return p.Run(t, fmt.Sprintf(`cd $(mktemp -d) || exit; %[4]s
for i in $(seq %[1]d); do %[2]s fetch --quiet %[3]s >out.$i 2>&1 & pids="$pids $!"; done
for p in $pids; do wait $p; echo $? >>codes; done
echo $(sort codes | uniq -c); sort -u out.*; rm -r $PWD`, processes, p.cmd(), image, first))
	}
	// layers counts the times that layers were asked for: configs are small, and asked for by each.
	layers := func(config string) map[string]int {
		asked := map[string]int{}
		for _, r := range s.Requests() {
			if strings.HasPrefix(r, "GET ") && strings.Contains(r, "/blobs/") && !strings.HasSuffix(r, config) {
				asked[r[strings.LastIndex(r, "/")+1:][:19]]++
			}
		}
		return asked
	}
	push := func(t *testing.T, ref string, b images.Builder) (digest, config string) {
		t.Helper()
		img, err := b.Image()
		if err != nil {
			t.Fatal(err)
		}
		c, err := img.V1().ConfigName()
		if err != nil {
			t.Fatal(err)
		}
		return p.put(t, s, ref, b), c.String()
	}
	t.Run("each layer comes once", func(t *testing.T) {
		digest, config := push(t, "many:1", images.New().Layer(images.File("a", "a", 0o644)).Layer(noise(10, 3<<20)).Layer(images.File("b", "b", 0o644)))
		r := many(t, "docker://"+s.Addr+"/many:1", "")
		if want := fmt.Sprintf("%d 0\n%s\n", processes, digest[:19]); r.Code != 0 || r.Stdout != want {
			t.Errorf("%+v, want %q", r, want)
		}
		asked := layers(config)
		for layer, times := range asked {
			if times != 1 {
				t.Errorf("layer %s was asked for %d times", layer, times)
			}
		}
		if len(asked) != 3 {
			t.Errorf("asked for were %v, want three layers", asked)
		}
	})
	t.Run("one that is killed stops no other, and what it had is used", func(t *testing.T) {
		digest, config := push(t, "killed:1", images.New().Layer(noise(11, 4<<20)))
		image := "docker://" + s.Addr + "/killed:1"
		const part = 3 << 20
		ranges := stall(s, part)
		r := many(t, image, fmt.Sprintf(`%s fetch %s >/dev/null 2>&1 & first=$!
end=$((SECONDS+30)); until find %s/images/ingest/*/* -size +%dk 2>/dev/null | grep -q .; do [ $SECONDS -lt $end ] || exit 1; sleep 0.02; done
(until [ $(pgrep -fc "fetch --quiet %s") -ge %d ] || [ $SECONDS -ge $end ]; do sleep 0.02; done; kill -9 $first) & pids=$!`,
			p.cmd(), image, p.dir, part>>11, image, processes))
		if want := fmt.Sprintf("%d 0\n%s\n", processes+1, digest[:19]); r.Code != 0 || r.Stdout != want {
			t.Errorf("%+v, want %q", r, want)
		}
		// The beginning, and once more for the rest, in whatever way this registry gives it.
		rest := slices.DeleteFunc(ranges(), func(s string) bool { return s == "" })
		if asked := layers(config); len(asked) != 1 || len(rest) != 1 {
			t.Errorf("asked for were %v, and the ranges %q, want one", asked, rest)
		}
		p.must(t, "image", "verify", "--all")
		if left := p.MustRun(t, "ls "+p.dir+"/images/ingest"); left != "" {
			t.Errorf("left is %s", left)
		}
	})
}

// stall has the first answer with a layer end after so many bytes, without the connection's
// end. It returns the ranges that were asked for since.
func stall(s *registry.Server, bytes int64) (ranges func() []string) {
	var mu sync.Mutex
	var asked []string
	stalled := false
	s.Before(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if r.Method != http.MethodGet || !strings.Contains(r.URL.Path, "/blobs/") {
			next.ServeHTTP(w, r)
			return
		}
		mu.Lock()
		first := !stalled
		if !first {
			asked = append(asked, r.Header.Get("Range"))
		}
		mu.Unlock()
		if !first {
			next.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(&stalling{ResponseWriter: w, left: bytes, wait: func() {
			mu.Lock()
			stalled = true
			mu.Unlock()
			<-r.Context().Done()
		}}, r)
	})
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(asked)
	}
}

// stalling passes left bytes of a body and waits then.
type stalling struct {
	http.ResponseWriter
	left int64
	wait func()
}

func (s *stalling) Write(b []byte) (int, error) {
	if int64(len(b)) <= s.left {
		s.left -= int64(len(b))
		return s.ResponseWriter.Write(b)
	}
	if _, err := s.ResponseWriter.Write(b[:s.left]); err != nil {
		return 0, err
	}
	if err := http.NewResponseController(s.ResponseWriter).Flush(); err != nil {
		return 0, err
	}
	s.wait()
	panic(http.ErrAbortHandler) // the server's own way to end an answer in the middle
}

// Unwrap is for http.ResponseController.
func (s *stalling) Unwrap() http.ResponseWriter { return s.ResponseWriter }

func TestALayerGoesOnWhereAKilledFetchStopped(t *testing.T) {
	p := newPods(t)
	r := p.newRegistry(t, registry.Options{TLS: true})
	push(t, r, "team/large:1", images.New().Layer(noise(12, 6<<20)), registry.Login{})
	l, err := p.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	front, err := r.Front(l)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { front.Close() })
	image := "docker://" + front.Addr + "/team/large:1"
	const part = 4 << 20
	ranges := stall(front, part)
	p.killFetch(t, "images/ingest/*/*", part-(1<<20), image)
	front.Reset()
	p.must(t, "fetch", "--quiet", image)
	rest := slices.DeleteFunc(ranges(), func(s string) bool { return s == "" })
	if len(rest) != 1 {
		t.Fatalf("ranges asked for are %q, want one", rest)
	}
	from, err := strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(rest[0], "bytes="), "-"))
	if err != nil || from < 1<<20 || from > part {
		t.Errorf("the layer went on at %q, want between 1 and 4 MiB", rest[0])
	}
	p.must(t, "image", "verify", "--all")
}
