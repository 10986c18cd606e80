#!/bin/sh
# Puts Debian's Chromium on this machine, for the end-to-end tests of the tracker. Does nothing when a Chromium
# is there already, or where CHROMIUM names one. Needs apt-get, and root or sudo without a password.
set -eu

fail () {
  echo "install-chromium: $1" >&2
  exit 1
}

if [ -n "${CHROMIUM:-}" ]; then
  [ -x "$CHROMIUM" ] || fail "CHROMIUM=$CHROMIUM is not an executable"
  exit 0
fi
for name in chromium chromium-browser google-chrome; do
  if command -v "$name" > /dev/null; then exit 0; fi
done

command -v apt-get > /dev/null || fail 'apt-get is missing: install Chromium, or set CHROMIUM to its path'
as_root=
if [ "$(id -u)" -ne 0 ]; then
  sudo -n true 2> /dev/null || fail 'installing Chromium needs root or sudo: apt-get install chromium'
  as_root='sudo -n'
fi
$as_root apt-get update -qq || fail 'apt-get could not update its lists'
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends chromium > /dev/null ||
  fail 'apt-get could not install Chromium'
