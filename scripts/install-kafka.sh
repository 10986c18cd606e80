#!/bin/sh
# Puts the jars of a single-node Apache Kafka under .tools/kafka, for the integration tests. Does nothing when
# they are there already. Needs Java 17 or newer and Maven; Maven's own settings say where jars come from.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
lib="$root/.tools/kafka/lib"
installed="$root/.tools/kafka/installed"
pom="$root/tests/support/kafka/pom.xml"

fail () {
  echo "install-kafka: $1" >&2
  exit 1
}

command -v java > /dev/null || fail 'java is missing: install a JDK or JRE, version 17 or newer'
version=$(java -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p' | head -n 1)
[ "${version:-0}" -ge 17 ] || fail "Java ${version:-of unknown version} is too old: version 17 or newer is needed"

if [ -f "$installed" ] && cmp -s "$installed" "$pom"; then exit 0; fi
command -v mvn > /dev/null || fail 'mvn is missing: install Maven'

# Fetched beside its place, so that what runs at the same time never finds half of it.
new="$lib.$$"
trap 'rm -rf "$new"' EXIT
mkdir -p "$new"
mvn --quiet --batch-mode --file "$pom" dependency:copy-dependencies "-DoutputDirectory=$new" ||
  fail 'Maven could not fetch the broker'
rm -rf "$lib"
mv "$new" "$lib"
cp "$pom" "$installed"
