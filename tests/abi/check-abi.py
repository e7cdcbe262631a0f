#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The header of the device, mshare(4), the module and its DKMS package say the same."""
import pathlib
import re
import sys

import contract
import report

INTERNAL = {"MSHARE_CTL_MAGIC"}  # how operations are numbered
NOT_PACKAGED = {"check", "meson.build", "dkms.conf.in", "60-mshare.rules", "modules-load.conf"}


def both_ways(left, left_name, right, right_name):
    return ([f"{name}: in {left_name}, not in {right_name}" for name in sorted(left - right)] +
            [f"{name}: in {right_name}, not in {left_name}" for name in sorted(right - left)])


def fields(text):
    """Structs of kernel types: name to list of type and member."""
    bare = contract.COMMENT.sub(" ", text)
    return {name: re.findall(r"(__[us]\d+)\s+(\w+);", body)
            for name, body in re.findall(r"\bstruct\s+(\w+)\s*\{([^}]*)\}", bare)}


def check_words(header, page):
    words = set(re.findall(r"\bMSHARE_\w+\b", page.text))
    return both_ways(header.constants() - INTERNAL, "abi.h", words, "mshare(4)")


def check_structs(text, page):
    ours = fields(text)
    theirs = fields("".join(re.findall(r"^```\n(.*?)^```$", page.text, re.S | re.M)))
    complaints = both_ways(set(ours), "abi.h", set(theirs), "mshare(4)")
    for name in sorted(set(ours) & set(theirs)):
        if not ours[name] or ours[name] != theirs[name]:
            complaints.append(f"struct {name}: {ours[name]} in abi.h, {theirs[name]} in mshare(4)")
    return complaints


def check_errnos(text, page, sources):
    """What the module returns by name must be documented; the core adds a few to that."""
    told = contract.errnos("".join(contract.COMMENT.findall(text)))
    returned = set(re.findall(r"-(E[A-Z0-9]{2,})\b", sources))
    return (both_ways(told, "abi.h", page.errnos(), "mshare(4)") +
            [f"{name}: returned by the module, not in abi.h" for name in sorted(returned - told)])


def check_module(page, sources):
    """Parameters and tracepoints."""
    parameters = set(re.findall(r"^module_param\((\w+),", sources, re.M))
    explained = set(re.findall(r"^_(\w+)_$", page.sections["MODULE PARAMETERS"], re.M))
    events = set(re.findall(r"^TRACE_EVENT\((\w+),", sources, re.M))
    listed = set(re.findall(r"\*(mshare_\w+)\*", page.sections["FILES"]))
    return (both_ways(parameters, "the module", explained, "MODULE PARAMETERS of mshare(4)") +
            both_ways(events, "the module", listed, "FILES of mshare(4)"))


def check_package(folder):
    """A source that DKMS does not get is missed only on the machine of a user."""
    there = {path.name for path in folder.iterdir()
             if path.name == "Kbuild" or path.suffix in (".c", ".h")}
    there |= {f"compat/{path.name}" for path in (folder / "compat").iterdir()}
    rules = (folder / "meson.build").read_text()
    packaged = set(re.findall(r"'((?:compat/)?[\w-]+\.[ch]|Kbuild|compat/\w+)'", rules))
    strangers = {path.name for path in folder.iterdir() if path.is_file()} - there - NOT_PACKAGED
    return (both_ways(there, "the module's directory", packaged, "its meson.build") +
            [f"{name}: neither source nor known" for name in sorted(strangers)])


def main(root):
    root = pathlib.Path(root)
    folder = root / "kernel-shim/module"
    text = (root / "include/mshare/abi.h").read_text()
    sources = "".join(path.read_text() for path in sorted(folder.glob("*.[ch]")))
    page = contract.pages(root)["mshare.4"]
    header = contract.Header(text)
    complaints = (check_words(header, page) + check_structs(text, page) +
                  check_errnos(text, page, sources) + check_module(page, sources) +
                  check_package(folder))
    report.finish(complaints, len(header.structs()))


if __name__ == "__main__":
    main(sys.argv[1])
