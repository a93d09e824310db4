#!/bin/sh
# repro.sh: repeats this comparison, from the top of the source tree.
set -eu
./dev build
build/release/bench/anel-bench compare --full --minutes 36 --servers uring,uring-adaptive,epoll,threads,anel-io_uring,anel-epoll,asio,libuv,tokio,go,nginx,node --out report
