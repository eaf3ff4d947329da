#!/bin/sh
# In the virtual machine's Debian, as its first process or as a service of systemd's: makes the machine what the tests need,
# runs them, and switches it off.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root

alone() {
    mount -t proc proc /proc
    mount -t sysfs sys /sys
    mkdir -p /dev/pts /dev/shm
    mount -t devpts devpts /dev/pts
    mount -t tmpfs tmpfs /dev/shm
    mount -t tmpfs tmpfs /tmp
    mount -t cgroup2 cgroup2 /sys/fs/cgroup
    echo "+memory +cpu +cpuset +pids" > /sys/fs/cgroup/cgroup.subtree_control
    hostname machine
    mkdir -p /tmp/out
    # In memory: programs on the disk would be read again and again while memory runs out, for minutes.
    mkdir /run/bin
    for program in dockerd docker containerd containerd-shim-runc-v2 runc; do
        cp "$(command -v $program)" /run/bin/
    done
    PATH=/run/bin:$PATH
    dockerd --iptables=false --ip6tables=false --bridge=none --storage-driver=vfs > /tmp/out/dockerd.log 2>&1 &
}

if [ $$ = 1 ]; then
    alone
fi
mkdir -p /tmp/out/recordings
tries=0
until docker version > /dev/null 2>&1 || [ $tries = 120 ]; do
    tries=$((tries + 1))
    sleep 1
done
[ $tries = 120 ] || export OOMTRACE_TEST_DOCKER_SOCKET=/run/docker.sock

export OOMTRACE_TEST_BINARY=/run/oomtrace/oomtrace
export OOMTRACE_TEST_OWN_MACHINE=1
export OOMTRACE_TEST_PATIENCE=240
export OOMTRACE_TEST_TABLE=/tmp/out/table
export OOMTRACE_TEST_RECORDINGS=/tmp/out/recordings
uname -r > /tmp/out/release
OOMTRACE_TEST_ONLY=$(cat /run/oomtrace/only)
export OOMTRACE_TEST_ONLY
/run/oomtrace/live --test-threads=1 --color never
echo $? > /tmp/out/status
[ $$ = 1 ] || journalctl --boot --no-pager > /tmp/out/journal 2>&1
tar -cf /dev/vdb -C /tmp/out .
sync
/run/oomtrace/busybox poweroff -f
