#!/usr/bin/env bash
# Fetches what one client needs and does nothing when it is there already: install.sh kcat|python|go|java [FOLDER].
#
# FOLDER (default: target/interop) takes everything but Debian packages. Needs apt (kcat, and Java, Maven or Python where
# they lack), Python 3.10, Go 1.26, Java 17 and Maven, through their ordinary package registries.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
into=${2:-$here/../target/interop}
mkdir -p "$into"
into=$(cd "$into" && pwd)

# Installs Debian packages unless the command (first argument) is there.
debian() {
    local command=$1
    shift
    command -v "$command" >/dev/null && return
    local root=()
    [ "$(id -u)" = 0 ] || root=(sudo)
    "${root[@]}" apt-get update -qq
    DEBIAN_FRONTEND=noninteractive "${root[@]}" apt-get install -y -qq "$@" >/dev/null
}

kcat() {
    debian python3 python3
    debian kcat kcat
}

python() {
    debian python3 python3 python3-venv
    local wanted=$here/python/requirements.txt venv=$into/python
    cmp -s "$wanted" "$venv/installed.txt" && return
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$wanted"
    cp "$wanted" "$venv/installed.txt"
}

go() {
    command -v go >/dev/null || { echo "the Go clients need Go 1.26 (https://go.dev/dl)" >&2; exit 1; }
    mkdir -p "$into/go"
    (cd "$here/go" && command go build -o "$into/go/" ./...)
}

java() {
    debian javac default-jdk-headless
    debian mvn maven
    local wanted=$here/java/pom.xml libs=$into/java
    if ! cmp -s "$wanted" "$libs/installed.xml"; then
        rm -rf "$libs"
        mvn -q -B -Dstyle.color=never -f "$wanted" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$libs"
        cp "$wanted" "$libs/installed.xml"
    fi
    [ "$libs/Interop.class" -nt "$here/java/Interop.java" ] || command javac -cp "$libs/*" -d "$libs" "$here/java/Interop.java"
}

case "${1-}" in
kcat | python | go | java) "$1" ;;
*) echo "usage: install.sh kcat|python|go|java [FOLDER]" >&2; exit 2 ;;
esac
