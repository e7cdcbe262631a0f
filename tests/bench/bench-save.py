#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""mshare save and load against fio and cp, on one file system, in turn, in one run.

bench-save.py MSHARE [--dir DIR] [--size BYTES] [--rounds N] [--depth N]

fio writes and reads as much, with the same block size and depth, io_uring, fixed buffers and
O_DIRECT, and syncs at its end as save does. cp copies from and to /dev/shm; its file is synced as well
(cp_out), since save's is, or left in the page cache (cp_cached). Prints one JSON object: medians and
best figures in bytes a second, and their ratios; on a busy machine the best say more.
"""
import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import time

SKIPPED = 77
BLOCK = 2 << 20


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("mshare")
    parser.add_argument("--dir", default=".", help="where the files go; not a memory file system")
    parser.add_argument("--size", type=int, default=512 << 20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--depth", type=int, default=8)
    return parser.parse_args()


def make_region(path, size):
    """Bytes that are never zero and never the same."""
    with open(path, "wb") as region:
        for _ in range(size // BLOCK):
            region.write(os.urandom(BLOCK))


def timed(function, *args):
    started = time.monotonic()
    function(*args)
    return time.monotonic() - started


def run(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def copy_and_sync(source, target):
    run("cp", source, target)
    run("sync", target)


class Bench:
    def __init__(self, args):
        self.args = args
        self.as_meant = True
        self.pid = os.getpid()
        self.name = f"mshare-bench-{self.pid}"
        self.region = pathlib.Path("/dev/shm") / self.name
        self.copy = pathlib.Path(f"/dev/shm/{self.name}-copy")
        self.file = pathlib.Path(args.dir) / f"{self.name}.file"

    def rate(self, seconds):
        return self.args.size / seconds

    def fio(self, mode):
        """Seconds of one job, its last sync included."""
        said = json.loads(run(
            "fio", "--name=job", f"--filename={self.file}", f"--rw={mode}", f"--bs={BLOCK}",
            f"--size={self.args.size}", f"--iodepth={self.args.depth}", "--direct=1",
            "--ioengine=io_uring", "--fixedbufs=1", "--end_fsync=1", "--output-format=json"))
        job = said["jobs"][0]
        return job["job_runtime"] / 1000

    def mshare(self, *words):
        said = json.loads(run(self.args.mshare, *words, "--json", "--depth", str(self.args.depth)))
        return said["seconds"], said["io_uring"] and said["direct"]

    def forget(self, path):
        """Out of the page cache, so that reading reads."""
        with open(path, "rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)

    def by_fio(self, figures):
        figures["fio_write"].append(self.rate(self.fio("write")))
        figures["fio_read"].append(self.rate(self.fio("read")))
        self.file.unlink()

    def by_mshare(self, figures):
        seconds, direct = self.mshare("save", self.name, str(self.file))
        figures["save"].append(self.rate(seconds))
        loaded, read_direct = self.mshare("load", str(self.file), self.copy.name)
        figures["load"].append(self.rate(loaded))
        self.as_meant &= direct and read_direct
        self.copy.unlink()
        self.file.unlink()

    def by_cp(self, figures):
        figures["cp_cached"].append(self.rate(timed(run, "cp", self.region, self.file)))
        self.file.unlink()
        figures["cp_out"].append(self.rate(timed(copy_and_sync, self.region, self.file)))
        self.forget(self.file)
        figures["cp_in"].append(self.rate(timed(run, "cp", self.file, self.copy)))
        self.copy.unlink()
        self.file.unlink()

    def round(self, number, figures):
        """Each begins in turn: disks may be faster for who comes first."""
        steps = [self.by_fio, self.by_mshare, self.by_cp]
        for i in range(len(steps)):
            steps[(i + number) % len(steps)](figures)

    def clean(self):
        for path in (self.region, self.copy, self.file):
            path.unlink(missing_ok=True)


def ratios(figures, pick):
    """pick: of the figures of one kind."""
    picked = {name: pick(values) for name, values in figures.items()}
    pairs = [("save", "fio_write"), ("load", "fio_read"), ("save", "cp_cached"), ("save", "cp_out"),
             ("load", "cp_in")]
    return {"bytes_per_second": {name: round(value) for name, value in picked.items()},
            "ratios": {f"{one}/{other}": round(picked[one] / picked[other], 3)
                       for one, other in pairs}}


def report(bench, figures):
    args = bench.args
    print(json.dumps({
        "size": args.size, "depth": args.depth, "rounds": args.rounds,
        "io_uring_and_direct": bench.as_meant, "load_average": os.getloadavg()[0],
        "median": ratios(figures, statistics.median), "best": ratios(figures, max),
    }, indent=2))


def main():
    args = arguments()
    if not shutil.which("fio"):
        print("skip: no fio: .ci/install-deps bench", file=sys.stderr)
        return SKIPPED
    bench = Bench(args)
    figures = {name: [] for name in ("fio_write", "fio_read", "save", "load", "cp_cached", "cp_out",
                                     "cp_in")}
    os.environ["MSHARE_BACKEND"] = "plain"  # /dev/shm without huge pages, as for cp
    try:
        make_region(bench.region, args.size)
        for number in range(args.rounds):
            bench.round(number, figures)
    finally:
        bench.clean()
    report(bench, figures)
    return 0


if __name__ == "__main__":
    sys.exit(main())
