#!/bin/bash
# Builds the test machine's kernel: User Mode Linux from Debian's source, with gpio-sim, a network, device mapper.
#   make-kernel.sh OUT     result: OUT/linux, a program that runs on the system that it was built on
# Needs root, for what it installs: a compiler. Six to eleven minutes on two cores. JOBS=2, NICE=10.
set -euo pipefail
OUT=$(cd "${1:?folder}" && pwd)
HERE=$(cd "$(dirname "$0")" && pwd)
KERNEL=6.12
JOBS=${JOBS:-$(nproc)}
NICE=${NICE:-10}
. "$HERE/debian.sh"

install_missing flex bison bc make gcc libc6-dev xz-utils debian-archive-keyring
B=$OUT/build
rm -rf "$B" && mkdir -p "$B/src" "$B/o"
say "the kernel's source"
(cd "$B" && debian_download amd64 linux-source-$KERNEL)
dpkg --fsys-tarfile "$B"/linux-source-$KERNEL*.deb | tar -xO --wildcards './usr/src/linux-source-*.tar.xz' | xz -dc -T0 |
  nice -n "$NICE" tar -x -C "$B/src" --strip-components=1 --exclude='*/drivers/gpu/drm/amd/include' \
    --exclude='*/arch/arm/boot/dts' --exclude='*/arch/arm64/boot/dts' --exclude='*/tools/testing' --exclude='*/tools/perf'
# room for gpio-sim's simulated interrupts (edge events), which UML without PCI has none for
sed -i 's|^#define NR_IRQS\t\t\tUM_LAST_SIGNAL_IRQ$|#define NR_IRQS\t\t\t(UM_LAST_SIGNAL_IRQ + 128)|' "$B/src/arch/um/include/asm/irq.h"
grep -q 'UM_LAST_SIGNAL_IRQ + 128' "$B/src/arch/um/include/asm/irq.h" || { say 'arch/um/include/asm/irq.h has no NR_IRQS to make larger'; exit 1; }

say 'the kernel'
make -s -C "$B/src" ARCH=um SUBARCH=x86_64 O="$B/o" KCONFIG_ALLCONFIG="$HERE/uml.config" allnoconfig >"$B/config.log" 2>&1
# an option that this kernel has no room for would be missed only much later
while read -r option; do
  grep -qxF "$option" "$B/o/.config" || [[ $option == *=n ]] || { say "not taken over: $option"; exit 1; }
done < <(grep '^CONFIG_' "$HERE/uml.config")
nice -n "$NICE" make -s -C "$B/src" ARCH=um SUBARCH=x86_64 O="$B/o" -j"$JOBS" linux >"$B/build.log" 2>&1 || { tail -20 "$B/build.log" >&2; exit 1; }
strip -o "$OUT/linux.tmp" "$B/o/linux"
mv "$OUT/linux.tmp" "$OUT/linux"
rm -rf "$B"
