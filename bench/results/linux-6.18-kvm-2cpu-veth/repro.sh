#!/bin/sh
# repro.sh: repeats this comparison, from the top of the source tree.
set -eu
./dev build
build/release/bench/anel-bench compare --topology veth --out veth
