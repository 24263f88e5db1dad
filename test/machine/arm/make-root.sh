#!/bin/bash
# Builds Debian trixie for another architecture.
#   make-root.sh ARCHITECTURE OUT     result: OUT/root
# Needs root. A minute. Packages are unpacked, and their scripts not run: that would be emulated, and take a quarter of an
# hour. What Node, systemd and dpkg need of them is done here.
set -euo pipefail
ARCH=${1:?arm64 or armhf}
OUT=$(cd "${2:?folder}" && pwd)
HERE=$(cd "$(dirname "$0")" && pwd)
. "$HERE/../bed/debian.sh"
case $ARCH in
  arm64) packages=nodejs,systemd,systemd-sysv,dbus,udev,kmod,busybox-static ;; # a whole machine, too
  *) packages=nodejs,systemd-standalone-sysusers ;;
esac

install_missing mmdebstrap debian-archive-keyring
R=$OUT/root.tmp
rm -rf "$OUT/root" "$R"
say "Debian $SUITE for $ARCH"
mmdebstrap --quiet --variant=extract --mode=root --architectures="$ARCH" --include='?essential' --include="$packages" \
  --aptopt='Apt::Install-Recommends "false"' --skip=check/qemu --skip=cleanup "$SUITE" "$R" "$(debian_line)"

# dpkg knows what is there, so that it can judge what the package depends on
for deb in "$R"/var/cache/apt/archives/*.deb; do
  name=$(dpkg-deb -f "$deb" Package)
  [ "$(dpkg-deb -f "$deb" Multi-Arch)" != same ] || name+=:$ARCH
  dpkg-deb -f "$deb" | sed '1a Status: install ok installed' >>"$R/var/lib/dpkg/status"
  echo >>"$R/var/lib/dpkg/status"
  dpkg-deb --fsys-tarfile "$deb" | tar -t | sed 's|^\.||; s|/$||; s|^$|/.|' >"$R/var/lib/dpkg/info/$name.list"
done
rm -rf "$R"/var/cache/apt/archives/*.deb "$R"/var/lib/apt/lists/* "$R"/usr/share/{man,doc,locale}/*
for file in passwd group; do cp "$R/usr/share/base-passwd/$file.master" "$R/etc/$file"; done
ln -sf mawk "$R/usr/bin/awk"
mv "$R" "$OUT/root"
