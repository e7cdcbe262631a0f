# SPDX-License-Identifier: MIT
"""What shared memory of one user there is on this machine, wherever it may be: to be compared
before and after."""
import json
import os
import pathlib
import time

import mappings

PATIENCE = 60  # seconds: mshare-host looks for users from time to time, then leaves
QUIET = 4  # without a change


def _system_v(uid):
    lines = pathlib.Path("/proc/sysvipc/shm").read_text().splitlines()
    columns = lines[0].split()
    rows = (dict(zip(columns, line.split())) for line in lines[1:])
    return {f"System V segment {row['shmid']} of {row['size']} bytes, {row['nattch']} attached"
            for row in rows if int(row["uid"]) == uid}


def _mounts():
    for line in pathlib.Path("/proc/mounts").read_text().splitlines():
        _, place, kind, *_ = line.split()
        if kind == "hugetlbfs" or place == "/dev/shm":
            yield pathlib.Path(place)


def _files(uid):
    found = set()
    for mount in _mounts():
        for directory, _, names in os.walk(mount):
            found |= {f"file {directory}/{name}" for name in names
                      if _owner(pathlib.Path(directory, name)) == uid}
    return found


def _owner(path):
    try:
        return path.lstat().st_uid
    except OSError:
        return None


def _open_memory(process):
    """Memfds that a process has open or mapped."""
    names = {line.split(None, 5)[-1] for line in (process / "maps").read_text().splitlines()
             if "/memfd:" in line}
    names |= {link for link in map(os.readlink, (process / "fd").iterdir()) if "/memfd:" in link}
    return names


def _processes(uid):
    """Who holds memfds, and the helpers of the library."""
    found = set()
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            name = (process / "comm").read_text().strip()
            if process.stat().st_uid != uid and _real_owner(process) != uid:
                continue
            found |= {f"{memory} in {name} ({process.name})" for memory in _open_memory(process)}
            if name == "mshare-host":
                found.add(f"mshare-host ({process.name})")
        except OSError:  # it has ended meanwhile
            continue
    return found


def _real_owner(process):
    """/proc/PID belongs to root where a process is not dumpable."""
    for line in (process / "status").read_text().splitlines():
        if line.startswith("Uid:"):
            return int(line.split()[1])
    return None


def _regions(account, mshare):
    done = account.run([mshare, "list", "--json"], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"mshare list ended with {done.returncode}: {done.stderr}")
    return {f"region {each['name']} of {each['owner']}" for each in json.loads(done.stdout)
            if each["owner"] == account.name}


def _huge_pages():
    """In use or promised. Nobody else uses any where the caller has seen to that."""
    if "MSHARE_TEST_HUGEPAGES" not in os.environ:
        return set()
    total, free, promised = map(mappings.meminfo,
                                ("HugePages_Total", "HugePages_Free", "HugePages_Rsvd"))
    used = total - free + promised
    return {f"{used} huge pages in use"}


def inventory(account, mshare=None):
    found = _system_v(account.uid) | _files(account.uid) | _processes(account.uid) | _huge_pages()
    return found | (_regions(account, mshare) if mshare else set())


def settled(before, account):
    """What is there now beside that, once helpers have had the time to come and to leave."""
    deadline = time.monotonic() + PATIENCE
    last, since = None, time.monotonic()
    while time.monotonic() < deadline and time.monotonic() - since < QUIET:
        now = inventory(account) - before
        if now != last:
            last, since = now, time.monotonic()
        time.sleep(0.5)
    return last


def left_behind(before, account, mshare=None):
    """What was not there before, once helpers have had the time to leave."""
    deadline = time.monotonic() + PATIENCE
    while True:
        more = inventory(account, mshare) - before
        if not more or time.monotonic() > deadline:
            return more
        time.sleep(0.5)
