#!/bin/bash
# Runs a job of this folder on the test machine: a kernel with a simulated GPIO chip, real systemd, Node 20.
#   run.sh [JOB]     JOB is a folder here, default gpio; it has run.sh, and `modules` if it needs only some
# TESTBED=folder that has boot.sh (default: ../shared/testbed beside the checkout). Needs root.
# Inside, /job has dist, package.json, production node_modules, and the job's files under /job/job.
set -euo pipefail
HERE=$(cd "$(dirname "$0")" && pwd)
ROOT=$(cd "$HERE/../.." && pwd)
JOB=${1:-gpio}
TESTBED=${TESTBED:-$ROOT/../shared/testbed}
[ -x "$TESTBED/boot.sh" ] || { echo "no boot.sh in $TESTBED: set TESTBED to the test machine's folder" >&2; exit 2; }

(cd "$ROOT" && npx tsc -b)
STAGE=$(mktemp -d "${TMPDIR:-/tmp}/damselfly-job.XXXXXX")
trap 'rm -rf "$STAGE"' EXIT
chmod 755 "$STAGE" # other users of the test machine must be able to read it
mkdir "$STAGE/node_modules"
cp -r "$ROOT/dist" "$ROOT/package.json" "$STAGE/"
cp -r "$HERE/$JOB" "$STAGE/job"
if [ -f "$HERE/$JOB/modules" ]; then
  modules=$(cat "$HERE/$JOB/modules")
else
  # a module that lies inside another one comes with it
  modules=$(cd "$ROOT" && npm ls --omit=dev --all --parseable | sed -n "s,^$ROOT/node_modules/,,p" | grep -v /node_modules/)
fi
for module in $modules; do
  mkdir -p "$STAGE/node_modules/$(dirname "$module")"
  cp -rL "$ROOT/node_modules/$module" "$STAGE/node_modules/$module"
done
"$TESTBED/boot.sh" "$STAGE" job/run.sh
