#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A program below the threshold makes the same system calls, with the same arguments and results,
as without `mshare run`, from its first own one to its last, its child included.

usage: test-untouched.py MSHARE PROGRAM
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

MARK = "getppid"
# Addresses, process and segment numbers differ from run to run.
VARIES = re.compile(r"0x[0-9a-f]+|(?<== )\d{2,}|(?<=shmat\()\d+|(?<=shmctl\()\d+|(?<=wait4\()\d+")
def skip(reason):
    print(f"skip: {reason}", file=sys.stderr)
    sys.exit(77)


def trace(strace, command):
    """The lines of each process, in the order of their numbers: parent and child run at once."""
    with tempfile.TemporaryDirectory() as directory:
        out = pathlib.Path(directory) / "trace"
        done = subprocess.run([strace, "-ff", "-o", out, *command], check=False,
                              capture_output=True, text=True)
        if "ptrace" in done.stderr:
            skip(f"strace may not trace here: {done.stderr.splitlines()[0]}")
        if done.returncode:
            sys.exit(f"{command} ended in {done.returncode}: {done.stderr}")
        files = sorted(out.parent.iterdir(), key=lambda path: int(path.suffix[1:]))
        return [path.read_text().splitlines() for path in files]


def without_variation(line):
    """strace(1) lines its results up, by the width of what is before."""
    return re.sub(" +=", " =", VARIES.sub("#", line))


def own_calls(lines):
    """Between the marks, or from the start in the child, which has only one."""
    marks = [number for number, line in enumerate(lines) if line.startswith(MARK)]
    first, last = (marks[0] + 1, marks[1]) if len(marks) == 2 else (0, len(lines))
    return [without_variation(line) for line in lines[first:last] if not line.startswith(("+++", "---"))]


def main():
    mshare, program = sys.argv[1:]
    strace = shutil.which("strace")
    if not strace:
        skip("there is no strace to look with")
    os.environ["MSHARE_RUN_REPORT"] = ""
    alone = [own_calls(lines) for lines in trace(strace, [program])]
    under = [own_calls(lines) for lines in trace(strace, [mshare, "run", "--", program])]
    if len(alone) != 2 or min(map(len, alone)) < 10:
        sys.exit(f"the program did not do what is to be compared: {alone}")
    if alone != under:
        for number, (before, after) in enumerate(zip(alone, under)):
            for one, other in zip(before, after):
                if one != other:
                    print(f"process {number}: {one}\n      now: {other}", file=sys.stderr)
                    break
            print(f"process {number}: {len(before)} calls, now {len(after)}", file=sys.stderr)
        sys.exit("the system calls are not the same")
    print(f"{sum(map(len, alone))} system calls are the same")


if __name__ == "__main__":
    main()
