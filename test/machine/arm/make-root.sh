#!/bin/bash
# Builds Debian trixie for another architecture, to be run by this system's kernel with qemu-user.
#   make-root.sh ARCHITECTURE OUT     result: OUT/root
# Needs root, for chroot and for binfmt_misc. One to two minutes. NICE=10.
set -euo pipefail
ARCH=${1:?arm64 or armhf}
OUT=$(cd "${2:?folder}" && pwd)
HERE=$(cd "$(dirname "$0")" && pwd)
NICE=${NICE:-10}
. "$HERE/../bed/debian.sh"

case $ARCH in
  arm64) packages=nodejs,ca-certificates,systemd,systemd-sysv,dbus,udev,kmod,busybox-static ;; # a whole machine, too
  *) packages=nodejs,ca-certificates,systemd-standalone-sysusers ;;
esac
install_missing mmdebstrap debian-archive-keyring arch-test
"$HERE/binfmt.sh" "$ARCH"
rm -rf "$OUT/root" "$OUT/root.tmp"
say "Debian $SUITE for $ARCH"
nice -n "$NICE" mmdebstrap --quiet --variant=minbase --mode=root --architectures="$ARCH" --include=$packages \
  --aptopt='Apt::Install-Recommends "false"' --dpkgopt='path-exclude=/usr/share/man/*' \
  --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
  "$SUITE" "$OUT/root.tmp" "$(debian_line)"
rm -f "$OUT/root.tmp/etc/dpkg/dpkg.cfg.d/99mmdebstrap"
mv "$OUT/root.tmp" "$OUT/root"
