"""Writes a log of 200 KiB a second, which nobody reads, and removes it at its end."""
import os, sys, time

with open(sys.argv[1], "wb", buffering=0) as log:
    try:
        while True:
            log.write(os.urandom(20 << 10))
            time.sleep(0.1)
    finally:
        os.unlink(sys.argv[1])
