#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The shared library exports exactly the map; a program can link every symbol of map and header."""
import pathlib
import subprocess
import sys
import tempfile

import contract
import report
import toolchain

PROGRAM = """#include <mshare.h>
#include <stdio.h>

typedef void (*any_function)(void);
static const any_function volatile symbols[] = {{
{entries}
}};

int main(void)
{{
	unsigned int found = 0;

	for (unsigned int i = 0; i < sizeof(symbols) / sizeof(symbols[0]); i++)
		found += symbols[i] != (any_function)0;
	printf("%u\\n", found);
	return 0;
}}
"""


def exported(nm, library):
    """Symbol to version node, from the dynamic table. The nodes are symbols of their own."""
    found = {}
    for line in toolchain.output(nm, "-D", "--defined-only", "--with-symbol-versions",
                                 library).splitlines():
        kind, name = line.split()[-2:]
        symbol, _, version = name.partition("@@")
        if kind != "A":
            found[symbol] = version
    return found


def check_exports(found, wanted):
    complaints = [f"{name}: exported, not in the map" for name in sorted(set(found) - set(wanted))]
    for name, node in sorted(wanted.items()):
        if found.get(name) != node:
            complaints.append(f"{name}: in node {node} of the map, exported as "
                              f"{found.get(name, 'nothing')}")
    return complaints


def check_program(root, library, names):
    """Compiles, links and runs a program with the address of every function in it."""
    compiler = toolchain.Compiler("CC", pathlib.Path(root) / "include")
    entries = "\n".join(f"\t(any_function){name}," for name in names)
    with tempfile.TemporaryDirectory() as folder:
        source, program = pathlib.Path(folder) / "symbols.c", pathlib.Path(folder) / "symbols"
        source.write_text(PROGRAM.format(entries=entries))
        said = compiler.run("-Wall", "-Wextra", "-Werror", source, "-o", program,
                            *toolchain.link_flags(library))
        if said:
            return [said]
        done = subprocess.run([program], text=True, stdout=subprocess.PIPE, check=False)
        if (done.returncode, done.stdout) != (0, f"{len(names)}\n"):
            return [f"the program exits with {done.returncode} and finds {done.stdout!r} of "
                    f"{len(names)} functions"]
    return []


def main(root, nm, library):
    wanted = contract.symbol_map(root).symbols()
    names = sorted(set(wanted) | set(contract.header(root).declared()))
    complaints = check_exports(exported(nm, library), wanted)
    report.finish(complaints + check_program(root, library, names), len(names))


if __name__ == "__main__":
    main(*sys.argv[1:])
