# SPDX-License-Identifier: MIT
"""A directory with the database programs of this machine and a Python, for guests, which have
neither: to be seen there as /share, and laid over the guest's own files by its program `enter`."""
import pathlib
import re
import shutil
import subprocess
import sys

import postgres
import squid

HERE = pathlib.Path(__file__).resolve().parent
PYTHON = pathlib.Path("/usr/bin/python3")
# Parts of Python's library that nothing here imports, and that are half of it.
LEFT_OUT = ("test", "tests", "idlelib", "tkinter", "lib2to3", "pydoc_data", "ensurepip",
            "dist-packages", "site-packages", "turtledemo", "config-*")
SCRIPTS = "databases"


class Missing(Exception):
    """The text says what this machine lacks."""


def _copy(path, tree, ignore=()):
    path = pathlib.Path(path)
    target = tree / str(path).lstrip("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir():
        shutil.copytree(path, target, symlinks=False, ignore=shutil.ignore_patterns(*ignore),
                        ignore_dangling_symlinks=True, dirs_exist_ok=True)
    else:
        shutil.copy(path, target)


def _python(tree):
    if not PYTHON.exists():
        raise Missing("python3 is not installed: apt-get install python3")
    asked = subprocess.run([PYTHON, "-c", "import sysconfig; print(sysconfig.get_path('stdlib'))"],
                           check=True, capture_output=True, text=True)
    _copy(PYTHON, tree)
    _copy(asked.stdout.strip(), tree, LEFT_OUT)


def _is_elf(path):
    with open(path, "rb") as file:
        return file.read(4) == b"\x7fELF"


def _libraries(tree):
    programs = [path for path in tree.rglob("*") if path.is_file() and _is_elf(path)]
    done = subprocess.run(["ldd", *programs], check=False, capture_output=True, text=True)
    for path in set(re.findall(r"(?:=> |^\t)(/\S+) \(0x", done.stdout, re.MULTILINE)):
        if not pathlib.Path(path).is_relative_to(tree):
            _copy(path, tree)


def _scripts(tree):
    target = tree / SCRIPTS
    target.mkdir()
    for path in [*HERE.glob("*.py"), *(HERE.parent / "bench").glob("postgres*.py")]:
        shutil.copy(path, target)
    shutil.copy(HERE / "enter", tree)


def squid_files():
    program = squid.find_program()
    if not program:
        raise Missing("Squid is not installed: .ci/install-deps databases")
    return [program, "/usr/lib/squid", "/usr/share/squid", "/etc/squid"]


def make(tree, programs, extra=()):
    """programs: PostgreSQL's directory; extra: other files and directories of this machine."""
    shutil.rmtree(tree, ignore_errors=True)
    tree.mkdir(parents=True)
    shared = pathlib.Path("/usr/share/postgresql", programs.parent.name)
    for path in [programs.parent / "bin", programs.parent / "lib", shared, "/usr/share/zoneinfo",
                 *extra]:
        _copy(path, tree, ("bitcode", "llvmjit*", "locale", "man"))
    _python(tree)
    _libraries(tree)
    _scripts(tree)
    return tree


def main():
    """For people who want to look around: guest_tree.py DIRECTORY, then tests/guest/run --share."""
    make(pathlib.Path(sys.argv[1]), postgres.find_programs())


if __name__ == "__main__":
    main()
