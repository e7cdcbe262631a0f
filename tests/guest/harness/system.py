# SPDX-License-Identifier: MIT
"""A whole Debian with the project installed, which checks itself in two boots under systemd."""
import argparse
import dataclasses
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

from . import disks, machine, paths

CANNOT_RUN = 125
BOOTS = 2
CMDLINE = ("root=/dev/vda rw console=ttyS0 loglevel=5 log_buf_len=4M panic=-1 panic_on_warn=1 "
           f"oops=panic net.ifnames=0 {machine.PATIENCE}")
SHOWN_LINES = 40


@dataclasses.dataclass
class Trial:
    name: str  # of its logs
    base: str  # what tests/guest/fetch calls the system
    check: str  # in tests/guest/debian
    setup: list  # options of meson
    files: list = dataclasses.field(default_factory=list)  # what the check wants beside it


def build(directory, options):
    """The project as it is installed, but for what a system without tests does not have."""
    setup = ["meson", "setup", "--wrap-mode=nofallback", "-Dtests=false", "-Dexamples=false",
             *options, directory, paths.SOURCE]
    for command in (setup, ["ninja", "-C", directory]):
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode:
            raise paths.Unavailable(f"the project does not build:\n{done.stdout}{done.stderr}")
    return directory


def make_system(directory, trial):
    """A disk, and the kernel and initramfs that are installed on it."""
    paths.fetch(trial.base)
    owner = [] if os.geteuid() == 0 else [paths.tool("fakeroot", "fakeroot")]
    disk = disks.empty(directory / "disk", 4 << 30)
    subprocess.run([*owner, paths.HERE / "debian" / "make-system", paths.CACHE / trial.base,
                    build(directory / "build", trial.setup), disk, directory, trial.check,
                    *trial.files], check=True)
    return disk, directory / "vmlinuz", directory / "initrd.img"


def tail(path):
    if path.exists():
        for line in path.read_text(errors="replace").splitlines()[-SHOWN_LINES:]:
            print(f"# {line}")


def complaints(*logs):
    found = []
    for log in filter(pathlib.Path.exists, logs):
        done = subprocess.run([paths.HERE / "check-log", log], check=False, capture_output=True,
                              text=True, errors="replace")
        found += done.stdout.splitlines() or ([done.stderr] if done.returncode else [])
    return found


def judge(guest, name, in_time):
    """Whether this boot went well: the verdict is the last thing a system writes."""
    verdict = guest.verdict.read_text() if guest.verdict.exists() else ""
    found = complaints(guest.console, guest.kernel_log)
    for line in found:
        print(f"# the kernel complained: {line}")
    if verdict not in ("good\n", "bad\n"):
        print(f"# {name} ended without a verdict" if in_time else f"# {name} hangs")
        tail(guest.console)
    good = verdict == "good\n" and not found
    print(f"{'ok' if good else 'not ok'} - {name}", flush=True)
    return good


def boot(name, qemu, system, place, timeout):
    disk, kernel, initrd = system
    place.mkdir()
    # No KVM: whether that works was found out for other kernels than this one.
    options = [*machine.TCG, "-smp", "2", "-m", "2G", "-kernel", kernel, "-initrd", initrd,
               "-append", CMDLINE, *machine.disk(disk, "system")]
    guest = machine.Guest(qemu, place, options, False)
    try:
        return judge(guest, name, guest.wait(timeout))
    finally:
        guest.stop()
        kept = paths.WORK / "log" / name
        shutil.rmtree(kept, ignore_errors=True)
        shutil.copytree(place, kept)


def run(trial, timeout):
    paths.WORK.mkdir(parents=True, exist_ok=True)
    qemu = machine.Qemu()
    with tempfile.TemporaryDirectory(prefix=f"run-{os.getpid()}-", dir=paths.WORK) as scratch:
        directory = pathlib.Path(scratch)
        system = make_system(directory, trial)
        good = all(boot(f"{trial.name}-{number}", qemu, system, directory / f"boot-{number}",
                        timeout)
                   for number in range(1, BOOTS + 1))
    print("1.." + str(BOOTS), flush=True)
    return 0 if good else 1


def main(usage, trial):
    parser = argparse.ArgumentParser(description=usage,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--timeout", type=int, default=3600, help="seconds for each boot (3600)")
    try:
        return run(trial, parser.parse_args().timeout)
    except paths.Unavailable as missing:
        print(f"{pathlib.Path(sys.argv[0]).name}: {missing}", file=sys.stderr)
        return CANNOT_RUN
