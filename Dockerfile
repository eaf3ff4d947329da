# oomtrace in a container: one static binary and nothing else. Nothing is fetched; the build context is a folder with the
# binary, which `cargo xtask image` makes:
#
#   cargo xtask image
#   docker run --rm -it --privileged --pid host --uts host \
#     -v /sys/fs/cgroup:/sys/fs/cgroup -v /run:/run:ro,rslave -v /etc/passwd:/etc/passwd:ro oomtrace
#
# deploy/daemonset.yaml says what each of these is for; deploy/helm/oomtrace is for clusters.
FROM scratch
COPY oomtrace /oomtrace
ENTRYPOINT ["/oomtrace"]
