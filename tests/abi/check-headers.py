#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Each public header compiles alone, twice in a row, in each language that may include it."""
import os
import pathlib
import sys
import tempfile

import report
import toolchain

LANGUAGES = [("CC", "c99"), ("CC", "c11"), ("CC", "c17"), ("CC", "gnu17"),
             ("CXX", "c++11"), ("CXX", "c++17"), ("CXX", "gnu++17")]
STRICT = ["-Wall", "-Wextra", "-Wundef", "-Werror", "-pedantic", "-fsyntax-only"]


def check(include, header, variable, standard, folder):
    """What one compiler says of one header. The struct initialisers are code that users compile."""
    suffix = ".c" if variable == "CC" else ".cpp"
    source = pathlib.Path(folder) / f"alone{suffix}"
    name = header.relative_to(include)
    text = f"#include <{name}>\n#include <{name}>\n"
    if name.name == "mshare.h":
        text += "extern struct mshare_attr attr;\nstruct mshare_attr attr = MSHARE_ATTR_INIT;\n"
    source.write_text(text)
    said = toolchain.Compiler(variable, include).run(f"-std={standard}", *STRICT, source)
    return [f"{name} as {standard}: {said}"] if said else []


def main(root):
    include = pathlib.Path(root) / "include"
    languages = [language for language in LANGUAGES if language[0] in os.environ]
    complaints, count = [], 0
    if "CXX" not in os.environ:
        print("no C++ compiler: C++ not checked")
    with tempfile.TemporaryDirectory() as folder:
        for header in sorted(include.rglob("*.h")):
            for variable, standard in languages:
                complaints += check(include, header, variable, standard, folder)
                count += 1
    report.finish(complaints, count)


if __name__ == "__main__":
    main(sys.argv[1])
