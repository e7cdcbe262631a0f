#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The command itself: options, exit statuses, which programs it refuses, what it hands on.

usage: test-command.py MSHARE STATIC-PROGRAM
"""
import json
import os
import pathlib
import re
import resource
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest

MSHARE, STATIC = (os.path.abspath(word) for word in sys.argv[1:3])
MAP = ("import mmap; m = mmap.mmap(-1, {size} << 20); m[5] = 7; "
       "import sys; sys.exit(m[5] - 7)")


def run(*words, **options):
    return subprocess.run([MSHARE, "run", *map(str, words)], capture_output=True, text=True,
                          check=False, **options)


class Command(unittest.TestCase):
    def setUp(self):
        self.directory = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.directory)
        self.report = self.directory / "report"

    def refused(self, done, status, part):
        self.assertEqual(done.returncode, status, done.stderr)
        self.assertEqual(done.stdout, "")
        self.assertRegex(done.stderr, r"\Amshare: run: [^\n]+\n\Z")
        self.assertIn(part, done.stderr)

    def script(self, name, text, mode=0o755):
        path = self.directory / name
        path.write_text(text)
        path.chmod(mode)
        return path

    def test_status_is_the_program_s(self):
        self.assertEqual(run("--", "sh", "-c", "exit 42").returncode, 42)
        self.assertEqual(run("sh", "-c", "kill -9 $$").returncode, -9)

    def test_wrong_usage_is_125(self):
        self.refused(run(), 125, "which program")
        self.refused(run("--frob", "true"), 125, "--frob")
        self.refused(run("--min-size", "lots", "true"), 125, "lots")
        self.refused(run("--min-size", "0", "true"), 125, "--min-size")
        self.refused(run("--backend", "best", "true"), 125, "best")
        self.refused(run("--json", "true"), 125, "--report")
        env = os.environ | {"MSHARE_BACKEND": "thpp"}
        self.refused(run("true", env=env), 125, "thpp")
        self.assertEqual(run("--backend", "thp", "true", env=env).returncode, 0)
        self.refused(run("--report", self.directory / "no" / "report", "true"), 125, "No such file")

    def test_missing_library_is_125(self):
        env = os.environ | {"MSHARE_PRELOAD": str(self.directory / "none.so")}
        self.refused(run("true", env=env), 125, "none.so")

    def test_no_program_is_127(self):
        self.refused(run("no-such-program"), 127, "no-such-program")
        self.refused(run(self.directory / "none"), 127, "none")
        self.refused(run(""), 127, "empty")

    def test_what_cannot_be_executed_is_126(self):
        self.refused(run(self.script("plain", "hello\n", 0o644)), 126, "not executable")
        self.refused(run(self.directory), 126, "not a file")

    def test_path_is_searched(self):
        self.script("only-here", "#!/bin/sh\nexit 5\n")
        self.script("sh", "not this one\n", 0o644)
        env = os.environ | {"PATH": f"{self.directory}:{os.environ['PATH']}"}
        self.assertEqual(run("only-here", env=env).returncode, 5)
        self.assertEqual(run("sh", "-c", "exit 6", env=env).returncode, 6)

    def test_static_programs_are_refused(self):
        self.refused(run(STATIC), 126, "linked statically")
        interpreted = self.script("by-static", f"#!{STATIC} -x\n")
        self.refused(run(interpreted), 126, "linked statically")

    def test_programs_of_other_machines_are_refused(self):
        head = bytearray(pathlib.Path("/bin/sh").read_bytes())
        head[4] = 1  # ELFCLASS32
        path = self.script("narrow", "")
        path.write_bytes(head)
        self.refused(run(path), 126, "32-bit")

    @unittest.skipUnless(os.geteuid() == 0, "needs root, to give a program to another user")
    def test_changing_rights_are_refused(self):
        path = self.directory / "set-id"
        shutil.copy("/bin/true", path)
        os.chown(path, 65534, 65534)
        path.chmod(0o4755)
        if os.statvfs(self.directory).f_flag & os.ST_NOSUID:
            self.assertEqual(run(path).returncode, 0)
            return
        self.refused(run(path), 126, "set-user-ID")
        path.chmod(0o2755)
        self.refused(run(path), 126, "set-group-ID")
        path.chmod(0o755)
        self.assertEqual(run(path).returncode, 0)

    @unittest.skipUnless(os.geteuid() == 0, "needs root, to give a program capabilities")
    def test_file_capabilities_are_refused(self):
        path = self.directory / "capable"
        shutil.copy("/bin/true", path)
        self.directory.chmod(0o755)
        # As linux/capability.h has it: revision 2, nothing permitted or inherited but
        # CAP_NET_BIND_SERVICE.
        capability = struct.pack("<5I", 0x02000000, 1 << 10, 0, 0, 0)
        try:
            os.setxattr(path, "security.capability", capability)
        except OSError as error:
            self.skipTest(f"no capabilities can be given to files here: {error}")
        self.assertEqual(run(path).returncode, 0)  # of root they change nothing
        user = {"user": 65534, "group": 65534, "extra_groups": []}
        try:
            run("--help", **user)
        except PermissionError:
            self.skipTest("another user may not start this command")
        if os.statvfs(self.directory).f_flag & os.ST_NOSUID:
            self.assertEqual(run(path, **user).returncode, 0)
            return
        self.refused(run(path, **user), 126, "file capabilities")
        os.removexattr(path, "security.capability")
        self.assertEqual(run(path, **user).returncode, 0)

    def test_scripts_are_followed(self):
        with_line = self.script("with-line", "#!/bin/sh\nexit 3\n")
        without = self.script("without", "exit 4\n")
        self.assertEqual(run(with_line).returncode, 3)
        self.assertEqual(run(without).returncode, 4)

    @unittest.skipIf(b"__asan_init" in pathlib.Path(MSHARE).read_bytes(),
                     "the address sanitizer in the command wants to be loaded first")
    def test_ld_preload_is_appended_to(self):
        env = os.environ | {"LD_PRELOAD": "libm.so.6"}
        done = run("sh", "-c", "echo $LD_PRELOAD", env=env)
        self.assertRegex(done.stdout, r"\Alibm\.so\.6:/.*/libmshare-preload\.so\n\Z")

    def test_options_end_at_the_program(self):
        done = run("sh", "-c", "echo $1 $2", "sh", "--json", "--report")
        self.assertEqual(done.stdout, "--json --report\n")

    def lines(self):
        """Of the report: what became of mappings, and what they were when they ended."""
        lines = self.report.read_text().splitlines()
        ended = [line for line in lines if ' "event": "ended"' in line or ", ended with " in line]
        return [line for line in lines if line not in ended], ended

    def python(self, size, *options):
        done = run("--report", self.report, *options, "--", sys.executable, "-c",
                   MAP.format(size=size))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stderr, "")
        return self.lines()[0]

    def test_report_in_json(self):
        line, = self.python(9, "--json", "--backend", "thp")
        entry = json.loads(line)
        self.assertEqual(entry["size"], 9 << 20)
        self.assertEqual(entry["kind"], "anonymous")
        self.assertIn(entry["event"], ("converted", "left"))
        self.assertGreater(entry["pid"], 0)
        self.assertTrue(re.match("python", entry["program"]))
        if entry["event"] == "left":
            self.assertEqual(self.lines()[1], [])
            return
        ended = json.loads(*self.lines()[1])
        self.assertEqual(ended["event"], "ended")
        self.assertEqual(ended["huge_bytes"], 0)
        for name in ("pid", "program", "kind", "size", "address", "backend"):
            self.assertEqual(ended[name], entry[name])
        self.assertEqual(ended["reason"], "")

    def test_unknown_backend_of_a_service(self):
        env = os.environ | {"MSHARE_RUN_BACKEND": "thpp", "MSHARE_RUN_REPORT": str(self.report),
                            "LD_PRELOAD": os.environ["MSHARE_PRELOAD"]}
        self.report.touch()
        subprocess.run([sys.executable, "-c", MAP.format(size=9)], env=env, check=True)
        if "left as it is" not in self.lines()[0][0]:
            self.assertIn("MSHARE_RUN_BACKEND is none of", self.lines()[0][0])

    def test_report_in_words(self):
        line, = self.python(9, "--backend", "plain")
        self.assertRegex(line, r"\Apython[\d.]*\[\d+\]: 9 MiB, anonymous at 0x[0-9a-f]+: left as it is")
        self.assertEqual(self.lines()[1], [])

    def test_end_in_words(self):
        line, = self.python(10, "--backend", "thp", "--populate")
        if "left as it is" in line:
            self.skipTest(line)
        start = re.match(r"python[\d.]*\[\d+\]: 10 MiB, anonymous at 0x[0-9a-f]+: thp", line)
        self.assertEqual(self.lines()[1], [f"{start[0]}, ended with 10 MiB in huge pages"])

    def test_report_is_begun_anew(self):
        self.report.write_text("from yesterday\n")
        self.assertEqual(self.python(1), [])

    def test_log_keeps_what_it_had(self):
        log = self.directory / "log"
        log.write_text("from yesterday\n")
        for name in ("/dev/stderr", "/dev/fd/2", "/proc/self/fd/2", log):
            with open(log, "a", encoding="utf-8") as end:
                subprocess.run([MSHARE, "run", "--report", name, "--", sys.executable, "-c",
                                MAP.format(size=9)], stderr=end, check=True)
        lines = log.read_text().splitlines()
        self.assertEqual(lines[0], "from yesterday")
        self.assertEqual(len([line for line in lines if " 9 MiB, anonymous at " in line
                              and ", ended with " not in line]), 4)

    def map_with_default_signals(self, report, **options):
        code = "import signal\nfor n in (signal.SIGPIPE, signal.SIGXFSZ):\n"
        code += "    signal.signal(n, signal.SIG_DFL)\n" + MAP.format(size=9)
        return subprocess.run([MSHARE, "run", "--report", report, "--", sys.executable, "-c",
                               code], check=False, timeout=60, **options).returncode

    def test_report_that_nobody_reads(self):
        fifo = self.directory / "fifo"
        os.mkfifo(fifo)
        reader = subprocess.Popen(["sh", "-c", ": < \"$1\"", "sh", fifo])
        self.assertEqual(self.map_with_default_signals(fifo), 0)
        self.assertEqual(reader.wait(), 0)
        ends = os.pipe()
        os.close(ends[0])
        self.assertEqual(self.map_with_default_signals("/dev/stderr", stderr=ends[1]), 0)
        os.close(ends[1])

    def test_report_that_may_not_grow(self):
        limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
        self.assertEqual(self.map_with_default_signals(self.report, preexec_fn=limit), 0)

    def test_threshold(self):
        self.assertEqual(self.python(7), [])
        self.assertEqual(len(self.python(8)), 1)
        self.assertEqual(self.python(8, "--min-size", "9M"), [])
        self.assertEqual(len(self.python(1, "--min-size", "1M")), 1)

    def test_report_of_a_program_elsewhere(self):
        """A relative name is that of where the command was started."""
        done = run("--report", "here", "--json", "--", "sh", "-c",
                   f"cd / && exec {sys.executable} -c '{MAP.format(size=9)}'", cwd=self.directory)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.report = self.directory / "here"
        self.assertEqual(len(self.lines()[0]), 1)

    def test_populated(self):
        line, = self.python(16, "--populate", "--json")
        self.assertEqual(json.loads(line)["size"], 16 << 20)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
