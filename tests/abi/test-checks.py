#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The checks themselves: each must see the fault that it exists for."""
import importlib
import pathlib
import tempfile
import unittest

import contract
import sources

check_contract = importlib.import_module("check-contract")
check_layout = importlib.import_module("check-layout")
check_symbols = importlib.import_module("check-symbols")

HEADER = """
#define MSHARE_FIXED (1u << 0)
enum mshare_kind {
	MSHARE_KIND_ONE = 1, /* not, MSHARE_KIND_TWO = 2 */
};
struct mshare_thing {
	size_t size; /* in: nothing; much */
	char reason[16];
};
/*
 * mshare_do - do it
 * Returns 0; -1: EINVAL, or EBADF.
 */
MSHARE_API int mshare_do(mshare_t r,
			 struct mshare_thing *thing);
"""
MAP = """LIBX_0.1 {
global:
	mshare_do;
local:
	*;
};
LIBX_0.2 {
global:
	mshare_more;
} LIBX_0.1;
"""
PAGE = """mshare_do(3) "libmshare" "libmshare manual"

# NAME

mshare_do - do it

# SYNOPSIS

*#include <mshare.h>*

*int mshare_do(mshare_t r,*
*struct mshare_thing \\*thing);*

# DESCRIPTION

_size_ _reason_ *MSHARE_FIXED* *MSHARE_KIND_ONE* *mshare_more*(3)

# RETURN VALUE

# ERRORS

*EINVAL*, *EBADF*
	Not EPERM.

# ATTRIBUTES

# EXAMPLE

```
# not a section
puts("a\\\\n");
```

# SEE ALSO
"""
PROGRAM = PAGE[PAGE.index("```"):PAGE.index("# SEE ALSO")]


class ContractTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.header = contract.Header(HEADER)

    def tearDown(self):
        self.folder.cleanup()

    def page(self, text=PAGE):
        path = pathlib.Path(self.folder.name) / "mshare_do.3.scd"
        path.write_text(text)
        return contract.Page(path)

    def complaints(self, old, new):
        self.assertIn(old, PAGE)
        return "\n".join(check_contract.check_call(self.header, self.page(PAGE.replace(old, new))))

    def test_header(self):
        self.assertEqual(self.header.declared(), ["mshare_do"])
        self.assertEqual(self.header.prototype("mshare_do"),
                         "int mshare_do(mshare_t r,struct mshare_thing*thing)")
        self.assertEqual(self.header.errnos("mshare_do"), {"EINVAL", "EBADF"})
        self.assertEqual(self.header.constants(), {"MSHARE_FIXED", "MSHARE_KIND_ONE"})
        self.assertEqual(self.header.structs(), {"mshare_thing": ["size", "reason"]})

    def test_unknown_errno(self):
        with self.assertRaises(ValueError):
            contract.errnos("EINVAL ENOSUCHTHING")

    def test_map(self):
        symbols = contract.SymbolMap(MAP)
        self.assertEqual(symbols.symbols(), {"mshare_do": "LIBX_0.1", "mshare_more": "LIBX_0.2"})
        self.assertTrue(symbols.is_chained() and symbols.hides_the_rest())
        self.assertFalse(contract.SymbolMap(MAP.replace("} LIBX_0.1;", "};")).is_chained())
        self.assertFalse(contract.SymbolMap(MAP.replace("\t*;", "")).hides_the_rest())

    def test_good_page(self):
        self.assertEqual(check_contract.check_call(self.header, self.page()), [])
        self.assertEqual(self.page().examples(), ['# not a section\nputs("a\\n");\n'])

    def test_bad_pages(self):
        self.assertIn("EBADF: in the header", self.complaints(", *EBADF*", ""))
        self.assertIn("EPERM: in the man page", self.complaints("*EBADF*", "*EBADF*, *EPERM*"))
        self.assertIn("prototype", self.complaints("*int mshare_do", "*long mshare_do"))
        self.assertIn("sections are", self.complaints("# ATTRIBUTES", "# ATTRIBUTE"))
        self.assertIn("first line", self.complaints("mshare_do(3) ", "mshare_do(2) "))
        self.assertIn("no program", self.complaints(PROGRAM, ""))

    def test_symbols(self):
        symbols = contract.SymbolMap(MAP)
        said = "\n".join(check_contract.check_symbols(self.header, symbols,
                                                      {"mshare_do.3": self.page()}))
        self.assertEqual(said, "mshare_more: in the map, not in the header")
        said = "\n".join(check_contract.check_symbols(self.header, symbols, {}))
        self.assertIn("mshare_do: in the header, not in the man pages", said)

    def test_references(self):
        page = self.page()
        said = check_contract.check_references(self.folder.name, {"mshare_do.3": page})
        self.assertEqual(len(said), 1)
        self.assertIn("mshare_more.3", said[0])

    def test_layout(self):
        layout = ("SIZE(mshare_thing, 24);\nFIELD(mshare_thing, size, 0, 8);\n"
                  "VALUE(MSHARE_FIXED, 1);")
        said = "\n".join(check_layout.check_complete(self.header, layout))
        self.assertIn("FIELD(mshare_thing, reason) is missing", said)
        self.assertIn("VALUE(MSHARE_KIND_ONE) is missing", said)

    def test_exports(self):
        said = check_symbols.check_exports({"leak": "X", "a": "Y"}, {"a": "X", "gone": "X"})
        self.assertEqual(len(said), 3)


class SourcesTest(unittest.TestCase):
    def test_licence(self):
        self.assertEqual(len(sources.check_licence("a.c", "int a;\n")), 1)
        self.assertEqual(sources.check_licence("a.c", "/* SPDX-License-Identifier: MIT */\n"), [])
        self.assertEqual(sources.check_licence("README.md", ""), [])

    def test_names(self):
        for bad in ("open('/home" + "/joe/x')", "cd /root" + "/x", "https://crates" + ".io/x"):
            self.assertEqual(len(sources.check_names("a.c", bad)), 1, bad)
        for good in ("/dev/shm/x", "$TMP/wo" + "rk/x", "/proc/self/root"):
            self.assertEqual(sources.check_names("a.c", good), [], good)

    def test_length(self):
        body = "int f(void)\n{\n" + "\tx();\n" * 61 + "}\n"
        self.assertEqual(len(sources.check_length("a.c", body)), 1)
        self.assertEqual(sources.check_length("a.c", body.replace("\tx();\n", "", 1)), [])
        self.assertEqual(len(sources.check_length("a.py", "def f():\n" + "    x()\n" * 61)), 1)
        self.assertEqual(len(sources.check_length("a.sh", "f() {\n" + "\tx\n" * 61 + "}\n")), 1)
        self.assertEqual(len(sources.check_length("a.h", "\n" * 401)), 1)

    def test_comments(self):
        self.assertEqual(sources.check_comments("a.c", "\t/* " + "x" * 89 + "\n"), [])
        self.assertEqual(len(sources.check_comments("a.c", "\t/* " + "x" * 90 + "\n")), 1)
        self.assertEqual(len(sources.check_comments("a.h", " * " + "x" * 98 + "\n")), 1)
        self.assertEqual(sources.check_comments("a.md", " * " + "x" * 98 + "\n"), [])


if __name__ == "__main__":
    unittest.main()
