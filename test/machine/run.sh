#!/bin/bash
# Runs a job of this folder on the test machine: a kernel with a simulated GPIO chip, real systemd, Node 20.
#   run.sh [JOB]     gpio (default): the compiled GPIO code on the chip
#                    seeds: programs written with this system's paho beside the daemon; needs an image that was
#                           made with EXTRA_PKGS=python3,python3-paho-mqtt (TESTBED_IMAGE=its folder)
#                    house: the service as `service install` makes it. It changes the machine that it runs on
#                    move:  in the place of Debian's mosquitto, and back; needs an image that was made with
#                           EXTRA_PKGS=mosquitto,mosquitto-clients,python3,python3-paho-mqtt,openssl
# TESTBED=folder that has boot.sh (default: ../shared/testbed beside the checkout). Needs root.
# Inside, /job is the package as npm installs it, with production node_modules; the job's files are in /job/job,
# and in /job/job/node_modules what the job's file `modules` names. Where the job has a file `global`, what
# `npm install -g` makes of the package is in /job/global.
set -euo pipefail
HERE=$(cd "$(dirname "$0")" && pwd)
ROOT=$(cd "$HERE/../.." && pwd)
JOB=${1:-gpio}
TESTBED=${TESTBED:-$ROOT/../shared/testbed}
[ -x "$TESTBED/boot.sh" ] || { echo "no boot.sh in $TESTBED: set TESTBED to the test machine's folder" >&2; exit 2; }
[ -f "$HERE/$JOB/run.sh" ] || { echo "no job $JOB in $HERE" >&2; exit 2; }

STAGE=$(mktemp -d "${TMPDIR:-/tmp}/damselfly-job.XXXXXX")
trap 'rm -rf "$STAGE"' EXIT
chmod 755 "$STAGE" # other users of the test machine must be able to read it
modules() { # FOLDER [PACKAGE…]
  local folder=$1; shift
  (cd "$ROOT" && node "$HERE/modules.mjs" "$@" | tar -chf - -T -) | tar -xf - -C "$folder"
}

tarball=$(cd "$ROOT" && npm pack --silent --pack-destination "$STAGE" | tail -1) # builds first
[ ! -f "$HERE/$JOB/global" ] || npm install --silent --no-audit --no-fund -g --prefix "$STAGE/global" "$STAGE/$tarball"
tar -xzf "$STAGE/$tarball" -C "$STAGE" --strip-components=1 && rm "$STAGE/$tarball"
chmod +x "$STAGE/dist/main.js" # as npm does for a `bin`
modules "$STAGE"
cp -r "$HERE/$JOB" "$STAGE/job"
cp "$HERE/proof.mjs" "$STAGE/proof.mjs"
cp -r "$HERE/../programs" "$STAGE/programs"
[ ! -f "$HERE/$JOB/modules" ] || modules "$STAGE/job" $(cat "$HERE/$JOB/modules")
TIMEOUT=${TIMEOUT:-400} "$TESTBED/boot.sh" "$STAGE" job/run.sh
