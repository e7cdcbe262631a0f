# SPDX-License-Identifier: MIT
"""The guest's root file system: an initramfs of busybox, the installed project, and the libraries
that its programs are linked with, all from this machine."""
import re
import shlex
import shutil
import subprocess

from . import kernels, paths, project

DIRECTORIES = """usr/bin usr/sbin usr/lib usr/lib64 usr/libexec etc proc sys dev tmp run var/tmp root
    home share scratch scratch-xfs guest""".split()
MERGED = ("bin", "sbin", "lib", "lib64")
# What tests/lib/with-hugepages and tests/save/test-full.c need.
TOOLS = {"bin/bash": "bash", "bin/flock": "util-linux", "sbin/mke2fs": "e2fsprogs"}
OPTIONAL_TOOLS = ("strace",)
ACCOUNTS = "root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000:user:/tmp:/bin/sh\n" \
           "other:x:1001:1001:other:/tmp:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n"
GROUPS = "root:x:0:\nuser:x:1000:\nother:x:1001:\nnogroup:x:65534:\n"


def _busybox(root):
    path = paths.tool("busybox", "busybox-static")
    if subprocess.run(["ldd", path], check=False, capture_output=True).returncode == 0:
        raise paths.Unavailable("busybox needs libraries here: apt-get install busybox-static")
    shutil.copy(path, root / "usr" / "bin" / "busybox")
    (root / "usr" / "bin" / "sh").symlink_to("busybox")
    (root / "usr" / "sbin" / "modprobe").symlink_to("../bin/busybox")  # the kernel calls it there


def _skeleton(root):
    for directory in DIRECTORIES:
        (root / directory).mkdir(parents=True)
    for name in MERGED:
        (root / name).symlink_to(f"usr/{name}")
    (root / "etc" / "passwd").write_text(ACCOUNTS)
    (root / "etc" / "group").write_text(GROUPS)
    (root / "etc" / "hosts").write_text("127.0.0.1 localhost\n")
    _busybox(root)


def _tools(root):
    for name, package in TOOLS.items():
        target = root / "usr" / name
        target.unlink(missing_ok=True)
        shutil.copy(paths.tool(target.name, package), target)
    for path in filter(None, map(shutil.which, OPTIONAL_TOOLS)):
        shutil.copy(path, root / "usr" / "bin")


def _libraries(root):
    """What the dynamic linker of this machine finds for the programs, and what threads load late."""
    done = subprocess.run(["ldd", *project.programs(root)], check=False, capture_output=True,
                          text=True)
    found = set(re.findall(r"(?:=> |^\t)(/\S+) \(0x", done.stdout, re.MULTILINE))
    late = subprocess.run(["gcc", "-print-file-name=libgcc_s.so.1"], check=False,
                          capture_output=True, text=True).stdout.strip()
    for path in sorted(found | ({late} if late.startswith("/") else set())):
        target = root / path.lstrip("/")
        if paths.BUILD.as_posix() in path or target.exists():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)


def _linker_cache(root):
    directories = {path.parent.relative_to(root) for path in root.rglob("lib*.so*")}
    (root / "etc" / "ld.so.conf").write_text("".join(f"/{each}\n" for each in sorted(directories)))
    subprocess.run([paths.tool("ldconfig", "libc-bin"), "-X", "-r", root], check=True)


def _inside(root):
    for path in [*(paths.HERE / "inside").iterdir(), paths.HERE / "check-log",
                 paths.HERE / "complaints"]:
        shutil.copy(path, root / "guest")
    (root / "init").symlink_to("guest/init")


def _pack(root, target):
    """All files belong to root, whoever built them."""
    with open(target, "wb") as packed:
        names = subprocess.Popen(["find", ".", "-print0"], cwd=root, stdout=subprocess.PIPE)
        subprocess.run(["busybox", "cpio", "-0", "-o", "-H", "newc", "-R", "0:0"], cwd=root,
                       stdin=names.stdout, stdout=packed, stderr=subprocess.DEVNULL, check=True)
        names.wait()


def build(kernel, command, files, directory):
    """command: to be run, or None for a shell; files: name -> text, put into /guest."""
    root = directory / "root"
    _skeleton(root)
    _tools(root)
    project.install(root)
    kernels.install_modules(kernel, root)
    _libraries(root)
    _linker_cache(root)
    _inside(root)
    for name, text in files.items():
        (root / "guest" / name).write_text(text)
    if command:
        (root / "guest" / "command").write_text(f"exec {shlex.join(command)}\n")
    _pack(root, directory / "initramfs")
    shutil.rmtree(root)
    return directory / "initramfs"


def build_probe(directory):
    """The smallest thing that shows that a kernel comes up and runs programs."""
    root = directory / "root"
    _skeleton(root)
    (root / "init").write_text("#!/bin/sh\necho the guest is up\nbusybox reboot -f\n")
    (root / "init").chmod(0o755)
    _pack(root, directory / "initramfs")
    shutil.rmtree(root)
    return directory / "initramfs"
