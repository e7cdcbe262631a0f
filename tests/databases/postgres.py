# SPDX-License-Identifier: MIT
"""A PostgreSQL of its own in a temporary directory: the distribution's programs, Unix socket only."""
import os
import pathlib
import re
import shutil
import signal
import subprocess
import time

PORT = "5432"
PATIENCE = 300  # seconds; a guest is slow
SETTINGS = {
    "listen_addresses": "''",
    "port": PORT,
    "fsync": "off",  # what is tested is not whether the disk keeps its promises
    "autovacuum": "off",  # does its work at times of its own
    "logging_collector": "off",
    "log_checkpoints": "off",
    "max_wal_size": "'4GB'",
}


class Failed(Exception):
    """A program of PostgreSQL ended badly; the text is what it said."""


def find_programs():
    """The directory with postgres and pgbench, the newest if there are several; or None."""
    found = [path for path in pathlib.Path("/usr/lib/postgresql").glob("*/bin")
             if (path / "postgres").exists() and (path / "pgbench").exists()]
    if found:
        return max(found, key=lambda path: int(path.parent.name))
    beside = shutil.which("postgres")
    return pathlib.Path(beside).resolve().parent if beside else None


def uninstalled():
    """What names the parts of a build directory to those who look where they would be installed."""
    names = ("MSHARE_HOST", "MSHARE_PRELOAD")
    return {name: os.environ[name] for name in names if name in os.environ}


class Cluster:
    """prefix: words before a command that starts a server, as ["mshare", "run", "--"]."""

    def __init__(self, account, programs, directory, prefix=(), environment=None):
        self.account, self.programs, self.directory = account, programs, directory
        self.prefix = list(prefix)
        self.data, self.log = directory / "data", directory / "server.log"
        self.environment = {"PATH": f"{programs}:{os.environ['PATH']}", "LC_ALL": "C",
                            "PGHOST": str(directory), "PGPORT": PORT, "PGUSER": "postgres",
                            "PGDATABASE": "postgres", **(environment or {})}

    def run(self, *command, prefixed=False, check=True):
        words = [*(self.prefix if prefixed else []), self.programs / command[0], *command[1:]]
        # Into a file: a server that pg_ctl leaves behind keeps the other end of a pipe.
        with open(self.directory / "output", "w+b") as output:
            done = self.account.run(words, env=self.environment, cwd=self.directory,
                                    stdin=subprocess.DEVNULL, stdout=output,
                                    stderr=subprocess.STDOUT)
            output.seek(0)
            said = output.read().decode(errors="replace")
        if check and done.returncode:
            raise Failed(f"{' '.join(map(str, words))} ended with {done.returncode}:\n{said}")
        return said

    def start_program(self, *command):
        return self.account.start([self.programs / command[0], *command[1:]],
                                  env=self.environment, cwd=self.directory,
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True)

    def initdb(self, settings):
        self.run("initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "--no-sync",
                 "-E", "UTF8", "--locale", "C", prefixed=True)
        self.configure(settings)

    def configure(self, settings):
        lines = {**SETTINGS, "unix_socket_directories": f"'{self.directory}'", **settings}
        text = "".join(f"{name} = {value}\n" for name, value in lines.items())
        included = self.data / "test.conf"
        included.write_text(text)
        os.chmod(included, 0o644)
        main = self.data / "postgresql.conf"
        if "include 'test.conf'" not in main.read_text():
            with open(main, "a", encoding="utf-8") as file:
                file.write("include 'test.conf'\n")

    def _control(self, *words, **keywords):
        return self.run("pg_ctl", "-D", self.data, "-l", self.log, "-t", str(PATIENCE), "-w",
                        *words, **keywords)

    def start(self):
        self._control("start", prefixed=True)

    def stop(self, mode="fast"):
        self._control("-m", mode, "stop")

    def restart(self, mode="fast"):
        self._control("-m", mode, "restart", prefixed=True)

    def is_running(self):
        return self.data.exists() and "PID:" in self._control("status", check=False)

    def sql(self, text):
        return self.run("psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", text).strip()

    def pgbench(self, *options):
        return self.run("pgbench", "-n", *options)

    def postmaster(self):
        return int((self.data / "postmaster.pid").read_text().split()[0])

    def client_backends(self):
        """Process ids of who serves clients now, by what they tell ps."""
        return [pid for pid, title in self.children().items()
                if re.search(r"postgres: \S+ \S+ (\[local\]|\S+\(\d+\))", title)]

    def has_clients(self):
        """Also while one that has gone is still at its end: it has no title then."""
        return bool(self.client_backends()) or "" in self.children().values()

    def children(self):
        """Process id to title of each process of the server but the first."""
        found = {}
        pid = self.postmaster()
        for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            try:
                title = pathlib.Path(f"/proc/{child}/cmdline").read_bytes()
            except OSError:
                continue
            found[int(child)] = title.replace(b"\0", b" ").decode(errors="replace").strip()
        return found

    def wait_until_ready(self):
        """After a crash. pg_isready asks as often as it takes."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if "accepting" in self.run("pg_isready", check=False):
                return
            time.sleep(0.2)
        raise Failed(f"the server does not accept connections after {PATIENCE} seconds")

    def log_text(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def destroy(self):
        """Whatever state it is in."""
        if self.is_running():
            try:
                self.stop("immediate")
            except Failed:
                os.kill(self.postmaster(), signal.SIGKILL)
        self.account.remove_directory(self.directory)
