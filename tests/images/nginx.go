package images

import (
	"context"
	"path/filepath"
	"strings"
)

// nginxConf is Debian's, less the modules and mail; the server comes from conf.d.
const nginxConf = `user www-data;
worker_processes auto;
pid /run/nginx.pid;
error_log stderr notice;
events { worker_connections 768; }
http {
    sendfile on;
    tcp_nopush on;
    include /etc/nginx/mime.types;
    default_type application/octet-stream;
    access_log /var/log/nginx/access.log;
    gzip on;
    include /etc/nginx/conf.d/*.conf;
}
`

const nginxDefault = `server {
    listen 80 default_server;
    location / {
        default_type text/plain;
        return 200 "hello from nginx\n";
    }
}
`

// nginxEntrypoint has the form of the official image's: hooks, then the command.
const nginxEntrypoint = `#!/bin/sh
set -e
if [ -d /docker-entrypoint.d ]; then
    for f in /docker-entrypoint.d/*.sh; do
        [ -x "$f" ] && "$f"
    done
fi
exec "$@"
`

// Nginx is nginx from Debian's packages, in the form of the official image: an entrypoint
// script, nginx -g "daemon off;", SIGQUIT to stop, port 80. Its server configuration is in
// /etc/nginx/conf.d, its access log is /var/log/nginx/access.log, errors go to stderr.
func Nginx(ctx context.Context, cache string) (Builder, error) {
	debs := filepath.Join(cache, "debs-nginx")
	programs := []string{"nginx", "nginx-common"}
	libs, err := libraries(ctx, programs[:1])
	if err != nil {
		return Builder{}, err
	}
	libDebs, err := download(ctx, debs, libs)
	if err != nil {
		return Builder{}, err
	}
	programDebs, err := download(ctx, debs, programs)
	if err != nil {
		return Builder{}, err
	}
	base, err := unpackDebs(ctx, libDebs, func(p string) bool { return trimmed(p) && !strings.Contains(p, "/gconv") })
	if err != nil {
		return Builder{}, err
	}
	server, err := unpackDebs(ctx, programDebs, func(p string) bool {
		for _, drop := range []string{"etc/init.d", "etc/default", "etc/logrotate.d", "etc/ufw", "lib/systemd", "etc/nginx/nginx.conf", "etc/nginx/sites-"} {
			if strings.HasPrefix(p, drop) {
				return false
			}
		}
		return trimmed(p)
	})
	if err != nil {
		return Builder{}, err
	}
	server = append(server, Dir("run", 0o755))
	for _, d := range []string{"body", "fastcgi", "proxy", "scgi", "uwsgi"} {
		server = append(server, Dir("var/lib/nginx/"+d, 0o700).Owned(33, 0))
	}
	version := ""
	for _, d := range programDebs {
		if _, rest, ok := strings.Cut(filepath.Base(d), "nginx_"); ok {
			version, _, _ = strings.Cut(rest, "-")
		}
	}
	return New().
		Layer(BusyboxFiles()...).
		Layer(base...).
		Layer(server...).
		Layer(
			File("etc/nginx/nginx.conf", nginxConf, 0o644),
			File("etc/nginx/conf.d/default.conf", nginxDefault, 0o644),
			File("docker-entrypoint.sh", nginxEntrypoint, 0o755),
		).
		Env("NGINX_VERSION="+version).
		Entrypoint("/docker-entrypoint.sh").
		Cmd("nginx", "-g", "daemon off;").
		Ports("80/tcp").
		StopSignal("SIGQUIT").
		Label("org.opencontainers.image.version", version), nil
}

// trimmed refuses what no image needs of a package.
func trimmed(p string) bool {
	for _, drop := range []string{"usr/share/doc", "usr/share/man", "usr/share/lintian", "usr/share/locale", "usr/share/bug"} {
		if p == drop || strings.HasPrefix(p, drop+"/") {
			return false
		}
	}
	return true
}
