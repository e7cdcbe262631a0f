# SPDX-License-Identifier: MIT
"""Where things are. What was downloaded is in CACHE, which is only read once it is filled; what is
made from it is in WORK; the project to be tested was built in BUILD."""
import contextlib
import fcntl
import os
import pathlib
import shutil
import subprocess

SOURCE = pathlib.Path(__file__).resolve().parents[3]
HERE = SOURCE / "tests" / "guest"


def _from_environment(name, default):
    return pathlib.Path(os.environ.get(name) or default).absolute()


BUILD = _from_environment("MSHARE_BUILD", SOURCE / "build")
CACHE = _from_environment("MSHARE_GUEST_CACHE", SOURCE / "build" / "guest")
WORK = _from_environment("MSHARE_GUEST_WORK", SOURCE / "build" / "guest")

# Administrators' programs are not on everybody's path.
os.environ["PATH"] += ":/usr/sbin:/sbin"


class Unavailable(Exception):
    """This machine cannot run the guest, or not yet: the sentence says what is missing."""


class Broken(Exception):
    """The project does not build: nothing to be skipped over."""


@contextlib.contextmanager
def alone():
    """What is in CACHE and WORK for all guests is made by one at a time."""
    WORK.mkdir(parents=True, exist_ok=True)
    with open(WORK / "lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def tool(name, package):
    path = shutil.which(name)
    if not path:
        raise Unavailable(f"{name} is not installed: apt-get install {package}")
    return path


def fetch(*what):
    done = subprocess.run([HERE / "fetch", CACHE, *what], check=False, stdout=subprocess.DEVNULL)
    if done.returncode:
        raise Unavailable(f"cannot fetch {' '.join(what)}")
