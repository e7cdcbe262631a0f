# SPDX-License-Identifier: MIT
"""with-hugepages leaves the pool as it was, whatever becomes of the command and of itself."""
import fcntl
import mmap
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

RUNNER = sys.argv[1]
MFD_HUGETLB = 4
PAGES = 6
MEMINFO = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
KILOBYTES = int(MEMINFO.get("Hugepagesize", "0 kB").split()[0])
POOL = Path(f"/sys/kernel/mm/hugepages/hugepages-{KILOBYTES}kB")


def count(name):
    return int((POOL / name).read_text())


def permanent():
    """Pages of the pool while no run has the lock on it."""
    with (POOL / "nr_hugepages").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return count("nr_hugepages") - count("surplus_hugepages")


def hold(pages):
    """Uses pages until it is killed."""
    size = pages * KILOBYTES * 1024
    fd = os.memfd_create("hold", MFD_HUGETLB)
    os.ftruncate(fd, size)
    memory = mmap.mmap(fd, size)
    memory[:] = bytes(size)
    print(os.getpid(), flush=True)
    signal.pause()


def start(*command):
    return subprocess.Popen([RUNNER, str(PAGES), *command], stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, text=True, start_new_session=True)


def run(*command):
    return subprocess.run([RUNNER, str(PAGES), *command], check=False).returncode


def status_is_the_commands():
    assert run("sh", "-c", "exit 0") == 0
    assert run("sh", "-c", "exit 3") == 3


def pages_are_there():
    assert run("sh", "-c", f'test "$(cat {POOL}/free_hugepages)" -ge {PAGES}') == 0


def killed():
    """As by a test runner that has waited long enough: the whole session, at once."""
    runner = start("sh", "-c", "echo ready; read line")
    assert runner.stdout.readline() == "ready\n"
    os.killpg(runner.pid, signal.SIGKILL)
    runner.wait()


PRIVATELY = ["unshare", "--mount", "--propagation", "private"]


def can_mount_privately():
    done = subprocess.run([*PRIVATELY, "true"], check=False, stderr=subprocess.DEVNULL)
    return done.returncode == 0


def no_other_hugetlbfs():
    """COMMAND sees its own mount alone; that of the machine stays where it is."""
    mounts = '"$(awk \'$3 == "hugetlbfs" { print $2 }\' /proc/mounts)"'
    only_own = f'test {mounts} = "$MSHARE_TEST_HUGETLBFS"'
    with tempfile.TemporaryDirectory() as other:
        done = subprocess.run(
            [*PRIVATELY, "sh", "-c",
             'mount -t hugetlbfs none "$1" && "$2" "$3" sh -c "$4" && mountpoint "$1"',
             "sh", other, RUNNER, str(PAGES), only_own], check=False, stdout=subprocess.DEVNULL)
    assert done.returncode == 0


def page_users_that_stay():
    """Their pages turn into surplus ones at the end of the first run, during the second as well."""
    first = start("sh", "-c", f"{sys.executable} {__file__} {RUNNER} --hold {PAGES} & read line")
    user = int(first.stdout.readline())
    first.stdin.write("\n")
    first.stdin.close()
    first.wait()
    second = start("sh", "-c", "echo ready; read line")
    assert second.stdout.readline() == "ready\n"
    os.kill(user, signal.SIGKILL)
    second.communicate("\n")


def main():
    if not KILOBYTES or not os.access(POOL / "nr_hugepages", os.W_OK) or os.geteuid():
        print("skip: the pool cannot be changed (root may)")
        return 77
    cases = [status_is_the_commands, pages_are_there, killed, page_users_that_stay]
    if can_mount_privately():
        cases.append(no_other_hugetlbfs)
    for case in cases:
        before = permanent()
        case()
        after = permanent()
        print(f"{case.__name__}: {before} pages before, {after} after")
        assert after == before
    if no_other_hugetlbfs not in cases:
        print("skip: no private mounts can be made here")
        return 77
    return 0


if "--hold" in sys.argv:
    hold(int(sys.argv[-1]))
else:
    sys.exit(main())
