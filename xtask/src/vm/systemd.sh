# Sourced by the initramfs: what Debian's systemd finds on its disk, at /disk, besides what the packages put there.
etc=/disk/etc
/busybox mkdir -p $etc/docker $etc/systemd/system/multi-user.target.wants
# There is no network.
echo '{"iptables": false, "ip6tables": false, "bridge": "none", "storage-driver": "vfs"}' > $etc/docker/daemon.json
# For containers of a user's own.
echo 'alice:x:1000:1000::/home/alice:/bin/bash' >> $etc/passwd
echo 'alice:x:1000:' >> $etc/group
echo 'alice:*:19000:0:99999:7:::' >> $etc/shadow
echo 'alice:100000:65536' > $etc/subuid
echo 'alice:100000:65536' > $etc/subgid
/busybox mkdir -p /disk/home/alice /disk/var/lib/systemd/linger
/busybox chown 1000:1000 /disk/home/alice
# Logged in from the start, as far as systemd is concerned.
: > /disk/var/lib/systemd/linger/alice
echo machine > $etc/hostname
unit=$etc/systemd/system/oomtrace-tests.service
printf '[Unit]\nAfter=multi-user.target user@1000.service docker.service\nWants=user@1000.service docker.service\n' > $unit
printf '[Service]\nType=oneshot\nExecStart=/run/oomtrace/machine.sh\n' >> $unit
printf 'StandardOutput=tty\nStandardError=tty\nTTYPath=/dev/ttyS0\nTimeoutStartSec=infinity\n' >> $unit
/busybox ln -sf ../oomtrace-tests.service $etc/systemd/system/multi-user.target.wants/oomtrace-tests.service
# They take the console, or time that nobody has.
for service in getty@tty1 serial-getty@ttyS0 apt-daily.timer apt-daily-upgrade.timer e2scrub_reap earlyoom; do
    case $service in *.timer) name=$service ;; *) name=$service.service ;; esac
    /busybox ln -sf /dev/null $etc/systemd/system/$name
done
# A Kubernetes node brings its own containerd, and nobody asks for the others.
if [ -e /disk/run/oomtrace/node ]; then
    for service in docker.service docker.socket containerd.service earlyoom.service systemd-oomd.service systemd-oomd.socket; do
        /busybox ln -sf /dev/null $etc/systemd/system/$service
    done
fi
