#!/bin/bash
# watch.sh open|table|users [TIMES]: writes what it has seen to the wire. Nothing but the shell's own, so that it is quick.
#   open   LevelDB begins to open the store
#   table  it begins to write a table, for the TIMESth time
#   users  a new file of users lies beside the old one
exec 9<>/run/never
tables() {
  local files=(/var/lib/damselfly/broker/*.ldb)
  last=${files[-1]}
}
tables
for ((seen = 0; seen < ${2:-1}; )); do
  before=$last
  case $1 in
    open) [ /var/lib/damselfly/broker/LOG -nt /run/booted ] ;;
    table) tables && [ "$last" != "$before" ] ;;
    users) [ -e /etc/damselfly/users.new ] ;;
  esac && seen=$((seen + 1))
  read -rt 0.01 -u 9
done
echo "$1" >/dev/ttyS0
