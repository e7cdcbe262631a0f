# SPDX-License-Identifier: MIT
"""The kernels a guest can boot: the distribution's as they are, and debug kernels made from its
sources. A stock kernel's modules stay packed away but for those that a guest uses."""
import dataclasses
import lzma
import pathlib
import re
import shutil
import subprocess

from . import paths

NAMES = ("6.1", "6.12", "debug-6.1", "debug-6.12")

# What the machine consists of, and what tests may ask for. Built in, in some kernels.
USED_MODULES = """virtio_pci virtio_blk virtio_console loop overlay xfs crc32c_generic crc32c_intel
    zram lzo lzo_rle""".split()


@dataclasses.dataclass
class Kernel:
    name: str
    release: str
    image: pathlib.Path
    modules: pathlib.Path | None  # the directory that contains kernel/ and modules.builtin
    parameters: tuple = ()  # more of its command line


def _stock(name):
    paths.fetch(f"kernel-{name}")
    tree = paths.CACHE / f"kernel-{name}"
    release = (tree / "release").read_text().strip()
    return Kernel(name, release, tree / "boot" / f"vmlinuz-{release}",
                  tree / "lib" / "modules" / release)


# While Linux identifies the first processor it forgets for a moment that there are five levels of
# page tables, and an interrupt just then finds KASAN's shadow elsewhere: "wild-memory-access".
DEBUG_PARAMETERS = ("no5lvl",)


def _debug(name):
    done = subprocess.run([paths.HERE / "debug-kernel", name.removeprefix("debug-")], check=False)
    if done.returncode:
        raise paths.Unavailable(f"cannot build {name}")
    tree = paths.WORK / name
    return Kernel(name, (tree / "release").read_text().strip(),
                  tree / "arch" / "x86" / "boot" / "bzImage", None, DEBUG_PARAMETERS)


def find(name):
    return _debug(name) if name.startswith("debug-") else _stock(name)


def _dependencies(kernel):
    """modules.dep of the whole package: path -> paths it needs, itself first."""
    made = paths.WORK / f"dependencies-{kernel.release}"
    if not made.exists():
        depmod = [paths.tool("depmod", "kmod"), "-n", "-b", kernel.modules.parents[2],
                  kernel.release]
        done = subprocess.run(depmod, check=True, capture_output=True, text=True)
        made.write_text("".join(re.findall(r"^\S+\.ko[.\w]*:.*\n", done.stdout, re.MULTILINE)))
    lines = (line.split(":") for line in made.read_text().splitlines())
    return {path: [path, *needs.split()] for path, needs in lines}


def _unpack(source, target):
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.suffix == ".xz":
        target.with_suffix("").write_bytes(lzma.decompress(source.read_bytes()))
    else:
        shutil.copyfile(source, target)


def _name(path):
    return pathlib.Path(path).name.split(".")[0].replace("-", "_")


def _install_used(kernel, target):
    built_in = (kernel.modules / "modules.builtin").read_text().split()
    dependencies = _dependencies(kernel)
    by_name = {_name(path): path for path in dependencies}
    for name in USED_MODULES:
        if name not in by_name and name not in map(_name, built_in):
            raise paths.Unavailable(f"the kernel {kernel.release} has no module {name}")
        for path in dependencies[by_name[name]] if name in by_name else []:
            _unpack(kernel.modules / path, target / path)
    for name in ("modules.builtin", "modules.builtin.modinfo", "modules.order"):
        shutil.copyfile(kernel.modules / name, target / name)


def _built_for(kernel):
    return sorted((paths.WORK / "module" / kernel.release).glob("**/*.ko"))


def install_modules(kernel, root):
    """The used modules, and all that ./module built for this kernel, ready for modprobe."""
    target = root / "lib" / "modules" / kernel.release
    target.mkdir(parents=True)
    if kernel.modules:
        _install_used(kernel, target)
    (target / "updates").mkdir()
    for module in _built_for(kernel):
        shutil.copyfile(module, target / "updates" / module.name)
    subprocess.run([paths.tool("depmod", "kmod"), "-b", root, kernel.release], check=True,
                   stderr=subprocess.DEVNULL if kernel.modules is None else None)


def _build(kernel, *directory):
    done = subprocess.run([paths.HERE / "module", kernel.name, *directory], check=False,
                          stdout=subprocess.DEVNULL)
    if done.returncode:
        raise paths.Broken(f"a module does not build for {kernel.name}")


def build_modules(kernel):
    """The project's module, if its source is there, and those that its tests load themselves: never
    older ones than the sources."""
    if (paths.SOURCE / "kernel-shim" / "module" / "Kbuild").exists():
        _build(kernel)
    for source in (paths.SOURCE / "tests" / "shim").glob("*/Kbuild"):
        _build(kernel, source.parent)
