#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The public header, the symbol map and the man pages say the same, in all directions."""
import pathlib
import re
import sys

import contract
import report

CALL_SECTIONS = ["NAME", "SYNOPSIS", "DESCRIPTION", "RETURN VALUE", "ERRORS", "ATTRIBUTES",
                 "CAVEATS", "EXAMPLE", "SEE ALSO"]
OPTIONAL_SECTIONS = {"CAVEATS"}


def both_ways(left, left_name, right, right_name):
    """What one set has and the other lacks."""
    return ([f"{name}: in {left_name}, not in {right_name}" for name in sorted(left - right)] +
            [f"{name}: in {right_name}, not in {left_name}" for name in sorted(right - left)])


def check_symbols(header, symbols, pages):
    declared = header.declared()
    documented = {page.name for page in pages.values() if page.section == "3"}
    complaints = [f"{name}: declared more than once" for name in set(declared)
                  if declared.count(name) > 1]
    complaints += both_ways(set(declared), "the header", set(header.calls),
                            "the header's documentation")
    complaints += both_ways(set(declared), "the header", set(symbols.symbols()), "the map")
    complaints += both_ways(set(declared), "the header", documented, "the man pages")
    if not symbols.hides_the_rest():
        complaints.append("map: one node, and only one, must have \"local: *;\"")
    if not symbols.is_chained():
        complaints.append("map: nodes are not chained, oldest first")
    return complaints


def check_page_form(page):
    """Title, name and sections of the page of a call."""
    titles = [title for title in page.sections if title]
    wanted = [title for title in CALL_SECTIONS if title in titles or title not in OPTIONAL_SECTIONS]
    complaints = []
    if not page.text.startswith(f"{page.name}({page.section}) "):
        complaints.append(f"{page.path.name}: the first line is not {page.name}({page.section})")
    if f"\n{page.name} - " not in page.sections.get("NAME", ""):
        complaints.append(f"{page.path.name}: NAME does not start with {page.name}")
    if titles != wanted:
        complaints.append(f"{page.path.name}: sections are {titles}, not {wanted}")
    elif not page.examples():
        complaints.append(f"{page.path.name}: EXAMPLE has no program")
    return complaints


def check_call(header, page):
    """Prototype and errors of one call against its page."""
    name = page.name
    complaints = check_page_form(page)
    if complaints or name not in header.calls:
        return complaints
    if not re.match(rf"/\*\s*\*\s*{name} - ", header.calls[name]["comment"]):
        complaints.append(f"{name}: its comment in the header does not start with its name")
    if page.prototype() != header.prototype(name):
        complaints.append(f"{name}: prototype {header.prototype(name)!r} in the header, "
                          f"{page.prototype()!r} in the man page")
    if "#include <mshare.h>" not in page.sections["SYNOPSIS"]:
        complaints.append(f"{name}: SYNOPSIS without #include <mshare.h>")
    return complaints + both_ways(header.errnos(name), f"the header for {name}", page.errnos(),
                                  f"the man page of {name}")


def variables(root):
    """Environment variables that the library reads."""
    sources = (pathlib.Path(root) / "libmshare").glob("*.c")
    return {name for path in sources
            for name in re.findall(r'getenv\("(MSHARE_\w+)"\)', path.read_text())}


def run_variables(root):
    """Those that `mshare run` reads or sets, and the library's are not."""
    sources = pathlib.Path(root) / "libmshare"
    text = "".join(path.read_text() for path in
                   [*sources.glob("preload/*.h"), *sources.glob("tool/run*.c")])
    return set(re.findall(r'"(MSHARE_\w+)"', text)) - variables(root)


def check_words(root, header, pages):
    """Constants, environment variables and struct members."""
    pages = {key: page for key, page in pages.items() if page.section != "4"}  # check-abi.py
    words = {word for page in pages.values() for word in re.findall(r"\bMSHARE_\w+\b", page.text)}
    environment = variables(root)
    constants = header.constants()
    of_run = run_variables(root)
    explained = set(re.findall(r"^\*(MSHARE_\w+)\*$", pages["mshare.7"].sections["ENVIRONMENT"],
                               re.M))
    complaints = both_ways(constants, "the header", words - environment - of_run, "the man pages")
    complaints += both_ways(of_run, "the sources of mshare run", of_run & set(
        re.findall(r"\bMSHARE_\w+\b", pages["mshare-run.1"].text)), "mshare-run(1)")
    complaints += both_ways(environment, "the library's sources", explained,
                            "ENVIRONMENT of mshare(7)")
    for struct, members in header.structs().items():
        homes = [page for page in pages.values()
                 if re.search(rf"\bstruct {struct}\b", page.text) and
                 all(re.search(rf"(?<!\w)_?{member}_?(?!\w)", page.text) for member in members)]
        if not members or not homes:
            complaints.append(f"struct {struct}: no man page names all of its members")
    return complaints


def check_sweeps(root, header):
    """The unit test that makes every system call fail accepts no errno the header does not have."""
    text = (pathlib.Path(root) / "tests/unit/test-faults.c").read_text()
    accepted = {f"mshare_{call}": contract.errnos(body) for call, body in
                re.findall(r"^static const int (\w+)_errors\[\] = \{([^}]*)\}", text, re.M)}
    complaints = [f"{name}: test-faults.c accepts {each}, the header does not"
                  for name, found in accepted.items() if name in header.calls
                  for each in sorted(found - header.errnos(name))]
    complaints += [f"test-faults.c: {name} is no call" for name in set(accepted) - set(header.calls)]
    return complaints if accepted else ["test-faults.c: lists of errnos are not found"]


def check_device(root, pages):
    """The kernel ABI and its page."""
    text = (pathlib.Path(root) / "include/mshare/abi.h").read_text()
    named = {"MSHARE_CTL_MAGIC"}
    constants = set(re.findall(r"^#define (MSHARE_\w+)", text, re.M)) - named
    words = set(re.findall(r"\bMSHARE_(?:ASK|CREATE|CTL|FEATURE|VIEW)_\w*[A-Z]\b", pages["mshare.4"].text))
    return both_ways(constants, "abi.h", words, "mshare(4)")


def check_references(root, pages):
    """Pages refer to pages that exist. The command's page comes with the command."""
    known = set(pages)
    if not list((pathlib.Path(root) / "libmshare/tool").glob("*.c")):
        known.add("mshare.1")
    return [f"{page.path.name}: refers to {name}, which does not exist"
            for page in pages.values() for name in sorted(page.references() - known)]


def main(root):
    header, symbols, pages = contract.header(root), contract.symbol_map(root), contract.pages(root)
    complaints = check_symbols(header, symbols, pages)
    for page in pages.values():
        if page.section == "3":
            complaints += check_call(header, page)
    complaints += check_words(root, header, pages)
    complaints += check_sweeps(root, header)
    complaints += check_device(root, pages)
    complaints += check_references(root, pages)
    report.finish(complaints, len(header.calls))


if __name__ == "__main__":
    main(sys.argv[1])
