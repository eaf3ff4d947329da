#!/bin/sh
# From the kernel to the disk with Debian on it; what is tested goes along, in memory.
/busybox mkdir -p /dev /disk
/busybox mount -t devtmpfs dev /dev
# Whoever watches the machine trusts it from here on: a kernel has booted.
echo 'oomtrace: user space' > /dev/console
# They need each other, in an order that differs between kernels: each round loads those whose needs are met.
for round in 1 2 3 4; do
    for module in /modules/*.ko; do
        /busybox insmod "$module" 2> /dev/null
    done
done
disk=/dev/vda
[ -e $disk ] || disk=/dev/nvme0n1
/busybox mount -t ext4 $disk /disk || /busybox poweroff -f
/busybox mount -t tmpfs -o mode=755 run /disk/run
/busybox mv /payload /disk/run/oomtrace
/busybox mount --move /dev /disk/dev
# The layers of images are on a disk that is forgotten.
/busybox mkdir -p /disk/etc/containers
printf '[storage]\ndriver = "vfs"\nrunroot = "/run/containers/storage"\ngraphroot = "/var/lib/containers/storage"\n' \
    > /disk/etc/containers/storage.conf
if [ "$(/busybox cat /disk/run/oomtrace/init)" = systemd ]; then
    . /disk/run/oomtrace/systemd.sh
    exec /busybox switch_root /disk /lib/systemd/systemd
fi
exec /busybox switch_root /disk /run/oomtrace/machine.sh
