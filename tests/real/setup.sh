#!/bin/sh
# Builds the Node services of the real suite below build/real, and the Debian that images are made from; the packages come from
# ./dev deps test. Does only what has changed since the last time.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
built=$here/../../build/real
export NEXT_TELEMETRY_DISABLED=1

# install_service NAME: a copy of the service's directory with its node_modules
install_service() {
    mkdir -p "$built/$1"
    rm -rf "$built/$1/app"
    cp -R "$here/$1/." "$built/$1/"
    cd "$built/$1"
    if ! cmp -s package-lock.json .installed; then
        rm -rf node_modules .installed
        npm ci --no-audit --no-fund
        cp package-lock.json .installed
    fi
}

# In the place of debian:12-slim, which is in a registry. A machine that cannot make it skips the tests of the image.
make_debian() {
    mkdir -p "$built"
    rm -rf --one-file-system "$built/debian"
    debootstrap --variant=minbase bookworm "$built/debian" >"$built/debian.log" || {
        tail "$built/debian.log"
        return 1
    }
    tar -C "$built/debian" -cf "$built/debian.tar.new" . &&
        mv "$built/debian.tar.new" "$built/debian.tar" &&
        rm -rf --one-file-system "$built/debian"
}

if [ "$(id -u)" -eq 0 ] && [ ! -f "$built/debian.tar" ]; then
    make_debian || echo "no Debian for the tests of the image"
fi

install_service streaming

install_service next-app
sources=$(find app next.config.mjs package-lock.json -type f | sort | xargs cat | cksum)
if [ ! -f .next/BUILD_ID ] || [ "$sources" != "$(cat .built 2>/dev/null)" ]; then
    rm -f .built
    npm run build
    echo "$sources" >.built
fi
