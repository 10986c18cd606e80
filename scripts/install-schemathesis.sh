#!/bin/sh
# Puts schemathesis, at the version that tests/e2e/schemathesis/requirements.txt names, under .tools/schemathesis,
# for the end-to-end tests of the API's description. Does nothing when it is there already. Needs Python 3.10 or
# newer with venv and pip; pip's own settings say where packages come from.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
place="$root/.tools/schemathesis"
requirements="$root/tests/e2e/schemathesis/requirements.txt"

fail () {
  echo "install-schemathesis: $1" >&2
  exit 1
}

if [ -f "$place/installed" ] && cmp -s "$place/installed" "$requirements"; then exit 0; fi
command -v python3 > /dev/null || fail 'python3 is missing: install Python 3.10 or newer'
python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' || fail 'Python 3.10 or newer is needed'

# Scripts of a virtual environment hold its path, so it is made in its place, and marked when it is whole.
rm -rf "$place"
python3 -m venv "$place" || fail 'python3 -m venv failed: install python3-venv'
"$place/bin/pip" install --quiet --disable-pip-version-check --requirement "$requirements" ||
  fail 'pip could not install schemathesis'
cp "$requirements" "$place/installed"
