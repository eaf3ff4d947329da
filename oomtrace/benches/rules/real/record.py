#!/usr/bin/env python3
"""Records real programs' memory: record.py SECONDS, as root, with cgroup v1's memory controller, and node, python3, java, go, php, ruby,
memcached and redis-server installed. Each runs in a memory cgroup of its own, read once a second; a second stands for a minute. One CSV file
each is written beside this script: KiB of anonymous memory, page cache and shared memory; an empty field is as the one above it; R begins
a new life. Programs whose limit is enforced are killed by the kernel and started again, as a container would be. The other
limits are of the files' headers alone, and were set after the first recording of 2,100 s: a leak meets its own near the end of that."""
import os, signal, subprocess, sys, tempfile, time

HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAMS = os.path.join(HERE, "programs")
ROOT = "/sys/fs/cgroup/memory/oomtrace-rules"
WORK = tempfile.mkdtemp()
MIB = 1 << 20


def at(name):
    return os.path.join(PROGRAMS, name)


REDIS = ["redis-server", "--save", "", "--appendonly", "no", "--bind", "127.0.0.1", "--dir", WORK]
# Name, is it a leak, limit in MiB, is it enforced, command, feeder outside the cgroup.
RUNS = [
    ("node-leak", 1, 256, 0, ["node", at("server.js"), "leak"], None),
    ("node-clean", 0, 256, 0, ["node", at("server.js"), "clean"], None),
    ("cpython-leak", 1, 240, 0, [sys.executable, at("server.py"), "leak"], None),
    ("cpython-clean", 0, 240, 0, [sys.executable, at("server.py"), "clean"], None),
    ("cpython-killed", 1, 64, 1, [sys.executable, at("server.py"), "leak"], None),
    ("jvm-leak", 1, 352, 0, ["java", "-XX:+UseSerialGC", "-Xms32m", "-Xmx512m", "-cp", WORK, "Server", "leak"], None),
    ("jvm-clean", 0, 352, 0, ["java", "-XX:+UseSerialGC", "-Xms32m", "-Xmx512m", "-cp", WORK, "Server", "clean"], None),
    ("jvm-g1-clean", 0, 512, 0, ["java", "-XX:+UseG1GC", "-Xmx256m", "-cp", WORK, "Server", "clean"], None),
    ("go-leak", 1, 368, 0, [os.path.join(WORK, "server"), "leak"], None),
    ("go-clean", 0, 368, 0, [os.path.join(WORK, "server"), "clean"], None),
    ("php-leak", 1, 288, 0, ["php", "-d", "memory_limit=-1", at("worker.php"), "leak"], None),
    ("php-clean", 0, 288, 0, ["php", "-d", "memory_limit=-1", at("worker.php"), "clean"], None),
    ("ruby-leak", 1, 240, 0, ["ruby", at("worker.rb"), "leak"], None),
    ("ruby-clean", 0, 240, 0, ["ruby", at("worker.rb"), "clean"], None),
    ("memcached-full", 0, 256, 0, ["memcached", "-u", "nobody", "-l", "127.0.0.1", "-p", "21911", "-m", "96"], ["memcached", "21911"]),
    ("redis-no-expiry", 1, 248, 0, [*REDIS, "--port", "21912"], ["redis", "21912"]),
    ("redis-maxmemory", 0, 248, 0, [*REDIS, "--port", "21913", "--maxmemory", "96mb", "--maxmemory-policy", "allkeys-lru"], ["redis", "21913"]),
    ("redis-expiry", 0, 248, 0, [*REDIS, "--port", "21914"], ["redis", "21914", "400"]),
    ("log-writer", 0, 128, 1, [sys.executable, at("log.py"), os.path.join(WORK, "log")], None),
]


class Run:
    def __init__(self, name, leak, limit, enforced, command, feeder):
        self.name, self.leak, self.limit, self.command = name, leak, limit, command
        self.cgroup = os.path.join(ROOT, name)
        os.makedirs(self.cgroup, exist_ok=True)
        if enforced:
            self.write("memory.limit_in_bytes", limit * MIB)
        self.rows, self.last, self.children = [], (None, None, None), []
        self.start()
        if feeder:
            self.children.append(subprocess.Popen([sys.executable, at("feed.py"), *feeder], stderr=subprocess.DEVNULL))

    def write(self, file, value):
        with open(os.path.join(self.cgroup, file), "w") as out:
            out.write(str(value))

    def start(self):
        into = os.path.join(self.cgroup, "cgroup.procs")
        self.process = subprocess.Popen(
            ["sh", "-c", 'echo $$ > "$0" && exec "$@"', into, *self.command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def sample(self):
        restart = self.process.poll() is not None
        if restart:
            self.start()
            time.sleep(0.05)
        with open(os.path.join(self.cgroup, "memory.stat")) as stat:
            of = dict(line.split() for line in stat)
        shmem = int(of.get("shmem", 0))
        now = (int(of["rss"]) >> 10, (int(of["cache"]) - shmem) >> 10, shmem >> 10)
        fields = ["" if value == before else str(value) for value, before in zip(now, self.last)]
        self.rows.append(",".join(fields) + (",R" if restart else ""))
        self.last = now

    def stop(self, seconds):
        for child in [*self.children, self.process]:
            child.send_signal(signal.SIGINT)
            try:
                child.wait(5)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        time.sleep(0.2)
        os.rmdir(self.cgroup)
        command = " ".join(self.command).replace(PROGRAMS + "/", "").replace(WORK, "$WORK").replace(sys.executable, "python3")
        with open(os.path.join(HERE, self.name + ".csv"), "w") as out:
            out.write(f"# {command}; {seconds} s, each for a minute\n")
            out.write(f"# leak={self.leak} limit_mib={self.limit}\nanon_kib,file_kib,shmem_kib\n")
            out.write("\n".join(self.rows) + "\n")


def main():
    seconds = int(sys.argv[1])
    subprocess.run(["javac", "-d", WORK, at("Server.java")], check=True)
    environment = {**os.environ, "GOCACHE": WORK + "/cache", "GO111MODULE": "off"}
    subprocess.run(["go", "build", "-o", WORK + "/server", at("server.go")], check=True, env=environment)
    os.makedirs(ROOT, exist_ok=True)
    runs = [Run(*run) for run in RUNS]
    began = time.monotonic()
    for second in range(1, seconds + 1):
        time.sleep(max(0.0, began + second - time.monotonic()))
        for run in runs:
            run.sample()
    for run in runs:
        run.stop(seconds)
    os.rmdir(ROOT)
    subprocess.run(["rm", "-rf", WORK], check=True)


main()
