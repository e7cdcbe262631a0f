#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Counts the system calls of one mshare_attach() and mshare_detach(), by name.

Each case runs twice under strace -c, with a few pairs and with many; what the second run has more
is what the pairs cost, free of start and setup. Counts do not depend on the machine's speed, so
"the same for every size" is judged: exit status 1 if it is not so.

usage: attach-syscalls.py ATTACH_COST STRACE [--json]
"""
import json
import subprocess
import sys
import tempfile

BACKENDS = ("shim", "hugetlb", "thp", "plain")
SIZES_MIB = (64, 4096)
FEW, MANY = 100, 1100


def traced(strace, program, backend, size, pairs):
    """System calls by name, or None and the reason."""
    with tempfile.NamedTemporaryFile("r") as summary:
        run = subprocess.run([strace, "-c", "-o", summary.name, program, "--calls", str(pairs),
                              "--backend", backend, "--size", str(size)],
                             stdout=subprocess.PIPE, text=True, check=False)
        if run.returncode == 77:
            return None, run.stdout.strip()
        if run.returncode:
            sys.exit(f"attach-syscalls: {program} under {strace} ended in {run.returncode}")
        return parse(summary.read()), ""


def parse(summary):
    """Lines of strace -c: % time, seconds, usecs/call, calls, [errors,] name."""
    counts = {}
    for line in summary.splitlines():
        words = line.split()
        if len(words) >= 5 and words[3].isdigit() and words[-1] != "total":
            counts[words[-1]] = int(words[3])
    return counts


def per_pair(strace, program, backend, size):
    few, reason = traced(strace, program, backend, size, FEW)
    if few is None:
        return None, reason
    many, reason = traced(strace, program, backend, size, MANY)
    if many is None:
        return None, reason
    names = sorted(set(few) | set(many))
    cost = {n: (many.get(n, 0) - few.get(n, 0)) / (MANY - FEW) for n in names}
    return {n: c for n, c in cost.items() if c}, ""


def show(backend, size, cost, reason, as_json):
    if as_json:
        line = {"backend": backend, "size": size << 20}
        line.update({"unavailable": reason} if cost is None else {"syscalls_per_pair": cost})
        print(json.dumps(line))
    elif cost is None:
        print(f"{backend:8} {size:5} MiB  unavailable: {reason}")
    else:
        calls = ", ".join(f"{c:g} {n}" for n, c in cost.items())
        print(f"{backend:8} {size:5} MiB  {sum(cost.values()):g} a pair: {calls}")


def main():
    arguments = [a for a in sys.argv[1:] if a != "--json"]
    if len(arguments) != 2:
        sys.exit(__doc__)
    program, strace = arguments
    status = 0
    for backend in BACKENDS:
        costs = []
        for size in SIZES_MIB:
            cost, reason = per_pair(strace, program, backend, size)
            show(backend, size, cost, reason, "--json" in sys.argv)
            if cost is not None:
                costs.append(cost)
        if any(cost != costs[0] for cost in costs):
            print(f"{backend}: the count depends on the size", file=sys.stderr)
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
