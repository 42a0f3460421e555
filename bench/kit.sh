#!/bin/bash
# kit: what bench/run and bench/soak share: an origin, proxies, and a look at what they use.
#
# Everything that is started leads a session of its own and is ended with it; ports are on loopback.
MOONGATE_BIN=${MOONGATE_BIN:-$PWD/build/release/moongate}
PORT=${PORT:-21480}
ORIGIN_PORT=$((PORT + 1)) WORKERS=1
# The proxy has a processor for itself; load and origin share the other.
PROXY_CPU=0 LOAD_CPU=1
[ "$(nproc)" -gt 1 ] || LOAD_CPU=0
PATH=$PATH:/usr/sbin:/sbin
ulimit -n "$(ulimit -Hn)"

work=$(mktemp -d)
chmod 755 "$work"
leaders=()

cleanup() {
    local leader
    for leader in "${leaders[@]}"; do kill -TERM -- "-$leader" 2>/dev/null; done
    for leader in "${leaders[@]}"; do
        for _ in $(seq 50); do kill -0 -- "-$leader" 2>/dev/null || break; sleep 0.1; done
        kill -KILL -- "-$leader" 2>/dev/null
    done
    rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

die() {
    echo "$0: $*" >&2
    exit 1
}

start() { # processor, name for the log, command...; leaves the session's leader in $leader
    setsid taskset -c "$1" "${@:3}" >"$work/$2.log" 2>&1 </dev/null &
    leader=$!
    leaders+=("$leader")
}

stop() { # leader
    kill -TERM -- "-$1" 2>/dev/null
    wait "$1" 2>/dev/null
    kill -KILL -- "-$1" 2>/dev/null
}

wait_for_port() { # port, name of its log
    for _ in $(seq 100); do
        if (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; then return; fi
        sleep 0.05
    done
    cat "$work/$2.log" >&2
    die "nothing listens on port $1 after 5 seconds"
}

port_is_taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

nginx_frame() { # the lines that every nginx of the bench has; the server's own come from stdin
    cat <<CONF
daemon off;
worker_processes 1;
pid $work/$1.pid;
error_log $work/$1.err error;
events { worker_connections 30000; }
http {
    access_log off; sendfile on; tcp_nopush on; server_tokens off;
    keepalive_timeout 600s; keepalive_requests 100000000;
    client_body_temp_path $work/$1.body; proxy_temp_path $work/$1.proxy; fastcgi_temp_path $work/$1.fcgi;
    scgi_temp_path $work/$1.scgi; uwsgi_temp_path $work/$1.uwsgi;
$(cat)
}
CONF
}

start_origin() {
    port_is_taken "$ORIGIN_PORT" && die "port $ORIGIN_PORT is taken; choose others with PORT="
    mkdir -p "$work/www/lua"
    head -c 768 /dev/urandom | base64 -w 0 >"$work/www/1k" # 1,024 bytes
    cp "$work/www/1k" "$work/www/lua/1k"
    head -c 76800 /dev/urandom | base64 -w 0 >"$work/www/100k"
    : >"$work/www/0b"
    nginx_frame origin >"$work/origin.conf" <<CONF
    server {
        listen 127.0.0.1:$ORIGIN_PORT backlog=4096; root $work/www;
        open_file_cache max=100; add_header X-Powered-By bench;
    }
CONF
    start "$LOAD_CPU" origin nginx -c "$work/origin.conf"
    wait_for_port "$ORIGIN_PORT" origin
}

start_nginx() {
    nginx_frame nginx >"$work/nginx.conf" <<CONF
    proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host \$host; proxy_max_temp_file_size 0;
    proxy_buffers 8 32k; proxy_buffer_size 16k;
    upstream origin { server 127.0.0.1:$ORIGIN_PORT; keepalive 600; keepalive_requests 100000000; }
    server { listen 127.0.0.1:$PORT backlog=4096; location / { proxy_pass http://origin; } }
CONF
    start "$PROXY_CPU" nginx nginx -c "$work/nginx.conf"
    wait_for_port "$PORT" nginx
}

start_moongate() {
    [ -x "$MOONGATE_BIN" ] || die "$MOONGATE_BIN is not there; make builds it"
    cat >"$work/moongate.lua" <<CONF
---@type moongate.config
return {
  workers = $WORKERS,
  control = "$work/control.sock",
  access_log = { off = true },
  error_log = { level = "warn" },
  script_path = { "$PWD/bench" },
  timeouts = { client_idle = "10m" },
  limits = { connections = 60000 },
  listeners = { { bind = "127.0.0.1:$PORT", backlog = 4096 } },
  upstreams = { origin = { servers = { "127.0.0.1:$ORIGIN_PORT" }, keepalive = 600 } },
  sites = { { routes = {
    { path = "/lua/*", upstream = "origin", policies = { "bench_policy" } },
    { upstream = "origin" },
  } } },
}
CONF
    start "${CPUS:-$PROXY_CPU}" moongate "$MOONGATE_BIN" run -c "$work/moongate.lua"
    wait_for_port "$PORT" moongate
}

# Every process of a session.
members() { # leader
    awk -v session="$1" '{ sub(/^.*\) /, ""); if ($4 == session) { split(FILENAME, part, "/"); print part[3] } }' \
        /proc/[0-9]*/stat 2>/dev/null
}

# Nanoseconds of processor time that a session has used.
cpu_ns() { # leader
    local pid
    for pid in $(members "$1"); do cat "/proc/$pid/task"/*/schedstat 2>/dev/null; done |
        awk '{ sum += $1 } END { printf "%.0f\n", sum }'
}

# Proportional memory of a session, in bytes.
memory() { # leader
    local pid
    for pid in $(members "$1"); do cat "/proc/$pid/smaps_rollup" 2>/dev/null; done |
        awk '/^Pss:/ { sum += $2 } END { printf "%.0f\n", sum * 1024 }'
}

# wrk's words as one line: requests, requests per second, 99th percentile in µs, errors.
read_wrk() {
    awk '
        function micro(t) { return t ~ /us$/ ? t + 0 : t ~ /ms$/ ? t * 1000 : t * 1000000 }
        / requests in / { requests = $1 }
        /^Requests\/sec/ { rate = $2 }
        / 99%/ { p99 = micro($2) }
        /Socket errors/ { gsub(",", ""); errors += $4 + $6 + $8 + $10 }
        /Non-2xx/ { errors += $NF }
        END { printf "%d %.0f %.0f %d\n", requests, rate, p99, errors }'
}
