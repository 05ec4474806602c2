package main

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/raket/raket/pkg/podmetadata"
)

const (
	uuid  = "0c2b3b4e-5a52-4a56-9a4e-54c9d1d2f4a1"
	other = "b9a5fbbb-4be1-4d0c-b9c1-4e5f6a2a9f55"
	token = "00112233445566778899aabbccddeeff"
)

var hostKey = bytes.Repeat([]byte{7}, podmetadata.KeyBytes)

// newService lays out a pod with the app web. The service knows the host's key if told so.
func newService(t *testing.T, host bool) *service {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"token": token, "key": string(podmetadata.PodKey(hostKey, uuid)), "pod/uuid": uuid, "pod/manifest": "{}", "pod/annotations": "[]",
		"apps/web/annotations": "[1]", "apps/web/image/manifest": "[2]", "apps/web/image/id": "sha512-x",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	s := &service{dir: dir, token: token, uuid: uuid, key: podmetadata.PodKey(hostKey, uuid)}
	if host {
		s.hostKey = hostKey
	}
	return s
}

func TestAnswers(t *testing.T) {
	s := newService(t, true)
	base := "/" + token + podmetadata.URLBase
	for _, tc := range []struct {
		request request
		want    response
	}{
		{request{method: "GET", target: base + "pod/uuid"}, response{status: 200, contentType: asciiText, body: uuid}},
		{request{method: "GET", target: base + "pod/manifest?x"}, response{status: 200, contentType: jsonText, body: "{}"}},
		{request{method: "GET", target: base + "pod/annotations"}, response{status: 200, contentType: jsonText, body: "[]"}},
		{request{method: "GET", target: base + "apps/web/annotations"}, response{status: 200, contentType: jsonText, body: "[1]"}},
		{request{method: "GET", target: base + "apps/web/image/manifest"}, response{status: 200, contentType: jsonText, body: "[2]"}},
		{request{method: "GET", target: base + "apps/web/image/id"}, response{status: 200, contentType: asciiText, body: "sha512-x"}},
		{request{method: "GET", target: base + "apps/db/annotations"}, text(404, "not found")},
		{request{method: "GET", target: base + "apps/../annotations"}, text(404, "not found")},
		{request{method: "GET", target: base + "apps/web/../../key"}, text(404, "not found")},
		{request{method: "GET", target: base + "key"}, text(404, "not found")},
		{request{method: "GET", target: base + "token"}, text(404, "not found")},
		{request{method: "GET", target: base + "pod/../token"}, text(404, "not found")},
		{request{method: "GET", target: base + "pod"}, text(404, "not found")},
		{request{method: "GET", target: base}, text(404, "not found")},
		{request{method: "GET", target: "/" + token}, text(403, "the token in the URL is not this pod's")},
		{request{method: "GET", target: "/" + token + "/acMetadata/v2/pod/uuid"}, text(404, "not found")},
		{request{method: "GET", target: "/" + other + podmetadata.URLBase + "pod/uuid"}, text(403, "the token in the URL is not this pod's")},
		{request{method: "GET", target: podmetadata.URLBase + "pod/uuid"}, text(403, "the token in the URL is not this pod's")},
		{request{method: "DELETE", target: base + "pod/uuid"}, response{status: 405, allow: "GET", contentType: asciiText, body: "want GET\n"}},
		{request{method: "GET", target: base + "pod/hmac/sign"}, response{status: 405, allow: "POST", contentType: asciiText, body: "want POST\n"}},
		{request{method: "POST", target: base + "pod/hmac/sign"}, text(415, "want application/x-www-form-urlencoded")},
		{request{method: "POST", target: base + "pod/hmac/sign", form: true, body: "x=y"}, text(400, "the form has no content")},
		{request{method: "POST", target: base + "pod/hmac/verify", form: true, body: "content=x"}, text(400, "the form lacks content, uuid or signature")},
		{request{method: "POST", target: base + "pod/hmac/forge", form: true}, text(404, "not found")},
	} {
		if diff := cmp.Diff(tc.want, s.answer(tc.request), cmp.AllowUnexported(response{})); diff != "" {
			t.Errorf("%s %s (-want +got):\n%s", tc.request.method, tc.request.target, diff)
		}
	}
}

func TestSignaturesAreTheirPods(t *testing.T) {
	base := "/" + token + podmetadata.URLBase + "pod/hmac/"
	post := func(s *service, op string, form url.Values) response {
		return s.answer(request{method: "POST", target: base + op, form: true, body: form.Encode()})
	}
	s := newService(t, true)
	content := "Old MacDonald\x00 & é"
	signed := post(s, "sign", url.Values{"content": {content}})
	if raw, err := base64.StdEncoding.DecodeString(signed.body); signed.status != 200 || err != nil || len(raw) != 64 {
		t.Fatalf("signed: %+v", signed)
	}
	foreign := base64.StdEncoding.EncodeToString(podmetadata.Sign(podmetadata.PodKey(hostKey, other), content))
	for _, tc := range []struct {
		name, content, uuid, signature string
		host                           bool
		want                           int
	}{
		{"its own", content, uuid, signed.body, true, 200},
		{"its own, without the host's key", content, uuid, signed.body, false, 200},
		{"of other content", content + "x", uuid, signed.body, true, 403},
		{"said to be another pod's", content, other, signed.body, true, 403},
		{"another pod's", content, other, foreign, true, 200},
		{"another pod's, without the host's key", content, other, foreign, false, 501},
		{"said to be this pod's", content, uuid, foreign, true, 403},
		{"no base64", content, uuid, "!", true, 403},
		{"empty", content, uuid, "", true, 403},
		{"cut", content, uuid, signed.body[:44], true, 403},
		{"of no pod", content, "", signed.body, true, 403},
	} {
		got := post(newService(t, tc.host), "verify", url.Values{"content": {tc.content}, "uuid": {tc.uuid}, "signature": {tc.signature}})
		if got.status != tc.want {
			t.Errorf("%s: %+v, want %d", tc.name, got, tc.want)
		}
	}
}

// serve runs a server until t ends and returns its address.
func serve(t *testing.T, idle time.Duration) (addr string, ended <-chan error) {
	t.Helper()
	return serveAfter(t, idle, func(string) {})
}

// serveAfter is serve of what waits at the listening socket when the server begins.
func serveAfter(t *testing.T, idle time.Duration, before func(addr string)) (addr string, ended <-chan error) {
	t.Helper()
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	f, err := l.File()
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	srv := server{listener: int(f.Fd()), idle: idle, answer: newService(t, true).answer}
	before(l.Addr().String())
	over := make(chan struct{})
	go func() {
		defer close(over)
		done <- srv.serve()
	}()
	t.Cleanup(func() {
		_ = unix.Shutdown(int(f.Fd()), unix.SHUT_RDWR) // accept(2) fails from now on
		<-over
		_, _ = f.Close(), l.Close()
	})
	return l.Addr().String(), done
}

const path = "/" + token + podmetadata.URLBase

func get(addr string) error {
	c := http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := c.Get("http://" + addr + path + "pod/uuid")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); err != nil || string(body) != uuid {
		return fmt.Errorf("%q, %w", body, err)
	}
	return nil
}

func TestClientsOfTheStandardLibrary(t *testing.T) {
	addr, _ := serve(t, time.Minute)
	if err := get(addr); err != nil {
		t.Fatal(err)
	}
	// A body that arrives in parts, after the client was asked for it.
	body := "content=" + strings.Repeat("x", maxBody-8)
	req, err := http.NewRequest("POST", "http://"+addr+path+"pod/hmac/sign", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Expect", "100-continue")
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	signature, err := io.ReadAll(resp.Body)
	want := base64.StdEncoding.EncodeToString(podmetadata.Sign(podmetadata.PodKey(hostKey, uuid), body[8:]))
	if err != nil || string(signature) != want {
		t.Errorf("signature %q, %v", signature, err)
	}
}

// A thousand connections that say nothing, or half of something, keep nobody out.
func TestSilentClientsAreInNobodysWay(t *testing.T) {
	addr, _ := serve(t, time.Minute)
	var silent []net.Conn
	for i := range 1000 {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		silent = append(silent, c)
		if i%2 == 0 {
			_, _ = io.WriteString(c, "POST "+path+"pod/hmac/sign HTTP/1.1\r\nContent-Length: 100000\r\n\r\nx")
		}
	}
	defer func() {
		for _, c := range silent {
			c.Close()
		}
	}()
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if err := get(addr); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestRequestsThatAreTooMuchAreRefused(t *testing.T) {
	addr, _ := serve(t, time.Minute)
	for sent, want := range map[string]string{
		"GET / HTTP/1.1\r\nA: " + strings.Repeat("x", 100<<10):                "HTTP/1.1 431 ",
		"POST / HTTP/1.1\r\nContent-Length: 999999999\r\n\r\n":                "HTTP/1.1 413 ",
		"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n":                "HTTP/1.1 400 ",
		"GET / HTTP/1.1\r\n\r\nGET " + path + "pod/uuid HTTP/1.1\r\n\r\n":     "HTTP/1.1 403 ",
		"GET /x" + strings.Repeat("\r\n", 5000) + strings.Repeat("y", 64<<10): "HTTP/1.1 400 ",
	} {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		// More may be sent than is read: what counts is that the answer arrives.
		go func() { _, _ = io.WriteString(c, sent) }()
		got, err := io.ReadAll(c)
		if err != nil || !strings.HasPrefix(string(got), want) || strings.Contains(string(got), uuid) {
			t.Errorf("%.40q: %q, %v, want %q", sent, got, err, want)
		}
		c.Close()
	}
}

func TestItEndsWhenNobodyComes(t *testing.T) {
	// Somebody is there before it begins: its patience is short.
	var client net.Conn
	_, ended := serveAfter(t, 50*time.Millisecond, func(addr string) {
		var err error
		if client, err = net.Dial("tcp", addr); err == nil {
			_, err = io.WriteString(client, "GET "+path+"pod/uuid HTTP/1.1\r\n\r\n")
		}
		if err != nil {
			t.Fatal(err)
		}
	})
	defer client.Close()
	if answer, err := io.ReadAll(client); err != nil || !strings.HasSuffix(string(answer), uuid) {
		t.Errorf("%q, %v", answer, err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
