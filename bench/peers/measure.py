"""Runs one command and prints what it took, as JSON. Standard input: {"command": [...], "cwd": "...", "env": {...}, "memory": bool}.

CPU seconds are those of the whole process tree: this process adopts what the command leaves behind, and waits for it.
With "memory", the proportional memory (PSS) of the tree is sampled every 20 ms; its peak is in MB.
"""

import ctypes
import json
import os
import subprocess
import sys
import tempfile
import threading
import time

PR_SET_CHILD_SUBREAPER = 36


def children(pid):
    try:
        tasks = os.listdir(f"/proc/{pid}/task")
        return [int(child) for task in tasks for child in open(f"/proc/{pid}/task/{task}/children").read().split()]
    except OSError:
        return []


def megabytes(pid):
    total = sum(megabytes(child) for child in children(pid))
    try:
        with open(f"/proc/{pid}/smaps_rollup") as lines:
            return total + sum(int(line.split()[1]) / 1024 for line in lines if line.startswith("Pss:"))
    except OSError:
        return total


def main():
    wanted = json.load(sys.stdin)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    done = threading.Event()
    peak = 0.0

    def sample(pid):
        nonlocal peak
        while not done.wait(0.02):
            peak = max(peak, megabytes(pid))

    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        start = time.perf_counter()
        env = {**os.environ, **wanted.get("env", {})}
        process = subprocess.Popen(wanted["command"], cwd=wanted["cwd"], env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        if wanted.get("memory"):
            threading.Thread(target=sample, args=(process.pid,)).start()
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        cpu = used.ru_utime + used.ru_stime
        while True:
            try:
                _, _, used = os.wait3(0)
            except ChildProcessError:
                break
            cpu += used.ru_utime + used.ru_stime
        done.set()
        out.seek(0)
        err.seek(0)
        texts = {"out": out.read().decode(errors="replace"), "err": err.read()[-2000:].decode(errors="replace")}
    json.dump({"exit": process.returncode, "wall": wall, "cpu": cpu, **({"peakMb": peak} if wanted.get("memory") else {}), **texts}, sys.stdout)


main()
