#!/bin/bash
# enter.sh ROOT LAYER COMMAND…: runs the command, of this system, with ROOT laid open at LAYER/root: what is changed
# there stays in LAYER. To be called in mount, process and network namespaces of its own, with which all of it goes.
set -euo pipefail
root=$1 layer=$2
shift 2
ip link set lo up
mkdir -p "$layer"/{changes,work,root}
mount -t overlay -o "lowerdir=$root,upperdir=$layer/changes,workdir=$layer/work" none "$layer/root"
mount -t proc proc "$layer/root/proc"
mount --rbind /dev "$layer/root/dev"
exec "$@"
