#!/bin/sh
# Builds the load generator k6 into .tools/k6, at a fixed version. Does nothing when it is there already. Needs Go.
set -eu

version=v1.8.1
root=$(cd "$(dirname "$0")/.." && pwd)
directory="$root/.tools/k6"

fail () {
  echo "install-k6: $1" >&2
  exit 1
}

if [ -x "$directory/k6" ] && "$directory/k6" version | grep -q "$version "; then exit 0; fi

command -v go > /dev/null || fail 'go is missing: install Go (https://go.dev/dl), or put a k6 binary at .tools/k6/k6'
mkdir -p "$directory"
echo "install-k6: building k6 $version, which takes some minutes" >&2
GOBIN="$directory" go install "go.k6.io/k6@$version" || fail 'go could not build k6'
