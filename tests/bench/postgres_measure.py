#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""postgres_measure.py --data DIR --programs DIR [options] ROW... - what a running PostgreSQL costs
each of its clients, and what they get: a server for each ROW, figures as a list in JSON on standard
output. One server after the other over the same data, or --together: all at once, each over a copy
of its own, and loaded in turns, so that what else the machine has to do hits all of them alike.
`make bench-postgres` calls this; it works in a guest, too.

ROW is NAME, or NAME=BACKEND[+OPTION] for a server under `mshare run --backend BACKEND [--OPTION]`
(NAME=auto: without --backend), and "huge_pages" is PostgreSQL's own setting of that name.
"""
import argparse
import json
import os
import pathlib
import platform
import random
import re
import resource
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.append(str(HERE.parent / "databases"))

import account  # noqa: E402
import mappings  # noqa: E402
import postgres  # noqa: E402

RELATIONS = ("pgbench_accounts", "pgbench_accounts_pkey", "pgbench_branches", "pgbench_tellers")
QUIET_SECONDS = 15  # mshare-host looks again after seconds; without a new huge page it is done
SETTLE_SECONDS = 120
FIRST_QUERIES = 10
CONNECT_ROUNDS = 3
# A row of one page in eight, of 8 kB: in each 64 KiB, which is what the kernel maps with one fault.
PASS = """SELECT count(*) FROM pgbench_accounts WHERE ctid = ANY (ARRAY(
    SELECT format('(%s,1)', block)::tid FROM generate_series(0,
        pg_relation_size('pgbench_accounts') / current_setting('block_size')::int - 1, 8) AS block));
"""
STAY = "\\sleep 2000 s\n"  # in microseconds it has to fit into an int
PASSED = """SELECT count(*) FROM pg_stat_activity WHERE state = 'idle' AND query LIKE '%ctid%'
    AND pid <> pg_backend_pid()"""
SAMPLES = 8  # backends whose pages are looked at one by one
PAGEMAP_ENTRY = 8
PTE_TABLE, PMD_TABLE, PUD_TABLE = 2 << 20, 1 << 30, 512 << 30  # bytes that one table of each maps
TABLE_KB = 4


def settle():
    """Waits until huge pages are no longer being made. Seconds until the last one was seen."""
    begun = last = time.monotonic()
    before = mappings.meminfo("ShmemHugePages")  # of the whole machine
    while time.monotonic() - last < QUIET_SECONDS and last - begun < SETTLE_SECONDS:
        time.sleep(0.25)
        now = mappings.meminfo("ShmemHugePages")
        if now > before:
            last = time.monotonic()
        before = now
    return last - begun


def present(pid, mapping):
    """Addresses of its pages that have an entry: in memory, or in swap."""
    page = os.sysconf("SC_PAGE_SIZE")
    with open(f"/proc/{pid}/pagemap", "rb") as pagemap:
        pagemap.seek(mapping.start // page * PAGEMAP_ENTRY)
        entries = pagemap.read(mapping.size // page * PAGEMAP_ENTRY)
    top = range(PAGEMAP_ENTRY - 1, len(entries), PAGEMAP_ENTRY)  # the byte with bits 63 and 62
    return [mapping.start + i * page for i, byte in enumerate(entries[at] for at in top)
            if byte & 0xC0]


def tables_beside_pool_kb(pid, pool):
    """Page tables that this process needs for everything but the pool: counted from its pages."""
    tables = set()
    for mapping in mappings.of_process(pid):
        if mapping.start == pool.start or mapping.path == "[vsyscall]":
            continue
        for address in present(pid, mapping):
            tables |= {(size, address // size) for size in (PTE_TABLE, PMD_TABLE, PUD_TABLE)}
    return len(tables) * TABLE_KB


def pool_tables(pids):
    """kB of page tables for the pool, median of a few backends: what the kernel counts for the
    process, less what is needed for all else. And what one of them has mapped there."""
    values, pool = [], None
    for pid in pids[:SAMPLES]:
        try:
            pool = mappings.largest_shared(pid)
            total = mappings.status_kilobytes(pid, "VmPTE")
            values.append(max(0, total - tables_beside_pool_kb(pid, pool)))
        except OSError:  # it has ended meanwhile
            continue
    return (statistics.median(values) if values else None), pool


def number_in(said, pattern):
    """A figure that pgbench prints."""
    found = re.search(pattern, said, re.MULTILINE)
    if not found:
        raise postgres.Failed(f"pgbench has not printed {pattern}:\n{said}")
    return float(found[1])


def initial_connection_ms(said):
    return number_in(said, r"initial connection time = ([\d.]+) ms")


class Measurement:
    def __init__(self, options, row):
        self.options = options
        self.name, _, self.backend = row.partition("=")
        self.found, self.turns = {}, []
        user = account.Account("postgres")
        self.directory = user.make_directory("mshare-bench")
        self.report = self.directory / "report"
        self.server = postgres.Cluster(user, options.programs, self.directory, self.prefix(),
                                       postgres.uninstalled())

    def do(self, *steps):
        """What they find is added. Once a step has failed, that is all there is to be said."""
        for step in steps:
            if "unavailable" in self.found:
                return
            try:
                self.found |= step() or {}
            except (postgres.Failed, OSError, subprocess.SubprocessError) as error:
                self.found = {"unavailable": f"{error}",
                              "log": self.server.log_text().splitlines()[-5:]}

    def prefix(self):
        if not self.backend:
            return []
        name, *more = self.backend.split("+")
        words = ["--backend", name] if name != "auto" else []
        return [self.options.mshare, "run", "--report", self.report, "--json", *words,
                *(f"--{option}" for option in more), "--"]

    def makes_huge(self):
        return self.backend.split("+")[0] in ("auto", "thp")

    def takes_reserved_pages(self):
        return self.name == "huge_pages" or self.backend.split("+")[0] == "hugetlb"

    def reported(self):
        """What `mshare run` says of the pool: its largest mapping."""
        if not self.report.exists():
            return {}
        lines = [json.loads(line) for line in self.report.read_text().splitlines()]
        lines = [line for line in lines if line["event"] != "ended"]
        pool = max(lines, key=lambda line: line["size"], default=None)
        return {"reported": pool.get("backend", "left as it is"),
                "reported_reason": pool["reason"]} if pool else {}

    def pgbench(self, *words):
        return ["pgbench", "-n", "-S", "-M", "prepared", "-c", str(self.options.clients),
                "-j", str(os.cpu_count()), *words]

    def take_data(self):
        if not self.options.together:
            self.server.data = self.options.data
            return
        subprocess.run(["cp", "-a", "--reflink=auto", self.options.data, self.server.data],
                       check=True)

    def start(self):
        self.take_data()
        self.server.configure({
            "shared_buffers": f"{self.options.pool}MB",
            "huge_pages": "on" if self.name == "huge_pages" else "off",
            "max_connections": str(2 * self.options.clients + 10)})
        self.server.start()

    def fill(self):
        """Reads the data into the pool, so that no row waits for a disk. Bytes."""
        self.server.sql("CREATE EXTENSION IF NOT EXISTS pg_prewarm")
        names = ", ".join(f"('{each}')" for each in RELATIONS)
        blocks = self.server.sql(f"SELECT sum(pg_prewarm(r)) FROM (VALUES {names}) AS all_of(r)")
        return {"filled_bytes": int(blocks) * int(self.server.sql("SHOW block_size"))}

    def settle(self):
        return {"settle_seconds": settle() if self.makes_huge() else 0}

    def connect(self):
        """From the start of pgbench until each client has connected and has its first answers."""
        times, initial, spent = [], [], []
        for _ in range(CONNECT_ROUNDS):
            cpu, begun = self.cpu_seconds_at_rest(), time.monotonic()
            said = self.server.run(*self.pgbench("-t", str(FIRST_QUERIES)))
            times.append((time.monotonic() - begun) * 1000)
            spent.append((self.cpu_seconds_at_rest() - cpu) * 1000)
            initial.append(initial_connection_ms(said))
        return {"connect_ms": statistics.median(times), "connect_cpu_ms": statistics.median(spent),
                "initial_connection_ms": statistics.median(initial)}

    def backends(self):
        pids = self.server.client_backends()
        page_tables, count = mappings.median_page_tables(pids)
        pool_kb, pool = pool_tables(pids)
        faults = statistics.median(mappings.minor_faults(pid)[0] for pid in pids)
        return {"faults_of_pass": faults, "page_tables_kb": page_tables, "page_tables_of": count,
                "pool_tables_kb": pool_kb, "pool_path": pool.path, "pool_bytes": pool.size,
                "pool_huge_kb": sum(pool.kilobytes.get(name, 0) for name in (
                    "ShmemPmdMapped", "FilePmdMapped", "Shared_Hugetlb", "Private_Hugetlb"))}

    def wait_until_idle(self):
        """The server has waited for all backends that have ended, and counted what they used."""
        while self.server.has_clients():
            time.sleep(0.1)
        return self.server.postmaster()

    def reaped_faults(self):
        """Minor faults of all backends that have ended."""
        return mappings.minor_faults(self.wait_until_idle())[1]

    def cpu_seconds(self):
        """Processor time of all backends and clients that have ended: unlike times by the clock it
        does not depend much on what else the machine has to do."""
        clients = resource.getrusage(resource.RUSAGE_CHILDREN)
        backends = mappings.ended_children_seconds(self.server.postmaster())
        return backends + clients.ru_utime + clients.ru_stime

    def cpu_seconds_at_rest(self):
        self.wait_until_idle()
        return self.cpu_seconds()

    def load(self):
        """Nothing else runs meanwhile: to look at a hundred processes takes time from them."""
        faults, cpu = self.reaped_faults(), self.cpu_seconds_at_rest()
        said = self.server.run(*self.pgbench("-T", str(self.options.seconds)))
        faults, cpu = self.reaped_faults() - faults, self.cpu_seconds_at_rest() - cpu
        done = int(number_in(said, r"actually processed: (\d+)"))
        return {"tps": number_in(said, r"^tps = ([\d.]+)"),
                "transactions": done, "cpu_seconds": cpu, "transactions_per_cpu_second": done / cpu,
                "faults": faults, "faults_per_second": faults / self.options.seconds,
                "faults_per_client": faults / self.options.clients}

    def after_a_pass(self):
        """What backends have that have been everywhere in the table once, and are idle now. Then
        their clients die, all at once, and as many new ones come."""
        clients = self.server.start_program(*self.pass_clients(PASS + STAY))
        try:
            self.wait_for_pass(clients)
            return self.backends() | self.reconnect(clients)
        finally:
            if clients.poll() is None:
                clients.kill()
                clients.communicate()

    def pass_clients(self, text):
        script = self.directory / "pass.sql"
        script.write_text(text)
        script.chmod(0o644)
        return ["pgbench", "-n", "-f", script, "-t", "1", "-c", str(self.options.clients)]

    def ready(self):
        """Until all clients have connected and have been everywhere in the table."""
        cpu, begun = self.cpu_seconds_at_rest(), time.monotonic()
        self.server.run(*self.pass_clients(PASS))
        took = time.monotonic() - begun
        return {"ready_ms": took * 1000,
                "ready_cpu_ms": (self.cpu_seconds_at_rest() - cpu) * 1000}

    def wait_for_pass(self, pgbench):
        while int(self.server.sql(PASSED)) < self.options.clients:
            if pgbench.poll() is not None:
                raise postgres.Failed(f"pgbench has ended:\n{pgbench.communicate()[0]}")
            time.sleep(1)
        while len(self.server.client_backends()) > self.options.clients:  # that of the question
            time.sleep(0.1)

    def reconnect(self, clients):
        """Times, and what the end of the old backends and the start of new ones take."""
        so_far = sum(map(mappings.own_seconds, [clients.pid, *self.server.client_backends()]))
        so_far += self.cpu_seconds()
        begun = time.monotonic()
        clients.kill()
        said = self.server.run(*self.pgbench("-t", str(FIRST_QUERIES)))
        took = time.monotonic() - begun
        clients.communicate()
        return {"reconnect_ms": took * 1000,
                "reconnect_cpu_ms": (self.cpu_seconds_at_rest() - so_far) * 1000,
                "initial_reconnection_ms": initial_connection_ms(said)}

    def take_turn(self):
        self.turns.append(self.load())

    def end(self):
        load = {name: statistics.median(turn[name] for turn in self.turns)
                for name in self.turns[0]}
        self.server.stop()
        return load | {"turns": self.turns} | self.reported()

    def row(self):
        return {"row": self.name, "backend": self.backend or None, "kernel": platform.release(),
                "machine": self.options.machine, "clients": self.options.clients,
                "shared_buffers_mib": self.options.pool, "seconds": self.options.seconds,
                **self.found}


def take_turns(measurements):
    """In another order each time: who comes after whom may matter."""
    for each in random.sample(measurements, len(measurements)):
        each.do(each.take_turn)


def measure(options, rows):
    """The figures of servers that run at the same time."""
    load = os.getloadavg()[0]
    all_of = [Measurement(options, row) for row in rows]
    try:
        # First come those that need what others might take: sorted() keeps all else as it is.
        for each in sorted(all_of, key=Measurement.takes_reserved_pages, reverse=True):
            each.do(each.start, each.fill, each.settle, each.connect)
        for _ in range(options.turns):
            take_turns(all_of)
        for each in all_of:
            each.do(each.ready, each.after_a_pass, each.end)
    finally:
        for each in all_of:
            each.server.destroy()
    return [each.row() | {"load_before": load} for each in all_of]


def parse():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--programs", type=pathlib.Path, default=postgres.find_programs())
    parser.add_argument("--mshare", default="mshare")
    parser.add_argument("--machine", default="native")
    parser.add_argument("--clients", type=int, default=100)
    parser.add_argument("--pool", type=int, default=2048, help="shared_buffers, MiB")
    parser.add_argument("--seconds", type=int, default=20, help="of a turn")
    parser.add_argument("--turns", type=int, default=1, help="of each row")
    parser.add_argument("--together", action="store_true")
    parser.add_argument("rows", nargs="+")
    return parser.parse_args()


def main():
    options = parse()
    groups = [options.rows] if options.together else [[row] for row in options.rows]
    json.dump([found for rows in groups for found in measure(options, rows)], sys.stdout)
    print()


if __name__ == "__main__":
    main()
