package credentials

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/raket/raket/stage0/config"
)

func request(t *testing.T, url string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

func TestAuthorize(t *testing.T) {
	f := New(Options{Config: config.Auth{
		Hosts: map[string]config.HostAuth{
			"coreos.com":        {Type: config.BasicAuth, User: "foo", Password: "bar"},
			"tectonic.com:8443": {Type: config.OAuth, Token: "sometoken"},
			"full.example:443":  {Type: config.OAuth, Token: "full"},
			"127.0.0.1:8080":    {Type: config.OAuth, Token: "loopback"},
			"localhost":         {Type: config.OAuth, Token: "loopback"},
			"[::1]:8080":        {Type: config.OAuth, Token: "loopback"},
			"192.0.2.1:8080":    {Type: config.OAuth, Token: "far"},
		},
		Registries: map[string]config.RegistryAuth{"quay.io": {User: "u", Password: secret}},
	}})
	for name, tt := range map[string]struct{ url, want string }{
		"the user and password of rkt's manual": {"https://coreos.com/x.aci", "Basic Zm9vOmJhcg=="},
		"the host in other letters":             {"https://CoreOS.com/x.aci", "Basic Zm9vOmJhcg=="},
		"the port that HTTPS has":               {"https://coreos.com:443/x.aci", "Basic Zm9vOmJhcg=="},
		"a configured one":                      {"https://full.example/x.aci", "Bearer full"},
		"a token":                               {"https://tectonic.com:8443/x.aci", "Bearer sometoken"},
		"another port":                          {"https://coreos.com:8443/x.aci", ""},
		"the port left out":                     {"https://tectonic.com/x.aci", ""},
		"a subdomain":                           {"https://www.coreos.com/x.aci", ""},
		"a host that begins alike":              {"https://coreos.com.evil.example/x.aci", ""},
		"a host in the path":                    {"https://evil.example/coreos.com", ""},
		"a host in the user":                    {"https://coreos.com@evil.example/", ""},
		"a registry":                            {"https://quay.io/x.aci", ""},
		"plain HTTP":                            {"http://coreos.com/x.aci", ""},
		"plain HTTP at the port of HTTPS":       {"http://coreos.com:443/x.aci", ""},
		"plain HTTP to this machine":            {"http://127.0.0.1:8080/x.aci", "Bearer loopback"},
		"by name":                               {"http://localhost/x.aci", "Bearer loopback"},
		"by IPv6":                               {"http://[::1]:8080/x.aci", "Bearer loopback"},
		"plain HTTP to another":                 {"http://192.0.2.1:8080/x.aci", ""},
	} {
		t.Run(name, func(t *testing.T) {
			req := request(t, tt.url)
			if err := f.Authorize(req); err != nil {
				t.Fatal(err)
			}
			if got := req.Header.Get("Authorization"); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// TestARedirectIsShownNothingOfAnothers follows redirects between hosts: to one
// without credentials, which Go's own client would show the header if it were a
// subdomain, and back.
func TestARedirectIsShownNothingOfAnothers(t *testing.T) {
	var seen []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, r.Host+r.URL.Path+" "+r.Header.Get("Authorization"))
		switch r.URL.Path {
		case "/1":
			http.Redirect(w, r, "http://sub.localhost/2", http.StatusFound)
		case "/2":
			http.Redirect(w, r, "http://127.0.0.1/3", http.StatusFound)
		case "/3":
			http.Redirect(w, r, "http://localhost/4", http.StatusFound)
		}
	}))
	defer server.Close()
	f := New(Options{Config: config.Auth{Hosts: map[string]config.HostAuth{
		"localhost": {Type: config.OAuth, Token: "a"}, "127.0.0.1": {Type: config.OAuth, Token: "b"},
	}}})
	// All names are that one server.
	client := http.Client{Transport: f.Transport(rewrite{http.DefaultTransport, server.Listener.Addr().String()})}
	req := request(t, "http://localhost/1")
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Fatal(err)
	}
	want := []string{"localhost/1 Bearer a", "sub.localhost/2 ", "127.0.0.1/3 Bearer b", "localhost/4 Bearer a"}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Errorf("seen (-want +got):\n%s", diff)
	}
	if len(req.Header) > 0 {
		t.Errorf("the caller's request has become %v", req.Header)
	}
}

// rewrite sends requests to one address, whatever their host.
type rewrite struct {
	base http.RoundTripper
	addr string
}

func (r rewrite) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.Host = req.URL.Host
	req.URL.Host = r.addr
	return r.base.RoundTrip(req)
}

func awsFinder(host, region string, now time.Time) *Finder {
	return New(Options{
		Now: func() time.Time { return now },
		Config: config.Auth{Hosts: map[string]config.HostAuth{host: {
			Type: config.AWSAuth, AccessKeyID: "AKIAIOSFODNN7EXAMPLE", SecretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", Region: region,
		}}},
	})
}

// TestTheSignatureOfAmazonsExample is the first of those in "Authenticating
// Requests: Using the Authorization Header" of Amazon's manual of S3.
func TestTheSignatureOfAmazonsExample(t *testing.T) {
	const host = "examplebucket.s3.amazonaws.com"
	f := awsFinder(host, "", time.Date(2013, time.May, 24, 0, 0, 0, 0, time.UTC))
	req := request(t, "https://"+host+"/test.txt")
	req.Header.Set("Range", "bytes=0-9")
	if err := f.Authorize(req); err != nil {
		t.Fatal(err)
	}
	want := "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, " +
		"SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
	if diff := cmp.Diff(want, req.Header.Get("Authorization")); diff != "" {
		t.Errorf("header (-want +got):\n%s", diff)
	}
}

// TestPythonMakesTheSameSignature computes what the header says by the steps of
// Amazon's manual, of the request as a server sees it.
func TestPythonMakesTheSameSignature(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("missing python3 (make deps installs it)")
	}
	const script = `
import hashlib, hmac, sys
method, uri, headers, secret, date, region = sys.argv[1:]
path, _, query = uri.partition("?")
query = "&".join(sorted(p if "=" in p else p + "=" for p in query.split("&"))) if query else ""
pairs = sorted(h.split(":", 1) for h in headers.split("\n"))
canonical = "\n".join([method, path, query] + [":".join(p) for p in pairs] + ["", ";".join(p[0] for p in pairs), hashlib.sha256(b"").hexdigest()])
scope = date[:8] + "/" + region + "/s3/aws4_request"
to_sign = "\n".join(["AWS4-HMAC-SHA256", date, scope, hashlib.sha256(canonical.encode()).hexdigest()])
key = ("AWS4" + secret).encode()
for part in scope.split("/"):
    key = hmac.new(key, part.encode(), hashlib.sha256).digest()
print(hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest())
`
	for name, tt := range map[string]struct{ path, region, wantRegion string }{
		"a file":                         {"/app-1.0-linux-amd64.aci", "", "us-east-1"},
		"a region":                       {"/a/b.aci", "eu-north-1", "eu-north-1"},
		"a query":                        {"/a.aci?versionId=x%2Fy&response-content-type=z", "", "us-east-1"},
		"a path that needs to be quoted": {"/a%20b/%C3%A9.aci", "", "us-east-1"},
		"dots are not taken out":         {"/a//b/../c.aci", "", "us-east-1"},
	} {
		t.Run(name, func(t *testing.T) {
			var uri string
			var header http.Header
			server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				uri, header = r.RequestURI, r.Header
				header.Set("Host", r.Host)
			}))
			defer server.Close()
			f := awsFinder(strings.TrimPrefix(server.URL, "http://"), tt.region, time.Now())
			client := http.Client{Transport: f.Transport(nil)}
			resp, err := client.Do(request(t, server.URL+tt.path))
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			var lines []string
			for _, name := range []string{"Host", "X-Amz-Content-Sha256", "X-Amz-Date"} {
				lines = append(lines, strings.ToLower(name)+":"+header.Get(name))
			}
			date := header.Get("X-Amz-Date")
			out, err := exec.CommandContext(t.Context(), python, "-c", script, "GET", uri, strings.Join(lines, "\n"),
				"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", date, tt.wantRegion).CombinedOutput()
			if err != nil {
				t.Fatalf("python3: %v: %s", err, out)
			}
			want := fmt.Sprintf("AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/%s/%s/s3/aws4_request, SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature=%s",
				date[:8], tt.wantRegion, strings.TrimSpace(string(out)))
			if diff := cmp.Diff(want, header.Get("Authorization")); diff != "" {
				t.Errorf("%s: header (-want +got):\n%s", uri, diff)
			}
		})
	}
}

func TestARequestWithABodyIsNotSigned(t *testing.T) {
	f := awsFinder("a.s3.amazonaws.com", "", time.Now())
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "https://a.s3.amazonaws.com/x", strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Authorize(req); err == nil || err.Error() != "sign a request for S3: it has a body" {
		t.Errorf("got %v", err)
	}
}

func TestAWSRegion(t *testing.T) {
	for host, want := range map[string]string{
		"example.com":                                 "us-east-1",
		"s3.example.com":                              "us-east-1",
		"s3.amazonaws.com":                            "us-east-1",
		"bucket.s3.amazonaws.com":                     "us-east-1",
		"bucket.s3-external-1.amazonaws.com":          "us-east-1",
		"bucket.s3-accelerate.amazonaws.com":          "us-east-1",
		"s3.eu-central-1.amazonaws.com":               "eu-central-1",
		"bucket.s3.eu-central-1.amazonaws.com":        "eu-central-1",
		"my.bucket.S3.eu-central-1.amazonaws.com":     "eu-central-1",
		"bucket.s3-us-west-2.amazonaws.com":           "us-west-2",
		"bucket.s3.dualstack.eu-west-1.amazonaws.com": "eu-west-1",
		"bucket.s3.cn-north-1.amazonaws.com.cn":       "cn-north-1",
		"ec2.eu-west-1.amazonaws.com":                 "us-east-1",
	} {
		if got := awsRegion(host); got != want {
			t.Errorf("%s: got %s, want %s", host, got, want)
		}
	}
}
