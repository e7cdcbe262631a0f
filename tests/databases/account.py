# SPDX-License-Identifier: MIT
"""Who servers run as: database servers refuse to be root."""
import fcntl
import os
import pathlib
import pwd
import shutil
import subprocess
import tempfile


def take_turns(path):
    """One test at a time on this machine, whoever runs it: what one leaves behind is told by its
    user. The lock is on the program itself, and is given back when the returned file is closed."""
    lock = open(path, "rb")
    fcntl.flock(lock, fcntl.LOCK_EX)
    return lock


def program(name):
    """A path, or a name that is looked for. Absolute, since servers start elsewhere."""
    found = shutil.which(name)
    return os.path.abspath(found) if found else name


class Account:
    """The caller, or where that is root, the first of these users that exists."""

    def __init__(self, *preferred):
        self.switches = os.geteuid() == 0
        name = self._first(*preferred, "nobody") if self.switches else None
        user = pwd.getpwnam(name) if name else pwd.getpwuid(os.geteuid())
        self.name, self.uid, self.gid = user.pw_name, user.pw_uid, user.pw_gid

    @staticmethod
    def _first(*names):
        return next(name for name in names if name in {user.pw_name for user in pwd.getpwall()})

    def _identity(self):
        if not self.switches:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def start(self, command, **keywords):
        return subprocess.Popen(list(map(str, command)), **self._identity(), **keywords)

    def run(self, command, **keywords):
        return subprocess.run(list(map(str, command)), check=False, **self._identity(), **keywords)

    def can_execute(self, path):
        return self.run(["test", "-x", path]).returncode == 0

    def make_directory(self, label):
        """Short, since the paths of Unix sockets may have 107 bytes only."""
        directory = pathlib.Path(tempfile.mkdtemp(prefix=f"{label}-", dir="/tmp"))
        os.chown(directory, self.uid, self.gid)
        return directory

    @staticmethod
    def remove_directory(directory):
        shutil.rmtree(directory, ignore_errors=True)
