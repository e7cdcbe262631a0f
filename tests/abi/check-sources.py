#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Licence, length and forbidden names of every file that belongs to the project."""
import pathlib
import subprocess
import sys

import report
import sources


def tracked(root):
    """Files that git knows; in an unpacked archive, which has only those, every file."""
    done = subprocess.run(["git", "-c", "safe.directory=*", "-C", root, "ls-files", "-z"],
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
    if done.returncode == 0 and done.stdout:
        return [path for path in done.stdout.split("\0") if (root / path).is_file()]
    return [str(path.relative_to(root)) for path in root.rglob("*")
            if path.is_file() and not any(parent.joinpath("meson-private").exists()
                                          for parent in path.parents)]


def main(root):
    complaints, count, functions = [], 0, 0
    for path in sorted(tracked(root)):
        try:
            text = (root / path).read_text()
        except UnicodeDecodeError:
            continue  # pictures have no lines
        complaints += sources.check(path, text)
        functions += len(sources.functions(path, text))
        count += 1
    print(f"{functions} functions")
    report.finish(complaints, count if functions else 0)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
