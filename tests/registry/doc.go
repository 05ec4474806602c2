// Package registry gives tests an image registry.
//
// Debian runs Debian's docker-registry, the real one, on a loopback address; its storage is a
// directory of the caller's, and it ends with the caller. Serve is a registry inside the test
// process, with all requests counted and with a hook before each, for faults: a truncated
// blob, a slow answer, a wrong digest, an error status. ServeTokens is the token server that
// Debian's registry can be made to send its clients to.
//
//	p, err := registry.Debian(ctx, dir, registry.Options{TLS: true, Users: map[string]string{"ann": "secret"}})
//	err = p.Push(ctx, "oci:"+layout+":latest", "team/hello:1", registry.Login{User: "ann", Password: "secret"})
//
// Both can be in a test host's network namespace, so that a pod host sees them on its own
// loopback.
//
// It must not import any stage or pkg package.
package registry
