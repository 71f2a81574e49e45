"""The table of proxies: how each is found and configured for the same work.

Every one gets a single worker, keep-alive on both sides, no access log, the same forwarded fields, WebSocket,
and the buffer sizes that serve it best. To add one, write its configuration function and give it a row in
PROXIES; what is not installed is left out of a run, with a line that says so.
"""
import dataclasses
import json
import os
import shutil
import subprocess
from typing import Callable

from certificates import Certificate
from machine import Failure, ROOT, WORK


RATE = 1000000  # nobody reaches it: what is measured is the asking


@dataclasses.dataclass(frozen=True)
class Job:
    """What a proxy shall do. Routes are (prefix or regex, pattern); all lead to the one upstream."""
    port: int
    tls_port: int            # HTTP/1.1 and HTTP/2 by ALPN
    upstream: int
    connections: int
    routes: list
    limited: bool            # by X-Key, RATE a second
    certificate: Certificate

    def prefixes(self, proxy):
        """The patterns, for a proxy that knows no others, and no limits either."""
        if self.limited:
            raise Failure(f"{proxy} has no rate limits")
        if any(kind != "prefix" for kind, _ in self.routes):
            raise Failure(f"{proxy} has no routes by regular expression")
        return [pattern.rstrip("/") + "/" for _, pattern in self.routes]


@dataclasses.dataclass(frozen=True)
class Proxy:
    name: str
    binary: str
    version: list            # arguments that print it
    configure: Callable      # Job -> arguments to run with
    quick: bool = True       # takes part in --quick
    environment: tuple = ()  # NAME=VALUE, beside what it inherits

    def path(self):
        return shutil.which(self.binary)


def write(name, text):
    path = WORK / name
    path.write_text(text)
    return path


def portico(job):
    routes = "\n".join(f"      - {{ {kind}: '{pattern}', upstream: app, max_body: 1GiB }}"
                       for kind, pattern in job.routes)
    limits = f"limits: {{ api: {{ rate: {RATE}/s, burst: {RATE}, key: header X-Key }} }}\ndefaults: {{ limits: [api] }}" if job.limited else ""
    return ["run", write("portico.yaml", f"""\
process: {{ threads: 1 }}
log: {{ access: off }}
listen:
  - {{ address: "127.0.0.1:{job.port}" }}
  - {{ address: "127.0.0.1:{job.tls_port}", tls: true }}
tls:
  certificates:
    - {{ chain: "{job.certificate.chain}", key: "{job.certificate.key}" }}
upstreams:
  app: {{ servers: ["127.0.0.1:{job.upstream}"], idle_max: 1024, idle_timeout: 1h }}
{limits}
sites:
  - hosts: ["*"]
    routes:
{routes}
""")]


def nginx(job):
    sign = {"prefix": "", "regex": "~ "}
    locations = "\n".join(
        f"        location {sign[kind]}{pattern if kind == 'regex' else pattern.rstrip('/') + '/'} "
        "{ proxy_pass http://app; }" for kind, pattern in job.routes)
    zone = f"limit_req_zone $http_x_key zone=api:32m rate={RATE}r/s;" if job.limited else ""
    limit = f"limit_req zone=api burst={RATE} nodelay;" if job.limited else ""
    root = "user root;" if os.geteuid() == 0 else ""
    return ["-e", WORK / "nginx.error", "-c", write("nginx.conf", f"""\
{root}
daemon off;
worker_processes 1;
worker_rlimit_nofile {job.connections * 2 + 500};
pid {WORK}/nginx.pid;
events {{ worker_connections {job.connections * 2}; multi_accept on; }}
http {{
    access_log off;
    {zone}
    {limit}
    keepalive_timeout 1h;
    keepalive_requests 1000000000;
    client_header_timeout 10s;
    client_max_body_size 1g;
    client_body_buffer_size 256k;
    client_body_temp_path {WORK}/nginx-body;
    proxy_temp_path {WORK}/nginx-proxy;
    proxy_http_version 1.1;
    proxy_request_buffering off;
    proxy_max_temp_file_size 0;
    proxy_buffer_size 64k;
    proxy_buffers 8 64k;
    proxy_busy_buffers_size 128k;
    proxy_read_timeout 1h;
    proxy_set_header Host $http_host;
    proxy_set_header Connection $connection_upgrade;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header X-Real-IP $remote_addr;
    proxy_set_header X-Forwarded-For $remote_addr;
    proxy_set_header X-Forwarded-Proto $scheme;
    proxy_set_header X-Forwarded-Host $http_host;
    map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}
    ssl_certificate {job.certificate.chain};
    ssl_certificate_key {job.certificate.key};
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_session_timeout 1h;
    ssl_conf_command NumTickets 1;
    upstream app {{
        server 127.0.0.1:{job.upstream};
        keepalive 1024;
        keepalive_requests 1000000000;
        keepalive_timeout 1h;
    }}
    server {{
        listen 127.0.0.1:{job.port} backlog=4096;
        listen 127.0.0.1:{job.tls_port} ssl http2 backlog=4096;
{locations}
    }}
}}
""")]


def haproxy(job):
    lines = {kind: [] for kind in ("prefix", "regex")}
    for kind, pattern in job.routes:
        lines[kind].append(f"{pattern} app" if kind == "regex" else f"{pattern.rstrip('/')}/ app")
    # Maps are indexed by prefix and serve every request with one lookup; regexes go one by one.
    prefixes = write("haproxy.prefixes", "\n".join(lines["prefix"]) + "\n")
    regexes = write("haproxy.regexes", "\n".join(lines["regex"]) + "\n")
    choose = "default_backend app" if job.routes == [("prefix", "/")] else "\n    ".join(
        f"use_backend %[path,{by}({path})]" for by, path, some in
        (("map_beg", prefixes, lines["prefix"]), ("map_reg", regexes, lines["regex"])) if some)
    limit = f"""stick-table type string len 16 size 200k expire 1m store http_req_rate(1s)
    http-request track-sc0 req.hdr(x-key)
    http-request deny deny_status 429 if {{ sc_http_req_rate(0) gt {RATE} }}""" if job.limited else ""
    return ["-db", "-q", "-f", write("haproxy.cfg", f"""\
global
    nbthread 1
    maxconn {job.connections}
    maxpipes 400
    tune.bufsize 65536
    ssl-default-bind-options ssl-min-ver TLSv1.2
defaults
    mode http
    timeout client 1h
    timeout server 1h
    timeout tunnel 1h
    timeout connect 5s
    timeout http-request 10s
    timeout http-keep-alive 1h
    http-reuse always
    option splice-auto
frontend bench
    bind 127.0.0.1:{job.port} backlog 4096
    bind 127.0.0.1:{job.tls_port} backlog 4096 ssl crt {job.certificate.both} alpn h2,http/1.1
    option forwardfor
    {limit}
    http-request set-header X-Real-IP %[src]
    http-request set-header X-Forwarded-Proto http if !{{ ssl_fc }}
    http-request set-header X-Forwarded-Proto https if {{ ssl_fc }}
    http-request set-header X-Forwarded-Host %[req.hdr(host)]
    {choose}
backend app
    server upstream 127.0.0.1:{job.upstream} pool-max-conn 1024
""")]


def h2o(job):
    paths = "\n".join(f"""\
      "{prefix}": {{ proxy.reverse.url: "http://127.0.0.1:{job.upstream}{prefix}" }}"""
                      for prefix in job.prefixes("h2o"))
    user = "user: root" if os.geteuid() == 0 else ""
    return ["-c", write("h2o.conf", f"""\
{user}
num-threads: 1
max-connections: {job.connections}
listen: {{ host: 127.0.0.1, port: {job.port} }}
listen:
  host: 127.0.0.1
  port: {job.tls_port}
  ssl:
    certificate-file: "{job.certificate.chain}"
    key-file: "{job.certificate.key}"
    minimum-version: TLSv1.2
    neverbleed: OFF
    ocsp-update-interval: 0
http1-request-timeout: 3600
http2-idle-timeout: 3600
limit-request-body: 1073741824
proxy.preserve-host: ON
proxy.timeout.io: 3600000
proxy.timeout.keepalive: 3600000
proxy.websocket: ON
proxy.websocket.timeout: 3600000
hosts:
  default:
    paths:
{paths}
""")]


def nghttpx(job):
    prefixes = {"/": None, **dict.fromkeys(job.prefixes("nghttpx"))}  # it wants a catch-all
    backends = "\n".join(f"backend=127.0.0.1,{job.upstream};{prefix};proto=http/1.1" for prefix in prefixes)
    return ["--conf", write("nghttpx.conf", f"""\
frontend=127.0.0.1,{job.port};no-tls
frontend=127.0.0.1,{job.tls_port}
private-key-file={job.certificate.key}
certificate-file={job.certificate.chain}
single-process=yes
workers=1
no-ocsp=yes
errorlog-file=/dev/stderr
rlimit-nofile={job.connections * 2 + 500}
backlog=4096
backend-keep-alive-timeout=1h
backend-read-timeout=1h
frontend-read-timeout=1h
frontend-keep-alive-timeout=1h
frontend-http2-read-timeout=1h
add-x-forwarded-for=yes
strip-incoming-x-forwarded-for=yes
{backends}
""")]


def caddy_routes(job):
    """Each route names its upstream, and one handler goes there, so that all share one pool."""
    match = {"prefix": lambda pattern: {"path": [pattern.rstrip("/") + "/*"]},
             "regex": lambda pattern: {"path_regexp": {"pattern": pattern}}}
    upstream, routes = f"127.0.0.1:{job.upstream}", []
    if job.routes != [("prefix", "/")]:
        routes = [{"group": "route", "match": [match[kind](pattern)],
                   "handle": [{"handler": "vars", "upstream": upstream}]} for kind, pattern in job.routes]
        upstream = "{http.vars.upstream}"
    fields = {"X-Real-IP": ["{http.request.remote.host}"]}  # X-Forwarded-* are its own habit
    transport = {"protocol": "http", "versions": ["1.1"], "compression": False,
                 "read_buffer_size": 65536, "write_buffer_size": 65536,
                 "keep_alive": {"idle_timeout": "1h", "max_idle_conns": 1024, "max_idle_conns_per_host": 1024}}
    return routes + [{"handle": [{"handler": "reverse_proxy", "upstreams": [{"dial": upstream}],
                                  "headers": {"request": {"set": fields}}, "transport": transport}]}]


def caddy(job):
    if job.limited:
        raise Failure("caddy has no rate limits")
    server = {"routes": caddy_routes(job), "idle_timeout": "1h", "automatic_https": {"disable": True}}
    pairs = [{"certificate": str(job.certificate.chain), "key": str(job.certificate.key)}]
    return ["run", "--config", write("caddy.json", json.dumps({
        "admin": {"disabled": True, "config": {"persist": False}},
        "logging": {"logs": {"default": {"level": "ERROR"}}},
        "apps": {
            "http": {"servers": {
                "plain": {**server, "listen": [f"127.0.0.1:{job.port}"], "protocols": ["h1"]},
                "tls": {**server, "listen": [f"127.0.0.1:{job.tls_port}"], "protocols": ["h1", "h2"],
                        "tls_connection_policies": [{}]},
            }},
            "tls": {"certificates": {"load_files": pairs}},
        },
    }, indent=1))]


def relay_of(job, how):
    if job.limited:
        raise Failure("relay has no rate limits")
    return [job.port, job.upstream, how]


PROXIES = {proxy.name: proxy for proxy in (
    Proxy("portico", str(ROOT / "build/release/portico"), ["--version"], portico),
    Proxy("nginx", "nginx", ["-v"], nginx),
    Proxy("haproxy", "haproxy", ["-v"], haproxy),
    Proxy("h2o", "h2o", ["-v"], h2o, quick=False),
    Proxy("nghttpx", "nghttpx", ["-v"], nghttpx, quick=False),
    Proxy("caddy", "caddy", ["version"], caddy, quick=False, environment=("GOMAXPROCS=1",)),
)}
RELAYS = {relay.name: relay for relay in (  # relay.c: what is left when nothing is done with the bytes
    Proxy("relay", str(WORK / "relay"), [], lambda job: relay_of(job, "copy")),
    Proxy("relay-splice", str(WORK / "relay"), [], lambda job: relay_of(job, "splice")),
)}
OURS, YARDSTICK = "portico", "nginx"
DIRECT = "direct"               # the upstream itself, without a proxy; its own CPU is the cost
REFERENCES = (DIRECT, *RELAYS)  # nobody's rivals: measured when they are asked for


def versions(names):
    found = {}
    for name in names:
        if name in PROXIES and PROXIES[name].path():
            command = [PROXIES[name].path(), *PROXIES[name].version]
            said = subprocess.run(command, capture_output=True, text=True)
            found[name] = (said.stdout + said.stderr).strip().split("\n")[0]
    return found
