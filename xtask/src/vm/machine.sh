#!/bin/sh
# In the virtual machine's Debian, as its first process or as a service of systemd's: makes the machine what the tests need,
# runs them, and switches it off.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
own=/run/oomtrace
out=/tmp/out
cgroups=$(cat $own/cgroups)

# Controllers of cgroup v1, a hierarchy each, as systemd had it once; what this kernel has no more is left out.
mount_v1() {
    mount -t tmpfs tmpfs /sys/fs/cgroup
    for controller in memory cpu,cpuacct cpuset pids devices freezer blkio; do
        mkdir -p /sys/fs/cgroup/$controller
        mount -t cgroup -o $controller cgroup /sys/fs/cgroup/$controller || {
            rmdir /sys/fs/cgroup/$controller
            [ $controller != memory ] || : > $out/no-memory
        }
    done
    mkdir -p /sys/fs/cgroup/systemd
    mount -t cgroup -o none,name=systemd cgroup /sys/fs/cgroup/systemd
    # The limit of a container is its own only where cgroups are nested, as systemd had it, too.
    echo 1 2> /dev/null > /sys/fs/cgroup/memory/memory.use_hierarchy
}

alone() {
    mount -t proc proc /proc
    mount -t sysfs sys /sys
    mkdir -p /dev/pts /dev/shm
    mount -t devpts devpts /dev/pts
    mount -t tmpfs tmpfs /dev/shm
    mount -t tmpfs tmpfs /tmp
    mkdir -p $out
    case $cgroups in
        v2)
            mount -t cgroup2 cgroup2 /sys/fs/cgroup
            echo "+memory +cpu +cpuset +pids" > /sys/fs/cgroup/cgroup.subtree_control
            ;;
        hybrid)
            mount_v1
            mkdir -p /sys/fs/cgroup/unified
            mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified
            ;;
        v1) mount_v1 ;;
    esac
    hostname machine
    # In memory: programs on the disk would be read again and again while memory runs out, for minutes.
    programs=
    for program in dockerd docker containerd containerd-shim-runc-v2 runc; do
        programs="$programs $(command -v $program)"
    done
    mount -t tmpfs tmpfs /usr/local/bin
    cp $programs /usr/local/bin/
    PATH=/usr/local/bin:$PATH
    dockerd --iptables=false --ip6tables=false --bridge=none --storage-driver=vfs > $out/dockerd.log 2>&1 &
}

if [ $$ = 1 ]; then
    alone 2> /tmp/alone.log
fi
mkdir -p $out
uname -a > $out/release
tries=0
until docker version > /dev/null 2>&1 || [ $tries = 120 ]; do
    tries=$((tries + 1))
    sleep 1
done
# A runtime that cannot start anything on this kernel is as good as none.
mkdir -p /tmp/image/bin
cp $own/busybox /tmp/image/bin/true
tar -C /tmp/image -c . | docker import - oomtrace-probe > /dev/null 2>&1
if docker run --rm --network none oomtrace-probe /bin/true > $out/docker 2>&1; then
    export OOMTRACE_TEST_DOCKER_SOCKET=/run/docker.sock
fi

export OOMTRACE_TEST_BINARY=$own/oomtrace
export OOMTRACE_TEST_OWN_MACHINE=1
export OOMTRACE_TEST_PATIENCE=240

$own/oomtrace doctor > $out/doctor 2>&1
# Where no hierarchy of that kind has the memory controller, there is nothing to be seen that the others do not show.
[ -e $out/no-memory ] && : > $own/runs
[ -e $out/no-memory ] || $own/oomtrace selftest > $out/selftest 2>&1
echo $? > $out/selftest.status
while IFS='|' read -r name without only; do
    mkdir -p $out/$name/recordings
    export OOMTRACE_TEST_TABLE=$out/$name/table OOMTRACE_TEST_RECORDINGS=$out/$name/recordings
    export OOMTRACE_TEST_WITHOUT=$without OOMTRACE_TEST_ONLY=$only
    # Through a file, not through a pipe: what a scenario left behind would hold a pipe open, and the machine with it.
    : > $out/$name/log
    $own/live --test-threads=1 --color never < /dev/null >> $out/$name/log 2>&1 &
    tail -f --pid=$! $out/$name/log
    wait $!
    echo $? > $out/$name/status
done < $own/runs
[ $$ = 1 ] || journalctl --boot --no-pager > $out/journal 2>&1
dmesg > $out/dmesg
disk=/dev/vdb
[ -e $disk ] || disk=/dev/nvme1n1
tar -cf $disk -C $out .
sync
$own/busybox poweroff -f
