"""Sets 100 keys of 1 KiB a second. feed.py memcached|redis PORT [SECONDS TO LIVE]"""
import os, socket, sys, time

kind, port = sys.argv[1], int(sys.argv[2])
seconds = sys.argv[3] if len(sys.argv) > 3 else None
for _ in range(50):
    try:
        server = socket.create_connection(("127.0.0.1", port))
        break
    except OSError:
        time.sleep(0.1)
number = 0
while True:
    text = b""
    for _ in range(10):
        key, value = b"key:%d" % number, os.urandom(512).hex().encode()
        if kind == "memcached":
            text += b"set %s 0 0 %d noreply\r\n%s\r\n" % (key, len(value), value)
        else:
            words = [b"SET", key, value] + ([b"EX", seconds.encode()] if seconds else [])
            text += b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)
        number += 1
    server.sendall(text)
    if kind == "redis":
        server.setblocking(False)
        try:
            server.recv(1 << 16)
        except BlockingIOError:
            pass
        server.setblocking(True)
    time.sleep(0.1)
