#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What a shell makes of words that are typed with a tab behind them: in a real shell, on a terminal.

usage: test-completion.py SHELL COMPLETIONS-DIRECTORY MSHARE"""
import os
import pathlib
import pty
import select
import shutil
import sys
import tempfile
import time

PATIENCE = 60  # seconds until a shell that says nothing has failed
PROMPT = "type> "  # when the terminal is as the shell wants it: before, a tab may be lost
REGION = f"mshare-test-completion-{os.getpid()}"
NAME = f"{REGION} $(x)"  # what shells take for something else

# Typed, and the words that the command then gets.
CASES = [
    ("mshare to\t", ["top"]),
    ("mshare --vers\t", ["--version"]),
    ("mshare top --onc\t", ["top", "--once"]),
    ("mshare top --sort sav\t", ["top", "--sort", "saved"]),
    ("mshare metrics --out\t/dev/nul\t", ["metrics", "--output", "/dev/null"]),
    ("mshare bench tab\t--back\thuge\t", ["bench", "tables", "--backend", "hugetlb"]),
    ("mshare help do\t", ["help", "doctor"]),
    ("mshare list --na\t", ["list", "--names"]),
    (f"mshare stat /{REGION}\t", ["stat", f"/{NAME}"]),
    (f"mshare rm {REGION}\t", ["rm", NAME]),
    (f"mshare save {REGION}\t/dev/nul\t", ["save", NAME, "/dev/null"]),
    (f"mshare handover {REGION}\t{os.getpid()}\t", ["handover", NAME, str(os.getpid())]),
    ("mshare load /dev/nul\t", ["load", "/dev/null"]),
    ("mshare load --mo\t640 /dev/nul\t", ["load", "--mode", "640", "/dev/null"]),
]

# The command tells what it is given, but for what completions ask it. LeakSanitizer stops a process by
# a child that traces it, and on a busy machine both then wait for ever for each other below zsh.
WRAPPER = """#!/bin/sh
export ASAN_OPTIONS="$ASAN_OPTIONS:detect_leaks=0"
case "$*" in
*--help) [ "$#" -le 2 ] && exec '{tool}' "$@" ;;
'list --names') [ -t 1 ] || exec '{tool}' "$@" ;;
esac
printf 'words:'
printf '<%s>' "$@"
echo
"""

START = {
    "bash": (["--noprofile", "--norc", "-i"], "source '{directory}/mshare.bash'"),
    "zsh": (["-f", "-i"], "fpath=('{directory}' $fpath); autoload -U compinit; compinit -u -D"),
}


class Shell:
    """A shell on a terminal of its own."""

    def __init__(self, name, path):
        arguments, self.start = START[name]
        self.output = b""
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.environ.update(PATH=f"{path}:{os.environ['PATH']}", TERM="dumb", HOME=str(path),
                              INPUTRC="/dev/null", PS1=PROMPT)
            os.execvp(name, [name, *arguments])

    def type(self, text):
        os.write(self.terminal, text.encode())

    def wait_for(self, text):
        """What is said until this is; the shell's echo of what was typed counts as well."""
        until = time.monotonic() + PATIENCE
        while text.encode() not in self.output:
            ready, _, _ = select.select([self.terminal], [], [], max(0, until - time.monotonic()))
            if not ready:
                sys.exit(f"no {text!r} in what the shell said: {self.output.decode()!r}")
            self.output += os.read(self.terminal, 4096)
        said, _, self.output = self.output.partition(text.encode())
        return said.decode()

    def end(self):
        os.close(self.terminal)  # SIGHUP
        os.waitpid(self.pid, 0)


def check(shell, typed, words):
    """The echo of what was typed, and completed, comes before what the command says."""
    shell.type(f"{typed}\r")
    shell.wait_for("words:")
    said = shell.wait_for("\r\n")
    wanted = "".join(f"<{word}>" for word in words)
    shell.wait_for(PROMPT)
    print(f"{typed!r}: {'ok' if wanted == said else 'NOT ' + wanted + ' but ' + repr(said)}")
    return wanted == said


def prepare(directory, tool):
    wrapper = directory / "mshare"
    wrapper.write_text(WRAPPER.format(tool=tool))
    wrapper.chmod(0o755)


def main(name, completions, tool):
    if not shutil.which(name):
        print(f"skip: there is no {name} here")
        return 77
    region = pathlib.Path("/dev/shm", NAME)
    with tempfile.TemporaryDirectory() as path:
        prepare(pathlib.Path(path), tool)
        shell = Shell(name, path)
        region.write_bytes(b"x")
        try:
            shell.wait_for(PROMPT)
            shell.type(f"{shell.start.format(directory=completions)}; echo re''ady\r")
            shell.wait_for("ready\r\n")
            shell.wait_for(PROMPT)
            failed = [case for case in CASES if not check(shell, *case)]
        finally:
            region.unlink()
            shell.end()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
