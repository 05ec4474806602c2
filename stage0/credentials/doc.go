// Package credentials finds what to log in with: in containers' auth.json,
// Docker's config.json and the credential helpers these name, and in raket's
// configuration kinds auth and dockerAuth.
//
// Terms:
//
//   - credential: what a registry is shown; Finder.ForRegistry finds it. Kind auth
//     is not asked for registries, nor are these files for anything else, as with
//     rkt and podman.
//
//   - authorization: what another web server is shown (images, signatures, keys,
//     discovery): Finder.Authorize and Finder.Transport put it into requests.
//
//   - source: where a credential is looked for. The first that has one counts:
//
//     1. the file of Options.AuthFile or REGISTRY_AUTH_FILE; with it, files 3 to 6
//     are not read
//     2. kind dockerAuth
//     3. $XDG_RUNTIME_DIR/containers/auth.json, /run/containers/UID/auth.json
//     4. $XDG_CONFIG_HOME/containers/auth.json, below ~/.config by default
//     5. $DOCKER_CONFIG/config.json, below ~/.docker by default
//     6. ~/.dockercfg
//
//     Helpers that registries.conf names (credential-helpers) are asked before or
//     after all these, as its order says.
//
//   - key: a registry, or a registry and the beginning of a repository, that a
//     credential in a file is for. The longest that fits counts. An entry without
//     a credential is passed over, with the shorter ones of that file.
//
//   - helper: a program docker-credential-NAME that keeps credentials. One that
//     has none says so; one that fails, or is not there, is an error and not an
//     anonymous request.
//
// Files that others may read are read without a word: Docker's usually are.
//
// It may use stage0/config. It must not use stage0/fetch. Secrets are in none of its
// errors.
package credentials
