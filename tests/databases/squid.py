# SPDX-License-Identifier: MIT
"""A Squid of its own in a temporary directory: several workers, which are programs of their own
(exec), and meet in POSIX shared memory that they find by name: their cache."""
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time

PATIENCE = 120  # seconds; a guest is slow
SOCKETS = pathlib.Path("/var/run/squid")  # compiled in
CONFIGURATION = """http_port 127.0.0.1:{port}
workers {workers}
memory_cache_shared on
cache_mem {cache_mib} MB
maximum_object_size_in_memory 4 MB
pid_filename {directory}/squid.pid
cache_log {directory}/cache.log
access_log stdio:{directory}/access-${{process_number}}.log
coredump_dir {directory}
shutdown_lifetime 1 seconds
http_access allow all
visible_hostname localhost
pinger_enable off
netdb_filename none
"""


class Failed(Exception):
    """Squid ended badly, or did not come up; the text is what it said."""


def find_program():
    return shutil.which("squid", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Proxy:
    def __init__(self, account, directory, workers, cache_mib, prefix=(), environment=None):
        self.account, self.directory, self.workers = account, directory, workers
        self.prefix, self.port = list(prefix), free_port()
        self.name = f"mshare{os.getpid()}"
        self.environment = {"PATH": os.environ["PATH"], "LC_ALL": "C", **(environment or {})}
        self.configuration = directory / "squid.conf"
        self.configuration.write_text(CONFIGURATION.format(
            port=self.port, workers=workers, cache_mib=cache_mib, directory=directory))
        os.chmod(self.configuration, 0o644)

    def prepare_sockets(self):
        """Where workers talk to each other. Only root can make it; packages do."""
        if not SOCKETS.exists() and os.geteuid() == 0:
            SOCKETS.mkdir(parents=True)
            os.chown(SOCKETS, self.account.uid, self.account.gid)
        return self.account.run(["test", "-w", SOCKETS]).returncode == 0

    def command(self, *words):
        return [find_program(), "-n", self.name, "-f", self.configuration, *words]

    def run(self, *words, prefixed=False):
        with open(self.directory / "output", "w+b") as output:
            done = self.account.run([*(self.prefix if prefixed else []), *self.command(*words)],
                                    env=self.environment, cwd=self.directory,
                                    stdin=subprocess.DEVNULL, stdout=output,
                                    stderr=subprocess.STDOUT)
            output.seek(0)
            said = output.read().decode(errors="replace")
        if done.returncode:
            raise Failed(f"squid {' '.join(words)} ended with {done.returncode}:\n{said}")

    def start(self):
        self.run(prefixed=True)
        self.wait_for(lambda: len(self.worker_processes()) == self.workers and self.all_accept())

    def stop(self):
        master = self.master()
        self.run("-k", "shutdown")
        self.wait_for(lambda: not pathlib.Path(f"/proc/{master}").exists())

    def wait_for(self, condition):
        deadline = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > deadline:
                raise Failed(f"nothing happened for {PATIENCE} seconds")
            time.sleep(0.2)

    def all_accept(self):
        """One worker answers before the others do."""
        return all(f"kid{number}| Accepting HTTP" in self.log_text()
                   for number in range(1, self.workers + 1))

    def answers(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=5).close()
            return True
        except OSError:
            return False

    def master(self):
        return int((self.directory / "squid.pid").read_text())

    def worker_processes(self):
        """Number of the worker to process id."""
        found = {}
        for process in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                words = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
            except OSError:
                continue
            for number in range(1, self.workers + 1):
                if words[0] == f"(squid-{number})" and self.name in words:
                    found[number] = int(process.name)
        return found

    def served_by(self, number):
        """Lines of the log of one worker."""
        path = self.directory / f"access-{number}.log"
        return path.read_text().splitlines() if path.exists() else []

    def log_text(self):
        path = self.directory / "cache.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def destroy(self):
        """Whatever state it is in."""
        try:
            self.stop()
        except (Failed, OSError, ValueError):
            for pid in self.worker_processes().values():
                os.kill(pid, signal.SIGKILL)
        self.account.remove_directory(self.directory)
