#!/bin/sh
# In the virtual machine's Debian, as a service of systemd's: runs a Kubernetes node and the scenarios on it, all of which are on the third
# disk, and switches the machine off.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
own=/run/oomtrace
out=/tmp/out
mkdir -p $out /payload
disk=/dev/vdc
[ -e $disk ] || disk=/dev/nvme2n1
mount -o ro $disk /payload
uname -a > $out/release
# There is no cargo and no workspace; the scenarios' table goes to where cargo would put what it builds.
export CARGO_MANIFEST_DIR=$out/xtask CARGO_TARGET_DIR=$out
export OOMTRACE_K8S_LOGS=$out/logs OOMTRACE_TEST_BINARY=/payload/oomtrace OOMTRACE_TEST_OWN_MACHINE=1
export OOMTRACE_TEST_PATIENCE=240
# Through a file, not through a pipe: what a scenario left behind would hold a pipe open, and the machine with it.
: > $out/log
# shellcheck disable=SC2046 # They are arguments.
/payload/xtask k8s --prepared /payload $(cat $own/node) < /dev/null >> $out/log 2>&1 &
tail -f --pid=$! $out/log
wait $!
echo $? > $out/status
journalctl --boot --no-pager > $out/journal 2>&1
dmesg > $out/dmesg
for log in "$out"/logs/*.log; do
    gzip "$log"
done
disk=/dev/vdb
[ -e $disk ] || disk=/dev/nvme1n1
tar -cf $disk -C $out .
sync
$own/busybox poweroff -f
