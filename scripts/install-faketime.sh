#!/bin/sh
# Puts Debian's libfaketime on this machine: chaos runs move the clock of a role with it. Does nothing when it
# is there already. Needs apt-get, and root or sudo without a password.
set -eu

fail () {
  echo "install-faketime: $1" >&2
  exit 1
}

for library in /usr/lib/*-linux-gnu/faketime/libfaketimeMT.so.1; do
  if [ -f "$library" ]; then exit 0; fi
done

command -v apt-get > /dev/null || fail 'apt-get is missing: install libfaketime'
as_root=
if [ "$(id -u)" -ne 0 ]; then
  sudo -n true 2> /dev/null || fail 'installing libfaketime needs root or sudo: apt-get install libfaketime'
  as_root='sudo -n'
fi
$as_root apt-get update -qq || fail 'apt-get could not update its lists'
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends libfaketime > /dev/null ||
  fail 'apt-get could not install libfaketime'
