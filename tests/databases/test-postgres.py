#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""PostgreSQL as the distribution ships it, end to end under `mshare run`: it has to do what it does
without. Test Anything Protocol; the cases build upon each other.

usage: test-postgres.py [--mshare PATH] [--backend NAME] [--memory mmap|sysv] [OPTION...]

Without --mshare the server runs as it is: what the test expects must hold for that, too.
"""
import os
import pathlib
import signal
import sys
import time

import account
import mappings
import postgres
import shared_memory
import stage
import tap

POOL_MIB = 64
SCALE = 2  # 200,000 accounts, 26 MB


class Scene:
    def __init__(self, options):
        self.options = options
        self.account = account.Account("postgres")
        self.programs = postgres.find_programs()
        stage.can_be_tried(options, self.account, self.programs, "PostgreSQL")
        self.turn = account.take_turns(self.programs / "postgres")
        self.directory = self.account.make_directory("mshare-pg")
        self.cluster = postgres.Cluster(self.account, self.programs, self.directory,
                                        stage.run_prefix(options), postgres.uninstalled())
        self.before = shared_memory.inventory(self.account, options.mshare)
        self.committed = 0

    def diagnosis(self):
        lines = self.cluster.log_text().splitlines()
        return "\n".join(["end of the server's log:", *lines[-40:]])

    def expect_consistent(self):
        """Every transaction of pgbench changes these four by the same amount, or none of them."""
        sums = self.cluster.sql("""SELECT (SELECT sum(abalance) FROM pgbench_accounts),
            (SELECT sum(tbalance) FROM pgbench_tellers),
            (SELECT sum(bbalance) FROM pgbench_branches),
            (SELECT coalesce(sum(delta), 0) FROM pgbench_history)""").split("|")
        tap.expect(len(set(sums)) == 1, f"the sums differ: {sums}")
        self.history()

    def history(self):
        """Rows of committed transactions never become fewer."""
        rows = int(self.cluster.sql("SELECT count(*) FROM pgbench_history"))
        tap.expect(rows >= self.committed, f"{rows} transactions, there were {self.committed}")
        self.committed = rows
        return rows

    def busy(self, *options):
        """pgbench that has begun to write, to be interrupted."""
        before = self.history()
        process = self.cluster.start_program("pgbench", "-n", "-c", "4", "-T", "600", *options)
        while self.history() == before:
            tap.expect(process.poll() is None, f"pgbench has ended: {process.returncode}")
            time.sleep(0.1)
        return process


def initdb(scene):
    scene.cluster.initdb({
        "shared_buffers": f"{POOL_MIB}MB", "huge_pages": "off", "max_connections": "30",
        "shared_memory_type": scene.options.memory, "dynamic_shared_memory_type": "posix"})


def start(scene):
    scene.cluster.start()
    tap.expect(scene.cluster.sql("SELECT 6 * 7") == "42", "no answer")


def load(scene):
    scene.cluster.run("pgbench", "-i", "-q", "-s", str(SCALE))
    rows = scene.cluster.sql("SELECT count(*) FROM pgbench_accounts")
    tap.expect(rows == str(100000 * SCALE), f"{rows} accounts")


def the_pool_is_a_region(scene):
    """The kernel's own words for what the server has mapped, not ours."""
    if not scene.options.mshare or scene.options.backend == "plain":
        raise tap.Skip("plain mappings are left as they are")
    pool = mappings.largest_shared(scene.cluster.postmaster())
    tap.note(f"{pool.path}, {pool.size} bytes")
    tap.expect(pool.size >= POOL_MIB << 20, f"the largest shared mapping is {pool}")
    if scene.options.memory == "sysv":
        tap.expect(pool.path.startswith("/SYSV"), f"no longer a System V segment: {pool.path}")
    else:
        tap.expect("/dev/zero" not in pool.path, f"still what the kernel gives: {pool.path}")


def read_only(scene):
    said = scene.cluster.pgbench("-S", "-c", "4", "-M", "prepared", "-T", scene.options.seconds)
    tap.expect("number of failed transactions: 0" in said, said)


def read_and_write(scene):
    before = scene.history()
    said = scene.cluster.pgbench("-c", "4", "-M", "prepared", "-T", scene.options.seconds)
    tap.expect("number of failed transactions: 0" in said, said)
    tap.expect(scene.history() > before, "no transaction was committed")
    scene.expect_consistent()


def connections_that_come_and_go(scene):
    said = scene.cluster.pgbench("-S", "-C", "-c", "4", "-t", "25")
    tap.expect("number of transactions actually processed: 100/100" in said, said)


def parallel_query(scene):
    """Workers meet in POSIX shared memory that one of them makes and the others open by name."""
    query = "SELECT count(*) FROM pgbench_accounts a JOIN pgbench_accounts b USING (aid)"
    alone = scene.cluster.sql(f"SET max_parallel_workers_per_gather = 0; {query}")
    together = f"""SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET work_mem = '64MB';
        SET min_parallel_table_scan_size = 0; SET enable_mergejoin = off; """
    plan = scene.cluster.sql(f"{together} EXPLAIN ANALYZE {query}")
    tap.expect("Workers Launched: 2" in plan and "Parallel Hash" in plan, plan)
    tap.expect(scene.cluster.sql(together + query) == alone, "another result than of one process")


def one_backend_is_killed(scene):
    """The server ends all others, recovers, and goes on: as it always does."""
    writer = scene.busy()
    crashes = scene.cluster.log_text().count("terminated by signal 9")
    os.kill(scene.cluster.client_backends()[0], signal.SIGKILL)
    writer.communicate()
    tap.expect(writer.returncode != 0, "pgbench has not noticed")
    scene.cluster.wait_until_ready()
    log = scene.cluster.log_text()
    tap.expect(log.count("terminated by signal 9") == crashes + 1, "nobody was killed")
    tap.expect("all server processes terminated; reinitializing" in log, "no new start")
    scene.expect_consistent()


def the_pool_after_a_crash(scene):
    """The memory was made anew, and is once more what it was."""
    the_pool_is_a_region(scene)


def stop_while_clients_write(mode):
    def case(scene):
        writer = scene.busy()
        scene.cluster.stop(mode)
        writer.communicate()
        tap.expect(writer.returncode != 0, "pgbench has not noticed")
        scene.cluster.start()
        scene.expect_consistent()

    case.__name__ = f"{mode}_shutdown_while_clients_write"
    return case


def the_first_process_is_killed(scene):
    """Its children leave by themselves; the next start finds their memory, and gets rid of it."""
    children = list(scene.cluster.children())
    os.kill(scene.cluster.postmaster(), signal.SIGKILL)
    while any(pathlib.Path(f"/proc/{pid}").exists() for pid in children):
        time.sleep(0.1)
    scene.cluster.start()
    scene.expect_consistent()


def restarts(scene):
    """Each as good as the first, and no memory more after the last one."""
    held = shared_memory.settled(scene.before, scene.account)
    for _ in range(scene.options.restarts):
        scene.cluster.restart()
        scene.expect_consistent()
    now = shared_memory.settled(scene.before, scene.account)
    tap.note(f"{len(held)} things in memory before {scene.options.restarts} restarts, "
             f"{len(now)} after them")
    tap.expect(len(now) <= len(held), "\n".join(sorted(now)))


def nothing_is_left_behind(scene):
    scene.cluster.stop()
    stage.nothing_left_behind(scene)


SMOKE = [initdb, start, load, the_pool_is_a_region, read_only, nothing_is_left_behind]
CASES = [initdb, start, load, the_pool_is_a_region, read_only, read_and_write,
         connections_that_come_and_go, parallel_query, one_backend_is_killed,
         the_pool_after_a_crash, stop_while_clients_write("fast"),
         stop_while_clients_write("immediate"), the_first_process_is_killed, restarts,
         nothing_is_left_behind]


def parse():
    parser = stage.parser(__doc__)
    parser.add_argument("--memory", choices=("mmap", "sysv"), default="mmap")
    parser.add_argument("--restarts", type=int, default=20)
    parser.add_argument("--seconds", default="5", help="of each run of pgbench")
    parser.add_argument("--smoke", action="store_true", help="the first few cases only")
    return parser.parse_args()


def main():
    scene = Scene(parse())
    cases = SMOKE if scene.options.smoke else CASES
    return stage.play(cases, scene, scene.cluster, (initdb, start, load))


if __name__ == "__main__":
    sys.exit(main())
