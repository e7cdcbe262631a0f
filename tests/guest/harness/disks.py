# SPDX-License-Identifier: MIT
"""Disks of a guest, as sparse files: a directory to be shown read-only, and room on real file
systems. None of it needs root."""
import os
import subprocess

from . import paths

SCRATCH_SIZE = 1 << 30
SLACK = 16 << 20
BLOCK = 4096
BLOCK_GROUP = BLOCK * 8 * BLOCK  # bytes: one block of bits for its blocks


def _sparse(path, size):
    with open(path, "wb") as file:
        file.truncate(size)
    return path


def _ext4(path, size, *options):
    _sparse(path, size)
    subprocess.run([paths.tool("mke2fs", "e2fsprogs"), "-q", "-t", "ext4", "-F", *options, path],
                   check=True)
    return path


def _room_for(directory):
    """Bytes and inodes; each file is rounded up to a block."""
    size, count = 0, 1
    for parent, directories, files in os.walk(directory):
        count += len(directories) + len(files)  # links to directories are not walked into
        for name in files:
            try:
                size += os.lstat(os.path.join(parent, name)).st_size + BLOCK
            except FileNotFoundError:
                continue
    return size + size // 8 + count * 512 + SLACK, count + 64


def shared(source, path):
    """Whole groups: of a small rest mke2fs makes none, and the inodes meant for it are missing. In
    each group it rounds their number down to a multiple of eight."""
    size, inodes = _room_for(source)
    groups = -(-size // BLOCK_GROUP)
    return _ext4(path, groups * BLOCK_GROUP, "-b", str(BLOCK), "-N", str(inodes + 8 * groups),
                 "-d", source, "-m", "0", "-O", "^has_journal")


def empty(path, size):
    return _sparse(path, size)


def scratch_ext4(path):
    return _ext4(path, SCRATCH_SIZE, "-E", "lazy_itable_init=1,nodiscard")


def scratch_xfs(path):
    _sparse(path, SCRATCH_SIZE)
    subprocess.run([paths.tool("mkfs.xfs", "xfsprogs"), "-q", path], check=True)
    return path
