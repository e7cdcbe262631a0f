# SPDX-License-Identifier: MIT
"""The project in a guest: installed as a user would, with its test programs beside it."""
import json
import os
import pathlib
import shutil
import subprocess

from . import paths

TESTS = pathlib.PurePosixPath("/opt/mshare-tests")  # in the guest


def _introspect(what):
    """What `meson introspect` would tell, as of the last configuration."""
    return json.loads((paths.BUILD / "meson-info" / f"intro-{what}.json").read_text())


def is_built():
    return (paths.BUILD / "build.ninja").exists()


def bring_up_to_date():
    """Not from a test: there meson has just done it, and is still at work in this directory."""
    if not is_built():
        raise paths.Unavailable(f"nothing is built in {paths.BUILD}: make build, or set MSHARE_BUILD")
    if not os.environ.get("MSHARE_GUEST_NO_REBUILD"):
        done = subprocess.run(["ninja", "-C", paths.BUILD], check=False, capture_output=True,
                              text=True)
        if done.returncode:
            raise paths.Broken(f"{paths.BUILD} does not build:\n{done.stdout}")


def tests():
    return _introspect("tests")


def option(name):
    return next(each["value"] for each in _introspect("buildoptions") if each["name"] == name)


def helper():
    return pathlib.PurePosixPath(option("prefix")) / option("libexecdir") / "mshare-host"


def in_guest(path):
    """Where a file of the build or source directory is in the guest; others are where they are."""
    path = pathlib.Path(path)
    if path == paths.BUILD / "libmshare" / "host" / "mshare-host":
        return str(helper())
    for base, place in ((paths.BUILD, TESTS), (paths.SOURCE, TESTS / "source")):
        if path.is_relative_to(base):
            return "/scratch" if path.is_dir() else str(place / path.relative_to(base))
    return str(path)


def _copy(path, root):
    target = root / in_guest(path).lstrip("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(path, target)


def _is_elf(path):
    with open(path, "rb") as file:
        return file.read(4) == b"\x7fELF"


def programs(root):
    return [path for path in root.rglob("*")
            if path.is_file() and not path.is_symlink() and path.suffix != ".ko" and _is_elf(path)]


def install(root):
    subprocess.run(["meson", "install", "-C", paths.BUILD, "--no-rebuild", "--quiet",
                    "--destdir", root], check=True, stdout=subprocess.DEVNULL)
    for archive in root.rglob("libmshare.a"):
        archive.unlink()
    for target in _introspect("targets"):
        if target["type"] == "executable" and not target["installed"]:
            for path in map(pathlib.Path, target["filename"]):
                if path.exists():
                    _copy(path, root)
    for test in tests():
        for word in test["cmd"]:
            path = pathlib.Path(word)
            if path.is_absolute() and path.is_relative_to(paths.SOURCE) and path.is_file():
                _copy(path, root)
    # Names of functions stay, for people who debug in the guest.
    subprocess.run(["strip", "--strip-debug", *programs(root)], check=True)
