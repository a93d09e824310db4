#!/bin/sh
# repro.sh: repeats this comparison, from the top of the source tree.
set -eu
./dev build
build/release/bench/anel-bench compare --full --workloads ping-pong,light-load,half-load --servers uring,epoll,threads,anel-io_uring,anel-epoll --patience 60 --out curves
