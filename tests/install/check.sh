#!/bin/sh
# check.sh: installs anel into a temporary prefix and builds a user's program against it, found with
# find_package, found with pkg-config, and taken in with add_subdirectory.
#   check.sh CMAKE SOURCE_DIR BUILD_DIR COMPILER [compiler flags...]
set -eu
cmake=$1 source=$2 build=$3 compiler=$4
shift 4
flags="$*"
consumer=$source/tests/install/consumer
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
say() { printf '\n== %s\n' "$1"; }

configure() {  # configure FOLDER OPTION...
    folder=$1
    shift
    "$cmake" -G Ninja -S "$consumer" -B "$scratch/$folder" -DCMAKE_CXX_COMPILER="$compiler" \
        -DCMAKE_CXX_FLAGS="$flags" "$@"
    # What anel needs for itself must not change how a user's files are compiled.
    if grep '"command"' "$scratch/$folder/compile_commands.json" | grep 'consumer/main\.cpp' |
        grep -E -- '-W[a-z]|-fstack|FORTIFY|ANEL_|_GLIBCXX'; then
        echo "flags of anel leaked into the user's compile command" >&2
        exit 1
    fi
}

say "install"
"$cmake" --install "$build" --prefix "$scratch/prefix"

say "find_package"
configure found -DCMAKE_PREFIX_PATH="$scratch/prefix"
"$cmake" --build "$scratch/found"
"$scratch/found/consumer"

say "find_package, configured again: the answer about the compiler is cached"
if configure found | grep "Checking that the compiler"; then
    echo "the check of the compiler ran twice" >&2
    exit 1
fi

say "pkg-config"
pc=$(find "$scratch/prefix" -name anel.pc)
PKG_CONFIG_PATH=$(dirname "$pc")
export PKG_CONFIG_PATH
# shellcheck disable=SC2046,SC2086  # Flags are words on purpose.
set -- $flags $(pkg-config --cflags anel) "$consumer/main.cpp" $(pkg-config --static --libs anel)
echo "$compiler -std=c++20 $*"
"$compiler" -std=c++20 "$@" -o "$scratch/pkg_consumer"
"$scratch/pkg_consumer"

say "add_subdirectory (configured only: the sources are those built already)"
configure inside -DANEL_SOURCE_DIR="$source"
echo "installed and found"
