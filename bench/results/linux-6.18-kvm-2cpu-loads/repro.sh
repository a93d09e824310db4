#!/bin/sh
# repro.sh: repeats this comparison, from the top of the source tree.
set -eu
./dev build
build/release/bench/anel-bench compare --workloads one-connection,ping-pong,ping-pong-512,ping-pong-4000,pipelined,echo-4k,echo-64k,udp,churn --servers uring,uring-multishot,epoll,threads,anel-io_uring,anel-epoll,asio,libuv --rounds 5 --seconds 0.4 --no-curves --patience 15 --out report
