#!/usr/bin/env bash
# Fetches what one client needs and does nothing when it is there already:
# install.sh kcat|python|python-old|go|node|rust|java-RELEASE|tools-RELEASE [FOLDER]
#
# FOLDER (default: target/interop) takes everything but Debian packages. Needs apt (kcat, and Java, Maven or Python where
# they lack), Python 3.10, Go 1.26, Node 20, Java 17 and Maven, through their ordinary package registries.
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

# A Python environment with what one list of requirements names.
python() {
    debian python3 python3 python3-venv
    local wanted=$here/python/$1.txt venv=$into/$2
    cmp -s "$wanted" "$venv/installed.txt" && return
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$wanted"
    cp "$wanted" "$venv/installed.txt"
}

go() {
    command -v go >/dev/null || { echo "the Go clients need Go 1.26 (https://go.dev/dl)" >&2; exit 1; }
    mkdir -p "$into/go"
    (cd "$here/go" && command go build -o "$into/go/" ./... && command go test ./bench >/dev/null)
}

node() {
    command -v npm >/dev/null || { echo "KafkaJS needs Node 20 with npm (https://nodejs.org)" >&2; exit 1; }
    local wanted=$here/node/package.json libs=$into/node
    cmp -s "$wanted" "$libs/installed.json" && return
    rm -rf "$libs"
    mkdir -p "$libs"
    cp "$wanted" "$libs/package.json"
    (cd "$libs" && npm install --no-audit --no-fund --loglevel=error >/dev/null)
    cp "$wanted" "$libs/installed.json"
}

# Kafka's Java clients of one release, and the programs that fit them.
java() {
    debian javac default-jdk-headless
    debian mvn maven
    local release=$1
    shift
    # Before 0.10 the consumer that needs no group was in the broker's own library.
    local artifact=kafka-clients
    case $release in 0.8.* | 0.9.*) artifact=kafka_2.11 ;; esac
    local wanted=$here/java/pom.xml libs=$into/java/$release
    if ! cmp -s "$wanted" "$libs/installed.xml"; then
        rm -rf "$libs"
        mvn -q -B -Dstyle.color=never -Dkafka.artifact="$artifact" -Dkafka.version="$release" -f "$wanted" \
            dependency:copy-dependencies -DincludeScope=runtime -DexcludeArtifactIds=slf4j-log4j12 -DoutputDirectory="$libs"
        cp "$wanted" "$libs/installed.xml"
    fi
    local sources=("$here/java/Cases.java") source program stale=
    for program in "$@"; do
        sources+=("$here/java/$program.java")
    done
    for source in "${sources[@]}"; do
        for program in "$@"; do
            [ "$libs/$program.class" -nt "$source" ] || stale=1
        done
    done
    [ -z "$stale" ] || command javac -nowarn -Xlint:-deprecation -cp "$libs/*" -d "$libs" "${sources[@]}" 2>&1 |
        { grep -v '^Note: ' || true; }
}

# What the Rust crates are built with: a C compiler and make for librdkafka, a JDK for a library that calls Java.
rust() {
    debian cc build-essential
    debian make build-essential
    debian javac default-jdk-headless
}

# Kafka's command line tools of one release, each as a command that starts its class.
tools() {
    debian javac default-jdk-headless
    debian mvn maven
    local release=$1
    local wanted=$here/tools/pom.xml home=$into/tools/$release
    if ! cmp -s "$wanted" "$home/installed.xml"; then
        rm -rf "$home"
        mvn -q -B -Dstyle.color=never -Dkafka.version="$release" -f "$wanted" dependency:copy-dependencies \
            -DincludeScope=runtime -DexcludeArtifactIds=slf4j-log4j12,slf4j-reload4j -DoutputDirectory="$home/libs"
        cp "$wanted" "$home/installed.xml"
    fi
    mkdir -p "$home/bin"
    # A tool lives for a second: what makes a Java program start soon counts, and what makes it fast later does not.
    local options="-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xshare:auto -Xmx256m"
    options+=" -Dorg.slf4j.simpleLogger.defaultLogLevel=error -Dorg.slf4j.simpleLogger.showThreadName=false"
    local command class
    while read -r command class; do
        printf '#!/bin/sh\nexec java %s -cp "%s/libs/*" %s "$@"\n' "$options" "$home" "$class" >"$home/bin/$command.new"
        chmod +x "$home/bin/$command.new"
        mv "$home/bin/$command.new" "$home/bin/$command"
    done <"$here/tools/commands-$release.txt"
}

case "${1-}" in
kcat | go | node | rust) "$1" ;;
python) python requirements python ;;
python-old) python requirements-old python-old ;;
java-0.8.*) java "${1#java-}" Interop08 ;;
java-0.9.*) java "${1#java-}" Interop08 Member ;;
java-0.10.0.*) java "${1#java-}" Interop010 Moving010 Member ;;
java-0.10.*) java "${1#java-}" Interop0102 ;;
java-0.11.* | java-1.*) java "${1#java-}" Interop011 ;;
java-2.*) java "${1#java-}" Interop011 Member ;;
java-4.3.1) java "${1#java-}" Interop Moving Member ;;
java-*) java "${1#java-}" Interop Member ;;
tools-*) tools "${1#tools-}" ;;
*) echo "usage: install.sh kcat|python|python-old|go|node|rust|java-RELEASE|tools-RELEASE [FOLDER]" >&2; exit 2 ;;
esac
