#!/bin/bash
# Builds the test machine's root file system: Debian trixie with systemd, Node 20, the libgpiod tools, mosquitto.
#   make-root.sh OUT     result: OUT/root.ext4
# Needs root. One to three minutes. NICE=10.
set -euo pipefail
OUT=$(cd "${1:?folder}" && pwd)
HERE=$(cd "$(dirname "$0")" && pwd)
NICE=${NICE:-10}
. "$HERE/debian.sh"
PACKAGES=systemd,systemd-sysv,dbus,udev,kmod,gpiod,nodejs,iproute2,procps,e2fsprogs,dmsetup,openssl
PACKAGES+=,mosquitto,mosquitto-clients,python3,python3-paho-mqtt

install_missing mmdebstrap e2fsprogs debian-archive-keyring
R=$OUT/rootfs
rm -rf "$R"
say 'the root file system'
nice -n "$NICE" mmdebstrap --quiet --variant=minbase --mode=root --include="$PACKAGES" --aptopt='Apt::Install-Recommends "false"' \
  --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
  "$SUITE" "$R" "$(debian_line)"
rm -f "$R/etc/dpkg/dpkg.cfg.d/99mmdebstrap" # what a job installs, it gets whole
cp -a "$HERE/root/." "$R/"
chown -R root:root "$R/usr/local/sbin" "$R/etc/systemd/system" "$R/etc/udev"
mkdir -p "$R/etc/systemd/system/multi-user.target.wants"
ln -sf ../job.service "$R/etc/systemd/system/multi-user.target.wants/job.service"
ln -sf /lib/systemd/system/multi-user.target "$R/etc/systemd/system/default.target"
rm "$R/etc/systemd/system/multi-user.target.wants/mosquitto.service" # a job that wants it says so
for unit in getty@tty1.service console-getty.service apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer \
  e2scrub_all.timer fstrim.timer systemd-hwdb-update.service systemd-journal-catalog-update.service \
  systemd-update-done.service ldconfig.service systemd-networkd.service; do
  ln -sf /dev/null "$R/etc/systemd/system/$unit"
done
chroot "$R" groupadd -r gpio # as on Raspberry Pi OS; root/ has its udev rule
echo raspberrypi >"$R/etc/hostname"
printf '127.0.0.1 localhost raspberrypi\n::1 localhost\n' >"$R/etc/hosts"
echo 0123456789abcdef0123456789abcdef >"$R/etc/machine-id"
: >"$R/etc/fstab"
rm -f "$OUT/root.tmp"
truncate -s "$(($(du -sm "$R" | cut -f1) + 1000))M" "$OUT/root.tmp"
mkfs.ext4 -q -F -O ^has_journal -d "$R" "$OUT/root.tmp"
mv "$OUT/root.tmp" "$OUT/root.ext4"
rm -rf "$R"
