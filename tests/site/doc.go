// Package site is a web site for tests of appc discovery: pages with meta tags, images, their
// signatures and public keys, over HTTPS, with a log of what was asked.
//
//	s, err := site.Local(site.Options{Names: []string{"example.com"}})
//	s.Publish(site.Image{Name: "example.com/app", Version: "1.0.0", ACI: aci, Signature: asc, Keys: key})
//	s.Change("/images/app-1.0.0-linux-amd64.aci", func(f *site.File) { f.ETag, f.CutAt, f.Cuts = `"1"`, 4096, 1 })
//
// A site answers alike under all its names; they are in its certificate. Discovery wants port
// 443: on a test host, serve on testhost's Host.Listen("127.0.0.1:443") and put the names into
// the host's /etc/hosts; in a process, Transport leads every name to the site.
//
// Terms: a page has meta tags (appc spec, discovery.md); a file is anything else; a knob is a
// field of File that has the site answer otherwise than well.
//
// It must not import any stage or pkg package.
package site
