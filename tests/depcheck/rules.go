package depcheck

import "strings"

// module is the path of this module; packages below are named relative to it.
const module = "github.com/raket/raket/"

// arrow forbids packages below from to import packages below to.
type arrow struct{ from, to, why string }

// arrows point down only. tests may import tests and nothing shipped, but for what it drives
// through the stage contract's own types.
func arrows() []arrow {
	return []arrow{
		{"pkg/", "stage0/", "pkg is below the stages"},
		{"pkg/", "stage1/", "pkg is below the stages"},
		{"pkg/", "stage2/", "pkg is below the stages"},
		{"pkg/", "tests/", "nothing shipped needs a test's package"},
		{"stage0/", "stage1/", "stages meet in the stage contract, pkg/stageabi"},
		{"stage0/", "stage2/", "stages meet in the stage contract, pkg/stageabi"},
		{"stage0/", "tests/", "nothing shipped needs a test's package"},
		{"stage1/", "stage0/", "stages meet in the stage contract, pkg/stageabi"},
		{"stage1/", "stage2/", "stages meet in the stage contract, pkg/stageabi"},
		{"stage1/", "tests/", "nothing shipped needs a test's package"},
		{"stage2/", "stage0/", "stages meet in the stage contract, pkg/stageabi"},
		{"stage2/", "stage1/", "stages meet in the stage contract, pkg/stageabi"},
		{"stage2/", "tests/", "nothing shipped needs a test's package"},
		{"tests/images", "pkg/", "it makes what pkg is tested with"},
		{"tests/images", "stage", "it makes what the stages are tested with"},
		{"tests/registry", "pkg/", "it serves what pkg is tested with"},
		{"tests/site", "pkg/", "it serves what pkg is tested with"},
		{"tests/site", "stage", "it serves what the stages are tested with"},
		{"tests/authority", "pkg/", "it certifies what pkg is tested with"},
		{"tests/authority", "stage", "it certifies what the stages are tested with"},
		{"tests/testhost", "pkg/", "it is what the programs are tested on"},
		{"tests/testhost", "stage", "it is what the programs are tested on"},
	}
}

// owner names who may import a third-party API. An entry of by that ends in "/" means all
// below it. No entry means everyone.
type owner struct {
	api string
	by  []string
	why string
}

// owners gives each third-party API its importing package. The longest matching api counts;
// an import that none matches is refused until it has a line here.
func owners() []owner {
	return []owner{
		{"golang.org/x/sys/unix", nil, "the system's own names"},
		{"golang.org/x/term", []string{"pkg/progress", "stage0/cli"}, "is it a terminal, and how wide"},
		{"golang.org/x/sync", nil, "as the standard library"},
		{"github.com/opencontainers/go-digest", nil, "a vocabulary type"},
		{"github.com/opencontainers/image-spec", []string{"pkg/image"}, ""},
		{"github.com/opencontainers/runtime-spec", []string{"pkg/appspec", "pkg/seccomp"}, "the app spec is the narrow waist; filters are a part of it"},
		{"github.com/moby/profiles/seccomp", []string{"pkg/seccomp"}, "Docker's default profile, and the form of others"},
		{"github.com/google/go-containerregistry", []string{"tests/"}, "the registry of tests; raket has a client of its own"},
		{"github.com/containerd/containerd/v2", []string{"pkg/layer"}, ""},
		{"github.com/klauspost/compress", []string{"pkg/layer/"}, ""},
		{"github.com/ulikunitz/xz", []string{"pkg/layer"}, ""},
		{"github.com/ProtonMail/go-crypto", []string{"stage0/trust/openpgp"}, "its policy is decided in one place"},
		{"github.com/appc/spec/schema", []string{"pkg/podmanifest", "stage0/fetch/appc"}, "one reads pod manifests, the other image manifests"},
		{"golang.org/x/net/html", []string{"stage0/fetch/appc"}, "meta tags of discovery"},
		{"github.com/appc/spec/discovery", []string{"stage0/fetch/appc", "stage0/trust/keystore/keyfetch"}, "one finds images, the other keys; both must keep its one client to themselves while they use it"},
		{"github.com/containernetworking/cni", []string{"stage1/network"}, ""},
		{"github.com/coreos/go-systemd/v22/unit", []string{"pkg/unitfile"}, "it writes newlines verbatim: never feed it unchecked text"},
		{"github.com/coreos/go-systemd/v22", []string{"pkg/sd"}, ""},
		{"github.com/godbus/dbus/v5", []string{"pkg/sd"}, ""},
		{"github.com/google/uuid", []string{"pkg/pod"}, ""},
		{"go.yaml.in/yaml/v3", []string{"stage0/trust/lookaside", "stage0/cdi"}, "registries.d is YAML, and so may a CDI specification be"},
		{"github.com/BurntSushi/toml", []string{"stage0/registries"}, "slow and hungry where keys nest deep: limit that first"},
		{"github.com/aws/aws-sdk-go-v2", []string{"stage0/credentials"}, "the signer and no more"},
		{"github.com/spf13/cobra", []string{"stage0/cli/"}, "stage1 and stage2 use pflag or nothing"},
		{"github.com/spf13/pflag", []string{"stage0/cli/", "stage1/cmd/"}, ""},
	}
}

// inTests are the third-party APIs that test code and the tests directory may use as well.
func inTests() []string {
	return []string{
		"github.com/google/go-cmp", "github.com/rogpeppe/go-internal", "golang.org/x/sys/unix",
		"github.com/google/go-containerregistry", "github.com/appc/spec", "github.com/coreos/go-systemd/v22",
		"github.com/opencontainers/go-digest", "github.com/opencontainers/image-spec", "github.com/opencontainers/runtime-spec",
		"github.com/klauspost/compress", "github.com/ulikunitz/xz", "github.com/spf13/cobra", "github.com/spf13/pflag",
		"golang.org/x/crypto/bcrypt",
	}
}

// stage2Links are the packages outside the standard library that a program inside the pod may
// link: it is tiny and static.
func stage2Links() []string {
	return []string{"golang.org/x/sys/", module + "pkg/", module + "stage2/"}
}

// stage2Never are the packages of the standard library that would make it big and slow.
func stage2Never() []string {
	return []string{"net/http", "crypto/tls", "text/template", "html/template", "encoding/json", "regexp", "os/exec", "net"}
}

// neverShipped are packages no shipped package may import itself.
func neverShipped() map[string]string {
	return map[string]string{
		"text/template": "it costs 3 MiB",
		"html/template": "it costs 3 MiB",
		"C":             "raket is static",
		"plugin":        "raket is static",
	}
}

// vagueNames say nothing about what a package does.
func vagueNames() []string {
	return []string{"util", "utils", "common", "helper", "helpers", "misc", "shared", "base"}
}

// maxLines is where a file is too long whatever the reason.
const maxLines = 500

// below says whether a package path lies under a prefix; "a/" means a itself and all below it.
func below(path, prefix string) bool {
	if strings.HasSuffix(prefix, "/") {
		return strings.HasPrefix(path+"/", prefix)
	}
	return path == prefix
}
