#!/bin/sh
# site.sh: builds the site of the documentation in build/docs, and shows it.
# SPDX-License-Identifier: MIT
#
#     docs/site/site.sh build            needs node and npm; without them it says so and ends with 0
#     docs/site/site.sh serve [PORT]     http://127.0.0.1:8000/ by default
#     docs/site/site.sh check            a headless Chromium looks at every page
#     docs/site/site.sh slides           the figures of the guide as PDF, a slide each
#
# build/docs can be served from the root of a host, or opened as files: build/docs/index.html.
# ANEL_DOCS_BASE=/anel/ builds it for a host that serves it below /anel/.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
work=$root/build/site
out=$root/build/docs

have() { command -v "$1" >/dev/null 2>&1; }

install_vitepress() {
    mkdir -p "$work"
    cmp -s "$here/package-lock.json" "$work/package-lock.json" && [ -d "$work/node_modules" ] &&
        return
    cp "$here/package.json" "$here/package-lock.json" "$work/"
    (cd "$work" && npm ci --no-audit --no-fund --loglevel=error) || {
        rm -f "$work/package-lock.json"
        return 1
    }
}

build() {
    if ! have node || ! have npm; then
        echo "The site is left out: it needs node 18 or newer and npm (apt-get install nodejs npm)."
        return 0
    fi
    have python3 || { echo "The site is left out: it needs python3."; return 0; }
    install_vitepress || { echo "The site is left out: npm cannot get VitePress."; return 0; }
    rm -rf "$work/pages" "$out"
    python3 -B "$here/pages.py" "$work/pages"
    mkdir -p "$work/pages/.vitepress/theme"
    cp "$here/config.mjs" "$work/pages/.vitepress/config.mjs"
    cp "$here/theme.mjs" "$work/pages/.vitepress/theme/index.mjs"
    cp "$here/style.css" "$work/pages/.vitepress/theme/style.css"
    (cd "$work" && NO_COLOR=1 node_modules/.bin/vitepress build pages --outDir "$out")
    node "$here/offline.mjs" "$out"
    echo "built: $out/index.html"
}

serve() {
    [ -e "$out/index.html" ] || build
    [ -e "$out/index.html" ] || return 0
    echo "http://127.0.0.1:${1-8000}/"
    exec python3 -m http.server --bind 127.0.0.1 --directory "$out" "${1-8000}"
}

command=${1-build}
[ $# -eq 0 ] || shift
case $command in
    build) build ;;
    serve) serve "$@" ;;
    check) exec python3 -B "$here/check_site.py" "$out" "$@" ;;
    slides) exec python3 -B "$here/slides.py" "$@" ;;
    *)
        sed -n '4,10s/^# \{0,1\}//p' "$0" >&2
        exit 2
        ;;
esac
