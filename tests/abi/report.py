# SPDX-License-Identifier: MIT
"""How every check here ends: all complaints, then a verdict."""
import sys


def finish(complaints, looked_at):
    """Exits 1 if there are complaints. A check that finds nothing to look at could never fail."""
    if not looked_at:
        complaints = complaints + ["nothing was found to look at"]
    for complaint in complaints:
        print(complaint)
    print(f"{looked_at} looked at, {len(complaints)} complaints")
    sys.exit(1 if complaints else 0)
