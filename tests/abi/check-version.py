#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""One version everywhere: project, header, map, shared object name, pkg-config, changelog."""
import os
import pathlib
import re
import sys

import contract
import report
import toolchain


def newest_in_changelog(text):
    """"## 0.1.0 (unreleased)" or with a date: the first heading of that kind."""
    found = re.search(r"^## (\d+\.\d+\.\d+)", text, re.M)
    return found[1] if found else "none"


def pkg_config_version(path):
    found = re.search(r"^Version:\s*(\S+)$", pathlib.Path(path).read_text(), re.M)
    return found[1] if found else "none"


def soname(readelf, library):
    found = re.search(r"\(SONAME\).*\[(.*)\]", toolchain.output(readelf, "-d", "-W", library))
    return found[1] if found else "none"


def main(root, version, readelf, library, pkg_config_folder):
    major, minor, _ = version.split(".")
    changelog = (pathlib.Path(root) / "CHANGELOG.md").read_text()
    facts = [
        ("macros of the header", contract.header(root).version(), version),
        ("newest node of the map", contract.symbol_map(root).nodes[-1]["version"],
         f"{major}.{minor}"),
        ("newest entry of the changelog", newest_in_changelog(changelog), version),
        ("shared object name", soname(readelf, library), f"libmshare.so.{major}"),
        ("file name of the library", os.path.basename(os.path.realpath(library)),
         f"libmshare.so.{version}"),
    ]
    files = {path.name: path for path in pathlib.Path(pkg_config_folder).glob("*.pc")}
    facts += [("libmshare.pc", "there" if "libmshare.pc" in files else "missing", "there")]
    facts += [(name, pkg_config_version(path), version) for name, path in sorted(files.items())]
    complaints = [f"{what}: {found}, must be {wanted}" for what, found, wanted in facts
                  if found != wanted]
    report.finish(complaints, len(facts))


if __name__ == "__main__":
    main(*sys.argv[1:])
