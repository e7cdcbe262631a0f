#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The committed layout holds, in C and C++, and leaves out nothing of the header."""
import os
import pathlib
import re
import sys

import contract
import report
import toolchain

# Not part of the binary interface: what the version is, and how a struct is initialised.
SOURCE_ONLY = {"MSHARE_ATTR_INIT", "MSHARE_IMAGE_ATTR_INIT", "MSHARE_VERSION_MAJOR", "MSHARE_VERSION_MINOR",
               "MSHARE_VERSION_PATCH"}


def check_complete(header, layout):
    wanted = {f"VALUE({name}" for name in header.constants() - SOURCE_ONLY}
    for struct, members in header.structs().items():
        wanted |= {f"SIZE({struct}"} | {f"FIELD({struct}, {member}" for member in members}
    found = set(re.findall(r"^(VALUE\(\w+|SIZE\(\w+|FIELD\(\w+, \w+)", layout, re.M))
    return ([f"{name}) is missing" for name in sorted(wanted - found)] +
            [f"{name}) is not in the header" for name in sorted(found - wanted)])


def main(root, header, source):
    include = pathlib.Path(root) / "include"
    layout = pathlib.Path(source).read_text()
    complaints = check_complete(contract.Header((include / header).read_text()), layout)
    for variable, args in (("CC", ["-std=gnu17"]), ("CXX", ["-std=gnu++17", "-x", "c++"])):
        if variable in os.environ:
            said = toolchain.Compiler(variable, include).run(*args, "-fsyntax-only", source)
            complaints += [said] if said else []
    report.finish(complaints, layout.count("\nFIELD(") + layout.count("\nVALUE("))


if __name__ == "__main__":
    main(*sys.argv[1:])
