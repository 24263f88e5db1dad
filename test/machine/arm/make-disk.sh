#!/bin/bash
# Makes a disk of make-root.sh's root file system, with room for the package.
#   make-disk.sh ROOT OUT     result: OUT/root.ext4
set -euo pipefail
ROOT=${1:?root file system}
OUT=${2:?folder}
. "$(dirname "$0")/../bed/debian.sh"
install_missing e2fsprogs
rm -f "$OUT/root.tmp"
truncate -s "$(($(du -sm "$ROOT" | cut -f1) + 300))M" "$OUT/root.tmp"
mkfs.ext4 -q -F -d "$ROOT" "$OUT/root.tmp"
mv "$OUT/root.tmp" "$OUT/root.ext4"
