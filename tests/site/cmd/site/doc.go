// Command site serves a site for appc discovery in the foreground, by hand and for demos:
//
//	site [-addr HOST:PORT] [-http] [-name NAME]… DIR
//
// Every file below DIR is at its path. DIR/site.json, if it is there, has pages with meta tags
// and knobs (fields of site.File) by path:
//
//	{"pages": {"/app": {"ac-discovery": "example.com/app https://example.com/app-{version}.{ext}"}},
//	 "files": {"/app-1.aci": {"etag": "\"1\"", "cacheControl": "max-age=60"}}}
//
// The certificate that clients have to trust is written to DIR.pem. It prints "ready HOST:PORT"
// when the site answers, and ends on SIGTERM or SIGINT.
package main
