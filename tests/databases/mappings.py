# SPDX-License-Identifier: MIT
"""What a process has mapped, and what its page tables cost, as the kernel tells in /proc."""
import dataclasses
import os
import pathlib
import re
import statistics

HEAD = re.compile(r"^([0-9a-f]+)-([0-9a-f]+) (\S{4}) \S+ \S+ (\d+) *(.*)$")
VALUE = re.compile(r"^(\w+): +(\d+) kB$")


@dataclasses.dataclass
class Mapping:
    start: int
    end: int
    permissions: str
    path: str
    kilobytes: dict = dataclasses.field(default_factory=dict)  # fields of smaps

    @property
    def size(self):
        return self.end - self.start

    def is_shared(self):
        return self.permissions.endswith("s")

    def is_huge(self):
        """Mapped by huge pages, all or in part."""
        fields = ("ShmemPmdMapped", "FilePmdMapped", "Shared_Hugetlb", "Private_Hugetlb")
        return any(self.kilobytes.get(name) for name in fields)


def of_process(pid):
    found = []
    for line in pathlib.Path(f"/proc/{pid}/smaps").read_text().splitlines():
        head, value = HEAD.match(line), VALUE.match(line)
        if head:
            start, end, permissions, _, path = head.groups()
            found.append(Mapping(int(start, 16), int(end, 16), permissions, path))
        elif value:
            found[-1].kilobytes[value[1]] = int(value[2])
    return found


def largest_shared(pid):
    return max((each for each in of_process(pid) if each.is_shared()),
               key=lambda each: each.size, default=None)


def meminfo(field):
    """A field of /proc/meminfo: kB, or a number of huge pages."""
    text = pathlib.Path("/proc/meminfo").read_text()
    return int(re.search(rf"^{field}:\s*(\d+)", text, re.MULTILINE)[1])


def status_kilobytes(pid, field):
    """A field of /proc/PID/status, in kB; None for a process that has ended."""
    try:
        text = pathlib.Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return None
    found = re.search(rf"^{field}:\s*(\d+) kB$", text, re.MULTILINE)
    return int(found[1]) if found else None


def median_page_tables(pids):
    """kB of page tables, the median of those processes that are still there; and how many."""
    values = [kb for pid in pids if (kb := status_kilobytes(pid, "VmPTE")) is not None]
    return (statistics.median(values) if values else None), len(values)


def _counters(pid):
    return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()


def minor_faults(pid):
    """Of the process, and of its children that have ended."""
    words = _counters(pid)
    return int(words[7]), int(words[8])


def ended_children_seconds(pid):
    """Processor time of its children that have ended."""
    words = _counters(pid)
    return (int(words[13]) + int(words[14])) / os.sysconf("SC_CLK_TCK")


def own_seconds(pid):
    """Processor time of a process so far."""
    return int(pathlib.Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9
