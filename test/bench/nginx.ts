import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Writes the configuration of a bare nginx that proxies: one worker, kept-alive upstream connections, no log. Gives its path. */
export function writeNginxConfig(folder: string, port: number, upstreamPort: number): string {
  return write(
    folder,
    `upstream users { server 127.0.0.1:${upstreamPort}; keepalive 512; keepalive_requests 1000000000; }
  server {
    listen 127.0.0.1:${port};
    location /gateway/ {
      proxy_pass http://users/;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
    }
  }`,
  )
}

/** Writes the configuration of an nginx that answers everything with the same JSON. Gives its path. */
export function writeFastUpstreamConfig(folder: string, port: number): string {
  return write(
    folder,
    `server {
    listen 127.0.0.1:${port};
    default_type application/json;
    location / { return 200 '{"id":1,"username":"john_doe","email":"john@example.com","created_at":"2026-01-01T00:00:00.000Z"}'; }
  }`,
  )
}

function write(folder: string, http: string): string {
  mkdirSync(folder, { recursive: true })
  const path = join(folder, 'nginx.conf')
  writeFileSync(
    path,
    `user root;
worker_processes 1;
daemon off;
pid ${folder}/nginx.pid;
error_log stderr crit;
events { worker_connections 1024; }
http {
  access_log off;
  client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi; uwsgi_temp_path ${folder}/uwsgi; scgi_temp_path ${folder}/scgi;
  keepalive_requests 1000000000;
  ${http}
}
`,
  )
  return path
}
