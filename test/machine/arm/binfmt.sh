#!/bin/bash
# Tells the kernel to run the programs of an architecture with qemu-user, until the system's next boot.
#   binfmt.sh ARCHITECTURE     arm64 or armhf
# Needs root. What Debian's qemu-user-static registers under systemd is used as it is, where it is there.
set -euo pipefail
case ${1:?arm64 or armhf} in arm64) qemu=aarch64 ;; armhf) qemu=arm ;; *) echo "no architecture $1" >&2; exit 2 ;; esac
. "$(dirname "$0")/../bed/debian.sh"
install_missing qemu-user-static
misc=/proc/sys/fs/binfmt_misc
[ -e $misc/register ] || mount binfmt_misc -t binfmt_misc $misc
[ ! -e $misc/qemu-$qemu ] || exit 0
# with flag F the interpreter is opened now, so that it is found in a chroot as well
tr -d '\n' </usr/lib/binfmt.d/qemu-$qemu.conf >$misc/register
