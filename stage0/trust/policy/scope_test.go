package policy

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// scopes is a policy that rejects each scope, so that refusals name them.
func scopes(transport string, names ...string) string {
	var all []string
	for _, n := range names {
		all = append(all, `"`+n+`": [{"type": "reject"}]`)
	}
	return `{"default": [{"type": "insecureAcceptAnything"}], "transports": {"` + transport + `": {` + strings.Join(all, ", ") + `}}}`
}

func TestTheNarrowestScopeCounts(t *testing.T) {
	const sum = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir+"/real/x", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("real", dir+"/link"); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		policy string
		ref    string
		want   string // the scope; "" for the default, which accepts
	}{
		"no scope fits":                           {scopes("docker", "r.example/b"), "docker://r.example/a", ""},
		"the transport's own":                     {scopes("docker", "r.example/b", ""), "docker://r.example/a", `docker ""`},
		"another transport's":                     {scopes("docker", ""), "oci:/a", ""},
		"a host":                                  {scopes("docker", "", "r.example"), "docker://r.example/a", `docker "r.example"`},
		"a host with a port is another":           {scopes("docker", "r.example"), "docker://r.example:5000/a", ""},
		"a host in another case is the same":      {scopes("docker", "R.example/a"), "docker://r.EXAMPLE/a", `docker "r.example/a"`},
		"a namespace above the host":              {scopes("docker", "r.example", "r.example/t"), "docker://r.example/t/a", `docker "r.example/t"`},
		"a namespace that only begins alike":      {scopes("docker", "r.example/t"), "docker://r.example/team/a", ""},
		"a repository above the namespace":        {scopes("docker", "r.example/t/a", "r.example/t"), "docker://r.example/t/a:1", `docker "r.example/t/a"`},
		"a tag above the repository":              {scopes("docker", "r.example/a", "r.example/a:1"), "docker://r.example/a:1", `docker "r.example/a:1"`},
		"the tag that is left out":                {scopes("docker", "docker.io/library/a:latest"), "docker://a", `docker "docker.io/library/a:latest"`},
		"a tag does not fit a digest":             {scopes("docker", "r.example/a:1"), "docker://r.example/a:1@" + sum, ""},
		"a digest":                                {scopes("docker", "r.example/a", "r.example/a@"+sum), "docker://r.example/a@" + sum, `docker "r.example/a@` + sum + `"`},
		"a wildcard":                              {scopes("docker", "", "*.example"), "docker://r.example/a", `docker "*.example"`},
		"a wildcard has all levels below it":      {scopes("docker", "*.example"), "docker://x.r.example/a", `docker "*.example"`},
		"the narrower wildcard":                   {scopes("docker", "*.example", "*.r.example"), "docker://x.r.example/a", `docker "*.r.example"`},
		"a wildcard does not have its own domain": {scopes("docker", "*.r.example"), "docker://r.example/a", ""},
		"a wildcard does not look at ports":       {scopes("docker", "*.example"), "docker://r.example:5000/a", `docker "*.example"`},
		"a host above a wildcard":                 {scopes("docker", "*.example", "r.example"), "docker://r.example/a", `docker "r.example"`},
		"a directory":                             {scopes("oci", "", dir+"/real"), "oci:" + dir + "/real", `oci "` + dir + `/real"`},
		"a directory above":                       {scopes("oci", dir), "oci:" + dir + "/real/x:1", `oci "` + dir + `"`},
		"a directory by a symbolic link":          {scopes("oci", dir+"/real"), "oci:" + dir + "/link/x", `oci "` + dir + `/real"`},
		"a file that is gone, below such a link":  {scopes("oci-archive", dir+"/real"), "oci-archive:" + dir + "/link/gone.tar", `oci-archive "` + dir + `/real"`},
		"a directory that only begins alike":      {scopes("oci", dir+"/re"), "oci:" + dir + "/real", ""},
		"a directory's tag":                       {scopes("oci", dir+"/real", dir+"/real:1"), "oci:" + dir + "/real:1", `oci "` + dir + `/real:1"`},
		"another tag":                             {scopes("oci", dir+"/real", dir+"/real:1"), "oci:" + dir + "/real:2", `oci "` + dir + `/real"`},
		"an archive of docker save":               {scopes("docker-archive", dir), "docker-archive:" + dir + "/x.tar:a:1", `docker-archive "` + dir + `"`},
		"an archive's transport":                  {scopes("docker-archive", ""), "docker-archive:/x.tar", `docker-archive ""`},
	} {
		t.Run(name, func(t *testing.T) {
			p := mustLoad(t, tt.policy)
			_, err := p.Check(t.Context(), Subject{Ref: parseRef(t, tt.ref)})
			if tt.want == "" {
				if err != nil {
					t.Errorf("refused: %v", err)
				}
				return
			}
			refused, ok := err.(*RefusedError)
			if !ok || refused.Scope != tt.want {
				t.Errorf("got %v, want scope %s", err, tt.want)
			}
		})
	}
	t.Run("a directory whose tags have scopes needs a tag", func(t *testing.T) {
		p := mustLoad(t, scopes("oci", dir+"/real:1"))
		_, err := p.Check(t.Context(), Subject{Ref: parseRef(t, "oci:"+dir+"/link")})
		if err == nil || !strings.Contains(err.Error(), "say which tag is meant") {
			t.Errorf("got %v", err)
		}
	})
}
