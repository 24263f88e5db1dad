#!/bin/bash
set -eu
# what Damselfly keeps lies on a disk of its own, whose metadata and journal are at its beginning
truncate -s 96M /srv/disk
LOOP=$(losetup --find --show /srv/disk)
SECTORS=$(blockdev --getsz "$LOOP")
dmsetup create data --table "0 $SECTORS linear $LOOP 0"
mkfs.ext4 -q -b 1024 -J size=8 -E packed_meta_blocks=1,lazy_itable_init=0,lazy_journal_init=0 /dev/mapper/data
mkdir -p /var/lib/damselfly /srv/house/config
mount /dev/mapper/data /var/lib/damselfly
mkdir -m 0700 /var/lib/damselfly/broker
sync
DATA_BLOCK=$(debugfs -R 'ffb 1' /dev/mapper/data 2>/dev/null | grep -o '[0-9]*' | head -1)
FOLDER_BLOCKS=$(for folder in / /broker; do debugfs -R "blocks $folder" /dev/mapper/data 2>/dev/null; done)
echo "files begin at block $DATA_BLOCK; folders lie at $FOLDER_BLOCKS"
cp /job/job/disks.yaml /srv/house/config/damselfly.yaml
printf 'HTTP_PORT=9883\n' >/srv/house/.env
PI=$(bash /job/service-up.sh /srv/house | tail -1)
export PI LOOP SECTORS DATA_BLOCK FOLDER_BLOCKS
exec node /job/job/disks.mjs "$@"
