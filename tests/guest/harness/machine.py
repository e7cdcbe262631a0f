# SPDX-License-Identifier: MIT
"""QEMU: which one, with which accelerator, and one run of a guest in it."""
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

from . import image, paths

OLDEST_GOOD_QEMU = 10  # 7.2 corrupts Linux 6.12 under TCG
PROBE_SECONDS = 20
PORTS = ("out", "err", "log", "verdict")
# A guest under TCG on a busy machine is slow, which is no reason to complain.
PATIENCE = "no_timer_check rcupdate.rcu_cpu_stall_timeout=120 watchdog_thresh=60 sysctl.kernel.watchdog_thresh=60"
CMDLINE = ("console=ttyS0 loglevel=5 log_buf_len=4M printk.devkmsg=on panic=-1 panic_on_warn=1 "
           f"oops=panic secretmem.enable=1 {PATIENCE} rdinit=/init")
TCG = ["-accel", "tcg,thread=multi", "-cpu", "max"]
KVM = ["-accel", "kvm", "-cpu", "host"]
# How a program ends by a fault of its own. SIGKILL comes from others, and says nothing of QEMU.
BOOT_PATIENCE = 300  # seconds until a guest whose init has not begun hangs; a busy machine takes 60
FAULTS = (signal.SIGABRT, signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE)


class Qemu:
    """The system's if it is good, else one that was fetched, with its libraries."""

    def __init__(self):
        system = shutil.which("qemu-system-x86_64")
        self.environment = dict(os.environ)
        self.options = []
        if system and self._major(system) >= OLDEST_GOOD_QEMU:
            self.program = system
            return
        paths.fetch("qemu")
        tree = paths.CACHE / "qemu"
        libraries = [tree / "usr/lib/x86_64-linux-gnu", tree / "lib/x86_64-linux-gnu"]
        self.program = str(tree / "usr/bin/qemu-system-x86_64")
        self.environment["LD_LIBRARY_PATH"] = ":".join(map(str, libraries))
        for data in ("qemu", "seabios"):
            self.options += ["-L", str(tree / "usr/share" / data)]

    @staticmethod
    def _major(program):
        done = subprocess.run([program, "--version"], check=False, capture_output=True, text=True)
        found = re.search(r"version (\d+)\.", done.stdout)
        return int(found.group(1)) if found else 0

    def start(self, *options, **keywords):
        """Dies with us, also when we are killed."""
        base = ["-nodefaults", "-no-user-config", "-no-reboot", "-display", "none",
                "-machine", "q35"]
        command = ["setpriv", "--pdeathsig", "KILL", self.program, *self.options, *base, *options]
        return subprocess.Popen(list(map(str, command)), env=self.environment, **keywords)


def _boots_with_kvm(qemu, kernel):
    with tempfile.TemporaryDirectory(prefix="kvm-", dir=paths.WORK) as scratch:
        directory = pathlib.Path(scratch)
        initramfs = image.build_probe(directory)
        process = qemu.start(*KVM, "-smp", "2", "-m", "512M", "-kernel", kernel.image,
                             "-initrd", initramfs, "-append", CMDLINE,
                             "-serial", f"file:{directory}/console",
                             stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            process.wait(PROBE_SECONDS)
        except subprocess.TimeoutExpired:
            pass
        finally:
            process.kill()
            process.wait()
        console = directory / "console"
        return console.exists() and "the guest is up" in console.read_text(errors="replace")


def nodes(count, memory):
    """Options for QEMU: memory in equal parts, processors in turn."""
    if count == 1:
        return []
    found = re.fullmatch(r"(\d+)([MG])", memory)
    if not found:
        raise paths.Unavailable(f"{memory} is not divided into nodes: a number with M or G is wanted")
    mib = int(found.group(1)) * {"M": 1, "G": 1024}[found.group(2)] // count
    options = []
    for node in range(count):
        options += ["-object", f"memory-backend-ram,id=node{node},size={mib}M",
                    "-numa", f"node,nodeid={node},memdev=node{node}"]
    return options


def accelerator(qemu, kernel):
    """Options for QEMU. KVM where this kernel really boots with it, found once for each boot of
    this machine: /dev/kvm alone says little."""
    forced = os.environ.get("MSHARE_GUEST_ACCEL")
    if forced:
        return {"kvm": KVM, "tcg": TCG}[forced]
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return TCG
    boot = pathlib.Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    answer = paths.WORK / f"accelerator-{kernel.release}"
    if not answer.exists() or not answer.read_text().startswith(boot):
        found = "kvm" if _boots_with_kvm(qemu, kernel) else "tcg"
        answer.write_text(f"{boot} {found}\n")
    return KVM if answer.read_text().split()[1] == "kvm" else TCG


def _file(path):
    return str(path).replace(",", ",,")


def disk(path, serial, readonly=False):
    return ["-drive", f"if=none,id={serial},format=raw,cache=unsafe,file={_file(path)}"
            + (",readonly=on" if readonly else ""),
            "-device", f"virtio-blk-pci,drive={serial},serial={serial}"]


def _left(end):
    return None if end is None else max(0, end - time.monotonic())


class Guest:
    """One run. Output of the command is copied as it comes; the rest is in files of `directory`.

    With `again` a guest whose QEMU ended by a fault of its own, or that has not come to its init
    after `patience` seconds (an emulated processor may lose its timer), is booted once more, unless
    its init had begun: nothing of the project has run until then, and no disk is mounted. That init
    says so is the first thing in the verdict."""

    def __init__(self, qemu, directory, options, interactive, again=False, patience=BOOT_PATIENCE):
        self.qemu, self.directory, self.options = qemu, directory, options
        self.interactive, self.again, self.patience = interactive, again, patience
        self.console = directory / "console"
        self.kernel_log = directory / "log"
        self.verdict = directory / "verdict"
        self.said_by_qemu = directory / "qemu"
        self.said_by_qemu.write_bytes(b"")
        self._boot()

    def _boot(self):
        self.copiers = []
        self.inherited = []
        ports = ["-device", "virtio-serial-pci",
                 "-chardev", f"file,id=console,path={_file(self.console)}",
                 "-serial", "chardev:console"]
        if self.interactive:
            ports += ["-chardev", "stdio,id=tty,signal=off", "-device", "virtconsole,chardev=tty"]
        for name in PORTS:
            ports += self._port(name, self.directory)
        with open(self.said_by_qemu, "ab") as said:
            self.process = self.qemu.start(*self.options, *ports, pass_fds=self.inherited,
                                           stdin=None if self.interactive else subprocess.DEVNULL,
                                           stderr=said)
        for descriptor in self.inherited:
            os.close(descriptor)

    def _port(self, name, directory):
        path = directory / name
        if name in ("out", "err"):
            reader, writer = os.pipe()
            self.inherited.append(writer)
            self._copy(reader, 1 if name == "out" else 2)
            path = f"/proc/self/fd/{writer}"
        return ["-chardev", f"file,id={name},path={_file(path)}",
                "-device", f"virtserialport,chardev={name},name={name}"]

    def _copy(self, reader, target):
        def copy():
            while data := os.read(reader, 1 << 16):
                while data:
                    data = data[os.write(target, data):]
            os.close(reader)

        copier = threading.Thread(target=copy, daemon=True)
        copier.start()
        self.copiers.append(copier)

    def _has_begun(self):
        return self.verdict.exists() and self.verdict.stat().st_size > 0

    def _comes_to_init(self, end):
        """False if neither that nor QEMU's end is seen in time."""
        until = time.monotonic() + self.patience
        while time.monotonic() < min(until, until if end is None else end):
            if self._has_begun():
                return True
            try:
                self.process.wait(1)
                return True
            except subprocess.TimeoutExpired:
                pass
        return end is not None and time.monotonic() >= end

    def _boot_again(self, reason, path):
        lines = path.read_text(errors="replace").splitlines() if path.exists() else []
        print(f"guest: {reason} before the guest's init began, and it is started ONCE MORE. "
              f"The last line of it: {lines[-1] if lines else 'nothing'}",
              file=sys.stderr, flush=True)
        self.stop()
        self._boot()

    def _give_second_chance(self, end):
        """Returns when QEMU has ended or has had it."""
        if not self._comes_to_init(end):
            self._boot_again(f"IT HUNG FOR {self.patience} SECONDS", self.console)
            return
        self.process.wait(_left(end))
        if -self.process.returncode in FAULTS and not self._has_begun():
            fault = signal.Signals(-self.process.returncode).name
            self._boot_again(f"QEMU ITSELF ENDED BY {fault}", self.said_by_qemu)

    def wait(self, seconds):
        """True unless the time ran out, and the guest was stopped for it."""
        end = None if seconds is None else time.monotonic() + seconds
        try:
            if self.again:
                self._give_second_chance(end)
            self.process.wait(_left(end))
            return True
        except subprocess.TimeoutExpired:
            return False
        finally:
            self.stop()

    def stop(self):
        self.process.kill()
        self.process.wait()
        for copier in self.copiers:
            copier.join(10)
