#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every program of an EXAMPLE section compiles without a warning and links."""
import pathlib
import sys
import tempfile

import contract
import report
import toolchain

COMMAND_SECTIONS = {"1", "8"}  # their examples are for the shell
WARNINGS = ["-std=gnu17", "-Wall", "-Wextra", "-Werror"]


def main(root, library):
    compiler = toolchain.Compiler("CC", pathlib.Path(root) / "include")
    complaints, count = [], 0
    with tempfile.TemporaryDirectory() as folder:
        for page in contract.pages(root).values():
            if page.section in COMMAND_SECTIONS:
                continue
            for number, program in enumerate(page.examples()):
                source = pathlib.Path(folder) / f"{page.name}-{number}.c"
                source.write_text(program)
                said = compiler.run(*WARNINGS, source, "-o", source.with_suffix(""),
                                    *toolchain.link_flags(library))
                complaints += [f"{page.path.name}: {said}"] if said else []
                count += 1
    report.finish(complaints, count)


if __name__ == "__main__":
    main(*sys.argv[1:])
