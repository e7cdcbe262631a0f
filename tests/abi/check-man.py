#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every page is built, and groff formats it without a warning."""
import pathlib
import subprocess
import sys

import contract
import report


def check_format(groff, page):
    command = [groff, "-t", "-man", "-Tutf8", "-Kutf8", "-P-cbou", "-ww", page]
    done = subprocess.run(command, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    if done.returncode or done.stderr:
        return [f"{page.name}: {done.stderr or done.returncode}"]
    if "SEE ALSO" not in done.stdout:
        return [f"{page.name}: formatted, it has no SEE ALSO"]
    return []


def main(root, folder, groff, *built):
    pages = contract.pages(root)
    complaints = [f"{name}: not built" for name in sorted(set(pages) - set(built))
                  if name != "mshare.1"]
    for name in built:
        complaints += check_format(groff, pathlib.Path(folder) / name)
    report.finish(complaints, len(built))


if __name__ == "__main__":
    main(*sys.argv[1:])
