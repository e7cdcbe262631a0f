# SPDX-License-Identifier: MIT
"""What the tests of all servers have in common: how they are asked for, what they need, what they
must not leave behind."""
import argparse

import account
import shared_memory
import tap

BACKENDS = ("auto", "plain", "thp", "hugetlb", "shim")


def parser(doc):
    asked = argparse.ArgumentParser(description=doc,
                                    formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--mshare", type=account.program,
                       help="the tool; without it the server runs as it is")
    asked.add_argument("--backend", choices=BACKENDS, default="auto")
    return asked


def can_be_tried(options, account_of_server, server, name):
    """Skips everything where the server, found or not, or the tool cannot run."""
    if not server:
        tap.skip_all(f"{name} is not installed: .ci/install-deps databases")
    if options.mshare and not account_of_server.can_execute(options.mshare):
        tap.skip_all(f"{account_of_server.name} cannot execute {options.mshare}, where it is")


def run_prefix(options, *more):
    """What comes before the server's own command."""
    if not options.mshare:
        return []
    backend = ["--backend", options.backend] if options.backend != "auto" else []
    return [options.mshare, "run", *more, *backend, "--"]


def nothing_left_behind(scene):
    more = shared_memory.left_behind(scene.before, scene.account, scene.options.mshare)
    tap.expect(not more, "\n".join(sorted(more)))


def play(cases, scene, server, needed):
    """The exit status. The server goes in any case."""
    try:
        return tap.run(cases, scene, scene.diagnosis, needed)
    finally:
        server.destroy()
