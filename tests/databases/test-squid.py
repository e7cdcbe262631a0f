#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Squid as the distribution ships it, with several workers, under `mshare run`. Its workers are
started by exec, and meet in POSIX shared memory that one of them makes and the others open by name.
Test Anything Protocol; the cases build upon each other.

usage: test-squid.py [--mshare PATH] [--backend NAME]
"""
import concurrent.futures
import json
import os
import signal
import sys

import account
import mappings
import origin
import postgres
import shared_memory
import squid
import stage
import tap

WORKERS = 3
CACHE_MIB = 64
PAGES, PAGE_BYTES = 100, 256 << 10  # 25 MiB: fits
PASSES = 20
SEGMENT = "squid-page-pool.shm"


class Scene:
    def __init__(self, options):
        self.options = options
        self.account = account.Account("proxy", "squid")
        stage.can_be_tried(options, self.account, squid.find_program(), "Squid")
        self.turn = account.take_turns(squid.find_program())
        self.directory = self.account.make_directory("mshare-squid")
        self.report = self.directory / "report"
        self.before = shared_memory.inventory(self.account, options.mshare)
        self.origin = origin.Origin(PAGE_BYTES)
        self.proxy = squid.Proxy(self.account, self.directory, WORKERS, CACHE_MIB,
                                 stage.run_prefix(options, "--report", self.report, "--json"),
                                 postgres.uninstalled())

    def pool_of(self, pid):
        """The mapping of the cache: found by its name, or under the shim by its size."""
        named = [each for each in mappings.of_process(pid) if each.path.endswith(SEGMENT)]
        return named[0] if named else mappings.largest_shared(pid)

    def is_wrong(self, number):
        return (origin.fetch(self.proxy.port, self.origin.address(number))
                != origin.content(number, PAGE_BYTES))

    def fetch_all(self):
        """Every page once; some at a time, or the same worker may accept all. Pages whose bytes are
        wrong."""
        with concurrent.futures.ThreadPoolExecutor(2 * WORKERS) as clients:
            wrong = clients.map(self.is_wrong, range(PAGES))
            return [number for number, is_wrong in enumerate(wrong) if is_wrong]

    def diagnosis(self):
        return "\n".join(["end of the server's log:", *self.proxy.log_text().splitlines()[-30:]])


def start(scene):
    if not scene.proxy.prepare_sockets():
        raise squid.Failed(f"{scene.account.name} cannot write to {squid.SOCKETS}")
    scene.proxy.start()
    tap.expect(len(scene.proxy.worker_processes()) == WORKERS, "not all workers are there")


def workers_meet_in_one_object(scene):
    pools = {number: scene.pool_of(pid) for number, pid in scene.proxy.worker_processes().items()}
    for number, pool in pools.items():
        tap.note(f"worker {number}: {pool.path}, {pool.size} bytes")
        tap.expect(pool.size >= CACHE_MIB << 20, "smaller than the cache")
    tap.expect(len({pool.path for pool in pools.values()}) == 1, "different objects")


def the_cache_is_a_region(scene):
    if scene.options.backend in ("plain", "auto") or not scene.options.mshare:
        raise tap.Skip("plain mappings are left as they are")
    lines = [json.loads(line) for line in scene.report.read_text().splitlines()]
    converted = {line["pid"]: line["backend"] for line in lines
                 if line["size"] >= CACHE_MIB << 20 and line["event"] == "converted"}
    for number, pid in scene.proxy.worker_processes().items():
        tap.expect(converted.get(pid) == scene.options.backend, f"worker {number}: {lines}")


def every_page_is_fetched_once(scene):
    wrong = scene.fetch_all()
    tap.expect(not wrong, f"wrong bytes: {wrong}")
    tap.expect(len(scene.origin.asked) == PAGES, f"{len(scene.origin.asked)} pages asked for")


def addresses(lines, result):
    return {line.split()[6] for line in lines if result in line}


def found_of_others(scene, number):
    """Pages that a worker has found in the shared cache, and has not put there itself."""
    lines = scene.proxy.served_by(number)
    return addresses(lines, "TCP_MEM_HIT") - addresses(lines, "TCP_MISS")


def every_worker_serves_what_others_have_fetched(scene):
    """Which one accepts is up to the kernel: until all have. Squid itself gives up some pages: two
    that want the same place in its map."""
    before, passes = scene.origin.asked.total(), 0
    while passes < 2 or (passes < PASSES and not all(found_of_others(scene, number)
                                                    for number in range(1, WORKERS + 1))):
        wrong = scene.fetch_all()
        tap.expect(not wrong, f"wrong bytes: {wrong}")
        passes += 1
    again = scene.origin.asked.total() - before
    tap.note(f"{again} of {passes * PAGES} pages were fetched again")
    tap.expect(again < passes * PAGES // 2, f"{again} pages were not in the cache")
    for number in range(1, WORKERS + 1):
        count = len(found_of_others(scene, number))
        tap.note(f"worker {number}: {count} pages of others found in the shared cache")
        tap.expect(count, f"worker {number} has served nothing that others fetched")


def what_workers_pay(scene):
    for number, pid in scene.proxy.worker_processes().items():
        pool = scene.pool_of(pid)
        huge = sum(pool.kilobytes.get(name, 0) for name in ("ShmemPmdMapped", "FilePmdMapped"))
        tap.note(f"worker {number}: {mappings.status_kilobytes(pid, 'VmPTE')} kB of page tables, "
                 f"{mappings.minor_faults(pid)[0]} minor faults, {pool.kilobytes['Rss']} kB of the "
                 f"cache mapped, {huge} kB of that in huge pages")
        tap.expect(pool.kilobytes["Rss"] or scene.options.backend == "shim", "the cache is unused")


def a_worker_is_killed(scene):
    """The first process starts another one, which finds the cache as it was."""
    before = scene.origin.asked.total()
    victim = scene.proxy.worker_processes()[1]
    os.kill(victim, signal.SIGKILL)
    scene.proxy.wait_for(lambda: scene.proxy.worker_processes().get(1, victim) != victim)
    scene.proxy.wait_for(scene.proxy.answers)
    wrong = scene.fetch_all()
    tap.expect(not wrong, f"wrong bytes: {wrong}")
    again = scene.origin.asked.total() - before
    tap.note(f"{again} of {PAGES} pages were fetched anew")
    tap.expect(again < PAGES // 2, "the cache is lost")


def nothing_is_left_behind(scene):
    scene.proxy.stop()
    stage.nothing_left_behind(scene)


CASES = [start, workers_meet_in_one_object, the_cache_is_a_region, every_page_is_fetched_once,
         every_worker_serves_what_others_have_fetched, what_workers_pay, a_worker_is_killed,
         nothing_is_left_behind]


def main():
    scene = Scene(stage.parser(__doc__).parse_args())
    return stage.play(CASES, scene, scene.proxy, (start,))


if __name__ == "__main__":
    sys.exit(main())
