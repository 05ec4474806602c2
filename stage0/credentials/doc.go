// Package credentials finds what to log in with: in containers' auth.json,
// Docker's config.json and the credential helpers these name, and in raket's
// configuration kinds auth and dockerAuth.
//
// It may use stage0/config. It must not use stage0/fetch.
package credentials
