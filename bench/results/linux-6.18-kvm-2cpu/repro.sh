#!/bin/sh
# repro.sh: repeats this comparison, from the top of the source tree.
set -eu
./dev build
build/release/bench/anel-bench compare --servers uring,uring-multishot,epoll,epoll-edge,threads,anel-io_uring,anel-epoll,anel-poll,asio,libuv,go --workloads ping-pong,one-connection,pipelined,ping-pong-512,echo-16k,request-reply-16k,churn,idle-mass,udp --rounds 5 --seconds 0.3 --out bench/results/linux-6.18-kvm-2cpu --patience 300
