# SPDX-License-Identifier: MIT
"""suite.list, turned into what run-suite in the guest reads: one shell command for each test."""
import pathlib
import shlex

from . import paths, project

DROPPED = ("LD_LIBRARY_PATH", "TSAN_OPTIONS", "MSHARE_HOST", "MSHARE_PRELOAD")  # the installed ones are used
# Of an emulated processor on a busy machine; limits are there to end what hangs.
SLOWNESS = 5
DEBUG_SLOWNESS = 60  # of a kernel that looks at every access to memory, besides


class Mistake(Exception):
    """suite.list names what does not exist."""


def _plain(suite):
    return suite.split(":")[-1]


def _words(path):
    for line in path.read_text().splitlines():
        if line and not line.startswith("#"):
            yield line.split(" ", 1)


def _split_reason(rest, tests):
    """Names of tests have spaces too: the longest that fits."""
    fits = [name for name in tests if rest.startswith(name + " ")]
    if not fits:
        raise Mistake(f"no test, or no reason: {rest}")
    name = max(fits, key=len)
    return name, rest[len(name) + 1:]


def _program(rest):
    path, *arguments = shlex.split(rest)
    if not (paths.BUILD / path).exists():
        raise Mistake(f"no program {path}")
    return {"name": pathlib.Path(path).name, "cmd": [str(paths.BUILD / path), *arguments], "env": {},
            "suite": [], "workdir": None, "timeout": 120}


def _for_backend(rest, tests):
    """Tests that are run natively for each backend, for one that only guests have."""
    backend, kind, what = (rest.split() + 3 * [""])[:3]
    found = {}
    for name, test in tests.items():
        of_kind = what in map(_plain, test["suite"]) if kind == "suite" else \
            kind == "test" and name == f"{what}-plain"
        if of_kind and name.endswith("-plain"):
            variant = name.removesuffix("plain") + backend
            found[variant] = test | {"name": variant,
                                     "env": test["env"] | {"MSHARE_BACKEND": backend}}
    if not found:
        raise Mistake(f"backend {rest}")
    return found


def _select(path):
    tests = {test["name"]: test for test in project.tests() if "libmshare:abi" not in test["suite"]}
    suites = {_plain(suite) for test in tests.values() for suite in test["suite"]}
    chosen, omitted, may_skip, limits = {}, {}, {}, {}
    for kind, rest in _words(path):
        if kind == "suite" and rest in suites:
            chosen |= {name: test for name, test in tests.items()
                       if rest in map(_plain, test["suite"])}
        elif kind == "backend":
            variants = _for_backend(rest, tests)
            tests |= variants
            chosen |= variants
        elif kind == "test" and rest in tests:
            chosen[rest] = tests[rest]
        elif kind == "program":
            test = _program(rest)
            chosen[test["name"]] = test
        elif kind in ("omit", "may-skip"):
            name, reason = _split_reason(rest, tests | chosen)
            (omitted if kind == "omit" else may_skip)[name] = reason
        elif kind == "limit":
            name, seconds = _split_reason(rest, chosen)
            limits[name] = {"timeout": int(seconds)}
        else:
            raise Mistake(f"{kind} {rest}")
    return [test | limits.get(name, {}) for name, test in chosen.items() if name not in omitted], \
        may_skip


def _word(word):
    """Meson names some programs relative to the build directory."""
    if not word.startswith("/") and "/" in word and (paths.BUILD / word).exists():
        word = str(paths.BUILD / word)
    return project.in_guest(word) if word.startswith("/") else word


def _line(test, reason, slowness):
    settings = [f"{name}={_word(value)}" for name, value in test["env"].items()
                if name not in DROPPED]
    # Unit tests look at the environment that the library hands on; their skips show in the output.
    if not reason and "libmshare:unit" not in test["suite"]:
        settings.append("MSHARE_TEST_NO_SKIP=1")
    command = map(_word, test["cmd"])
    return shlex.join(["run_test", test["name"], str(test["timeout"] * slowness), reason, "env",
                       *settings, *command])


def write(path, target, slowness=SLOWNESS):
    """How many tests there are; none is a mistake too."""
    tests, may_skip = _select(path)
    if not tests:
        raise Mistake("selects no test")
    lines = [f"echo 1..{len(tests)}"]
    lines += [_line(test, may_skip.get(test["name"], ""), slowness) for test in tests]
    target.write_text("\n".join(lines) + "\n")
    return len(tests)
