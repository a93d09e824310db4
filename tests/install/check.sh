#!/bin/sh
# check.sh: installs anel into a temporary prefix and builds a user's program against it, found with
# find_package, found with pkg-config, and taken in with add_subdirectory; a plugin, a shared object
# that holds the static library; and the same out of the Debian package. Then anel as a shared
# library.
#   check.sh CMAKE SOURCE_DIR BUILD_DIR COMPILER [compiler flags...]
set -eu
cmake=$1 source=$2 build=$3 compiler=$4
shift 4
flags="$*"
consumer=$source/tests/install/consumer
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
say() { printf '\n== %s\n' "$1"; }
fail() {
    echo "$1" >&2
    exit 1
}

configure() {  # configure FOLDER OPTION...
    folder=$1
    shift
    "$cmake" -G Ninja -S "$consumer" -B "$scratch/$folder" -DCMAKE_CXX_COMPILER="$compiler" \
        -DCMAKE_CXX_FLAGS="$flags" "$@"
    # What anel needs for itself must not change how a user's files are compiled.
    if grep '"command"' "$scratch/$folder/compile_commands.json" | grep 'consumer/main\.cpp' |
        grep -E -- '-W[a-z]|-fstack|FORTIFY|ANEL_|_GLIBCXX'; then
        fail "flags of anel leaked into the user's compile command"
    fi
}

say "install"
"$cmake" --install "$build" --prefix "$scratch/prefix"
cmp "$source/LICENSE" "$scratch/prefix/share/doc/anel/LICENSE"

say "find_package"
configure found -DCMAKE_PREFIX_PATH="$scratch/prefix"
"$cmake" --build "$scratch/found"
"$scratch/found/consumer"
"$scratch/found/plugin_host" "$scratch/found/libplugin.so"

say "find_package, configured again: the answer about the compiler is cached"
if configure found | grep "Checking that the compiler"; then
    fail "the check of the compiler ran twice"
fi

build_with_pkg_config() {  # build_with_pkg_config ROOT
    PKG_CONFIG_PATH=$(dirname "$(find "$1" -name anel.pc)")
    export PKG_CONFIG_PATH
    # shellcheck disable=SC2046,SC2086  # Flags are words on purpose.
    set -- $flags "$consumer/main.cpp" $(pkg-config --cflags --libs anel)
    echo "$compiler -std=c++20 $*"
    "$compiler" -std=c++20 "$@" -o "$scratch/pkg_consumer"
}

say "pkg-config, which tells the version that the preprocessor is told"
build_with_pkg_config "$scratch/prefix"
# A shared library stands where no system looks for it.
libraries=$(dirname "$PKG_CONFIG_PATH")
version=$(LD_LIBRARY_PATH=$libraries "$scratch/pkg_consumer")
[ "$version" = "$(pkg-config --modversion anel)" ] || fail "the program says $version"

say "TLS, a component of its own"
if [ -e "$PKG_CONFIG_PATH/anel-tls.pc" ]; then
    configure tls -DCMAKE_PREFIX_PATH="$scratch/prefix" -DCONSUMER_TLS=ON
    "$cmake" --build "$scratch/tls" --target tls_consumer
    "$scratch/tls/tls_consumer"
    # shellcheck disable=SC2046,SC2086
    "$compiler" -std=c++20 $flags "$consumer/tls.cpp" $(pkg-config --cflags --libs anel-tls) \
        -o "$scratch/pkg_tls"
    LD_LIBRARY_PATH=$libraries "$scratch/pkg_tls" | grep -q "open certificate /no/certificate" ||
        fail "the installed TLS does not work"
else
    echo "skipped: built without OpenSSL"
fi
if pkg-config --print-requires --print-requires-private anel | grep -i ssl; then
    fail "the core needs OpenSSL"
fi

say "headers of another version: the program does not link"
mkdir -p "$scratch/newer/anel"
sed 's/\(VERSION_PATCH\) .*/\1 99/' "$scratch/prefix/include/anel/version.hpp" \
    >"$scratch/newer/anel/version.hpp"
# shellcheck disable=SC2046,SC2086
if "$compiler" -std=c++20 $flags "-I$scratch/newer" "$consumer/main.cpp" \
    $(pkg-config --cflags --libs anel) -o "$scratch/newer/program" 2>"$scratch/newer/said"; then
    fail "headers of another version were taken"
fi
grep -q 'version<[0-9]*99>' "$scratch/newer/said" || fail "$(cat "$scratch/newer/said")"

say "the Debian package"
if command -v dpkg-deb >/dev/null && [ -e "$build/CPackConfig.cmake" ]; then
    (cd "$scratch" && "$(dirname "$cmake")/cpack" -G DEB --config "$build/CPackConfig.cmake" \
        -B "$scratch/package")
    package=$(echo "$scratch"/package/libanel-dev_*.deb)
    dpkg-deb -I "$package"
    if pkg-config --print-requires anel | grep -q liburing; then
        dpkg-deb -f "$package" Depends | grep -q 'liburing-dev (>= 2.3)' ||
            fail "the package does not depend on liburing"
    fi
    dpkg-deb -x "$package" "$scratch/root"
    build_with_pkg_config "$scratch/root/usr"
fi

say "import anel"
major=$("$compiler" --version | sed -n 's/.*clang version \([0-9]*\).*/\1/p')
if [ "${major:-0}" -ge 19 ]; then
    # shellcheck disable=SC2046,SC2086
    set -- -std=c++20 $flags $(pkg-config --cflags anel)
    "$compiler" "$@" --precompile -x c++-module \
        "$(find "$scratch/prefix" -name anel.cppm)" -o "$scratch/anel.pcm"
    # shellcheck disable=SC2046
    "$compiler" "$@" -fmodule-file=anel="$scratch/anel.pcm" "$consumer/imported.cpp" \
        -x none "$scratch/anel.pcm" $(pkg-config --libs anel) -o "$scratch/imported"
    "$scratch/imported"
else
    echo "skipped: tried with clang 19 and newer, and this is another compiler"
fi

say "add_subdirectory (configured only: the sources are those built already)"
configure inside -DANEL_SOURCE_DIR="$source"
"$cmake" --install "$scratch/inside" --prefix "$scratch/nothing"
[ ! -e "$scratch/nothing" ] || fail "a user's install installs anel, too"
configure inside -DANEL_SOURCE_DIR="$source" -DANEL_INSTALL=ON
grep -q anel.pc "$scratch/inside/anel/cmake_install.cmake" || fail "ANEL_INSTALL=ON does not"

say "shared library: built in few pieces, which stay for the next run"
"$cmake" -G Ninja -S "$source" -B "$build/shared" -DCMAKE_CXX_COMPILER="$compiler" \
    -DCMAKE_CXX_FLAGS="$flags" -DCMAKE_BUILD_TYPE=Debug -DBUILD_SHARED_LIBS=ON \
    -DCMAKE_UNITY_BUILD=ON -DCMAKE_UNITY_BUILD_BATCH_SIZE=16 \
    -DANEL_BUILD_TESTS=OFF -DANEL_BUILD_EXAMPLES=OFF -DANEL_BUILD_BENCH=OFF -DANEL_WERROR=OFF
"$cmake" --build "$build/shared"
"$cmake" --install "$build/shared" --prefix "$scratch/shared_prefix"
configure shared -DCMAKE_PREFIX_PATH="$scratch/shared_prefix"
"$cmake" --build "$scratch/shared"
"$scratch/shared/consumer"
"$scratch/shared/plugin_host" "$scratch/shared/libplugin.so"

say "shared library, with pkg-config"
build_with_pkg_config "$scratch/shared_prefix"
if LD_LIBRARY_PATH='' "$scratch/pkg_consumer" 2>/dev/null; then
    fail "the program does not use the shared library"
fi
LD_LIBRARY_PATH=$(pkg-config --variable=libdir anel) "$scratch/pkg_consumer"
echo "installed and found"
