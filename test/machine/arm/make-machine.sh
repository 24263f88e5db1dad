#!/bin/bash
# Builds a whole arm64 machine from make-root.sh's root file system and Debian's kernel, for `qemu-system-aarch64 -M virt`.
#   make-machine.sh ROOT OUT     result: OUT/kernel, OUT/initrd, OUT/root.ext4
# Needs root. One minute. The kernel's package is only unpacked: its scripts would make an initrd of all drivers, which
# takes ten minutes where everything is emulated; this machine needs two.
set -euo pipefail
ROOT=$(cd "${1:?root file system}" && pwd)
OUT=$(cd "${2:?folder}" && pwd)
HERE=$(cd "$(dirname "$0")" && pwd)
. "$HERE/../bed/debian.sh"
install_missing qemu-system-arm ipxe-qemu e2fsprogs cpio kmod xz-utils

B=$OUT/build
rm -rf "$B" && mkdir -p "$B"/{debs,kernel,initrd/{bin,modules,proc,sys,dev,root}}
say "Debian's kernel for arm64"
image() { cd "$B/debs" && debian_download arm64 "$1"; }
(image linux-image-arm64) # it only names the newest
(image "$(dpkg-deb -f "$B"/debs/linux-image-arm64_*.deb Depends | cut -d' ' -f1)")
rm "$B"/debs/linux-image-arm64_*.deb
dpkg-deb -x "$B"/debs/*.deb "$B/kernel"
version=$(basename "$B"/kernel/boot/vmlinuz-*)
version=${version#vmlinuz-}
cp "$B/kernel/boot/vmlinuz-$version" "$OUT/kernel"
[ -d "$B/kernel/lib/modules" ] || { mkdir -p "$B/kernel/lib" && ln -s ../usr/lib/modules "$B/kernel/lib/modules"; }
depmod -b "$B/kernel" "$version"

say 'its initrd'
modules() { modprobe -d "$B/kernel" -S "$version" --show-depends "$1" | sed -n 's/^insmod \([^ ]*\).*/\1/p'; }
load=()
for module in virtio_blk ext4; do
  for file in $(modules $module); do
    name=$(basename "$file" .ko.xz)
    [ ! -e "$B/initrd/modules/$name.ko" ] || continue
    xz -dc "$file" >"$B/initrd/modules/$name.ko"
    load+=("$name")
  done
done
cp "$ROOT/bin/busybox" "$B/initrd/bin/busybox"
cat >"$B/initrd/init" <<I
#!/bin/busybox sh
busybox=/bin/busybox
\$busybox mount -t proc none /proc
\$busybox mount -t devtmpfs none /dev
for module in ${load[*]}; do \$busybox insmod /modules/\$module.ko; done
until \$busybox mount -t ext4 /dev/vda /root; do \$busybox sleep 1; done
\$busybox umount /proc
exec \$busybox switch_root /root /sbin/init
I
chmod +x "$B/initrd/init"
(cd "$B/initrd" && find . | cpio --quiet -o -H newc | gzip -1) >"$OUT/initrd"

say 'its disk'
R=$B/root
cp -a "$ROOT" "$R"
mkdir -p "$R"/{root,usr/local/sbin,var/log/journal,etc/udev/rules.d} "$R/etc/systemd/system/multi-user.target.wants"
cp "$HERE/../bed/root/etc/udev/rules.d/60-gpio.rules" "$R/etc/udev/rules.d/"
install -m 755 "$HERE/job-runner" "$R/usr/local/sbin/job-runner"
cp "$HERE/../bed/root/etc/systemd/system/job.service" "$R/etc/systemd/system/"
ln -sf ../job.service "$R/etc/systemd/system/multi-user.target.wants/job.service"
ln -sf /lib/systemd/system/multi-user.target "$R/etc/systemd/system/default.target"
for unit in getty@tty1.service serial-getty@ttyAMA0.service apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer \
  e2scrub_all.timer fstrim.timer systemd-hwdb-update.service systemd-journal-catalog-update.service \
  systemd-update-done.service ldconfig.service systemd-networkd.service; do
  ln -sf /dev/null "$R/etc/systemd/system/$unit"
done
echo gpio:x:997: >>"$R/etc/group" # as on Raspberry Pi OS
echo raspberrypi >"$R/etc/hostname"
printf '127.0.0.1 localhost raspberrypi\n::1 localhost\n' >"$R/etc/hosts"
echo 0123456789abcdef0123456789abcdef >"$R/etc/machine-id"
: >"$R/etc/fstab"
rm -f "$OUT/root.tmp"
truncate -s "$(($(du -sm "$R" | cut -f1) + 400))M" "$OUT/root.tmp"
mkfs.ext4 -q -F -d "$R" "$OUT/root.tmp"
mv "$OUT/root.tmp" "$OUT/root.ext4"
rm -rf "$B"
