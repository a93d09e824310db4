#!/bin/sh
# demo.sh: the conversation of a first lecture on sockets, over anel; then what each backend costs.
# usage: examples/demo.sh BUILD_FOLDER
# SPDX-License-Identifier: MIT
set -eu
bin=$1/examples
client=$bin/request_reply_client
log=$(mktemp)
server=
trap 'kill "$server" 2>/dev/null || true; rm -f "$log"' EXIT

say() { printf '\n== %s\n' "$*"; }
# talk NAME [--udp] ADDRESS REQUEST...: asks all on one socket, shows each with its reply.
talk() {
    name=$1
    transport=tcp
    shift
    [ "$1" != --udp ] || { transport=udp; shift; }
    to=$1
    shift
    asked=$(mktemp)
    printf '%s\n' "$@" >"$asked"
    set -- "$to" "$@"
    [ "$transport" = tcp ] || set -- --udp "$@"
    "$client" "$@" | paste -d '\t' "$asked" - | while IFS='	' read -r request reply; do
        printf '%-5s %s  %-20s -> %s\n' "$name" "$transport" "$request" "$reply"
    done
    rm -f "$asked"
}

say 'a server: one thread, TCP and UDP on one port'
echo "\$ $bin/request_reply_server 127.0.0.1:0"
"$bin/request_reply_server" 127.0.0.1:0 >"$log" &
server=$!
tries=0
until grep -q listening "$log"; do
    tries=$((tries + 1))
    if [ "$tries" -gt 100 ] || ! kill -0 "$server" 2>/dev/null; then
        echo 'demo: the server did not start' >&2
        exit 1
    fi
    sleep 0.05
done
cat "$log"
address=$(sed 's/listening on \([^ ]*\) .*/\1/' "$log")

say 'one client, several requests on one TCP connection'
talk ana "$address" 'upper hello, ring' 'reverse anel' 'add 40 2' count quit

say 'several clients at once'
talk bia "$address" 'upper bia over tcp' count &
bia=$!
talk caio "$address" 'reverse oiac' count count &
caio=$!
talk davi --udp "$address" 'add 1 2' count &
davi=$!
wait "$bia" "$caio" "$davi"

say 'SIGTERM: it stops accepting, finishes its replies, and exits'
kill -TERM "$server"
code=0
wait "$server" || code=$?
echo "exit code $code"
[ "$code" = 0 ]

if [ -x "$1/bench/anel-bench" ]; then
    say 'what an echo costs: io_uring, epoll, poll and a blocking thread per connection'
    # A busy machine too has to give figures here; where it cannot, the table says so.
    "$1/bench/anel-bench" compare --servers anel-io_uring,anel-epoll,anel-poll,threads \
        --workloads ping-pong --starts 4 --rounds 4 --no-curves ||
        echo 'Some of these runs do not count; the lines with ! say why.'
fi

cat <<END

== by hand
$bin/request_reply_server          # listens on 127.0.0.1:7777
nc 127.0.0.1 7777      and type: upper hello
nc -u 127.0.0.1 7777   the same over UDP
ANEL_BACKEND=poll $bin/tcp_echo    # any program on io_uring, epoll or poll
END
