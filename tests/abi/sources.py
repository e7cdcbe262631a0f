# SPDX-License-Identifier: MIT
"""Rules for source text: licence, length, and what a published file must not name."""
import ast
import re

MAX_FUNCTION = 60
MAX_FILE = 400
MAX_COLUMNS = 100
TAB = 8
# Text for people, licences, drawings and what git and editors read.
NO_LICENCE_LINE = re.compile(r"(^|/)(LICENSE|\.gitignore|\.editorconfig)$|\.(md|svg)$")
HOME = re.compile(r"(?<![\w.$}*-])/(?:home|root|Users|work)/\w")
# Put together here, so that this file does not name them either.
REGISTRIES = re.compile("|".join(re.escape(".".join(words)) for words in (
    ("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"), ("yarnpkg", "com"),
    ("crates", "io"), ("rubygems", "org"), ("golang", "org/x"), ("anaconda", "org"),
    ("maven", "org"), ("docker", "io"), ("ghcr", "io"), ("quay", "io"), ("deb", "debian", "org"),
    ("archive", "ubuntu", "com"), ("security", "debian", "org"), ("ftp", "debian", "org"))))


def check_licence(path, text):
    if NO_LICENCE_LINE.search(path):
        return []
    if any("SPDX-License-Identifier:" in line for line in text.splitlines()[:5]):
        return []
    return [f"{path}: no SPDX-License-Identifier in the first lines"]


def check_names(path, text):
    complaints = []
    for number, line in enumerate(text.splitlines(), 1):
        if HOME.search(line):
            complaints.append(f"{path}:{number}: names a path of somebody's machine")
        if REGISTRIES.search(line):
            complaints.append(f"{path}:{number}: names a package registry's host")
    return complaints


def c_functions(text):
    """Line and length of each function: in this style its braces stand alone in column 0."""
    start = None
    for number, line in enumerate(text.splitlines(), 1):
        if line == "{":
            start = number
        elif line == "}" and start:
            yield start, number - start - 1
            start = None


def python_functions(text):
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.lineno, node.end_lineno - node.lineno


def shell_functions(text):
    start = None
    for number, line in enumerate(text.splitlines(), 1):
        if re.match(r"\w+\s*\(\)\s*\{$", line):
            start = number
        elif line == "}" and start:
            yield start, number - start - 1
            start = None


def functions(path, text):
    first = text.split("\n", 1)[0]
    if path.endswith((".c", ".h", ".cpp")):
        return list(c_functions(text))
    if path.endswith(".py") or re.match(r"#!.*\bpython3?$", first):
        return list(python_functions(text))
    if path.endswith(".sh") or re.match(r"#!.*\b(ba|da)?sh\b", first):
        return list(shell_functions(text))
    return []


def check_length(path, text):
    lines = text.count("\n")
    complaints = [f"{path}:{line}: a function of {length} lines, {MAX_FUNCTION} are allowed"
                  for line, length in functions(path, text) if length > MAX_FUNCTION]
    if path.endswith((".c", ".h")) and lines > MAX_FILE:
        complaints.append(f"{path}: {lines} lines, {MAX_FILE} are allowed")
    return complaints


def check_comments(path, text):
    """clang-format keeps code within the columns; it would fill up the tables in comments."""
    if not path.endswith((".c", ".h")):
        return []
    return [f"{path}:{number}: a comment beyond column {MAX_COLUMNS}"
            for number, line in enumerate(text.splitlines(), 1)
            if re.match(r"\s*(/\*| \*)", line) and len(line.expandtabs(TAB)) > MAX_COLUMNS]


def check(path, text):
    return (check_licence(path, text) + check_names(path, text) + check_length(path, text) +
            check_comments(path, text))
