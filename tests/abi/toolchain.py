# SPDX-License-Identifier: MIT
"""The compiler that the project is built with, for checks that compile something themselves."""
import os
import shlex
import subprocess


class Compiler:
    """A command line from the environment: CC or CXX, as Meson uses it, and flags for all files."""

    def __init__(self, variable, include):
        self.command = shlex.split(os.environ[variable])
        self.flags = shlex.split(os.environ.get("ABI_FLAGS", "")) + ["-I", str(include)]

    def run(self, *args):
        """Empty if the compiler is content, else what it says."""
        done = subprocess.run([*self.command, *self.flags, *map(str, args)], text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        if done.returncode == 0:
            return ""
        return done.stdout or f"exit status {done.returncode}"


def link_flags(library):
    """Links against a shared library where it lies, and finds it there at run time."""
    folder = os.path.dirname(os.path.abspath(library))
    return [library, f"-Wl,-rpath,{folder}"]


def output(*command):
    return subprocess.run([str(word) for word in command], text=True, stdout=subprocess.PIPE,
                          check=True).stdout
