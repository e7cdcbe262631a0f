# SPDX-License-Identifier: MIT
"""What the public header, the symbol map and the man pages say, as Python values."""
import errno
import pathlib
import re

COMMENT = re.compile(r"/\*.*?\*/", re.S)
CALL = re.compile(r"(?P<comment>/\*(?:(?!\*/).)*\*/)\s*"
                  r"MSHARE_API\s+(?P<prototype>[^;]+?(?P<name>\bmshare_\w+)\([^;]*\));", re.S)
NODE = re.compile(r"(?P<name>\w+_(?P<version>[\d.]+))\s*\{(?P<body>[^}]*)\}\s*"
                  r"(?P<parent>[\w.]+)?\s*;")
ERRNO = re.compile(r"\bE[A-Z0-9]{2,}\b")
ERROR_HEADING = re.compile(r"^\*E[A-Z0-9]+\*(?:, \*E[A-Z0-9]+\*)*$", re.M)


def one_line(text):
    """C text with every run of blanks as one, and none where C needs none."""
    return re.sub(r"\s*([(),*])\s*", r"\1", " ".join(text.split()))


def errnos(text):
    """The error numbers named in a text; a name that does not exist is an error of the text."""
    names = set(ERRNO.findall(text))
    unknown = {name for name in names if not hasattr(errno, name)}
    if unknown:
        raise ValueError(f"not error numbers: {sorted(unknown)}")
    return names


class Header:
    def __init__(self, text):
        self.calls = {m["name"]: m for m in CALL.finditer(text)}
        self.bare = COMMENT.sub(" ", text)

    def declared(self):
        """Names marked for export, found without looking at their comments."""
        return re.findall(r"^MSHARE_API\s[^;(]*?(\w+)\(", self.bare, re.M)

    def prototype(self, name):
        return one_line(COMMENT.sub(" ", self.calls[name]["prototype"]))

    def errnos(self, name):
        return errnos(self.calls[name]["comment"])

    def constants(self):
        """Macros and enumerators, without the include guard and what marks functions."""
        macros = set(re.findall(r"^#define\s+(MSHARE_\w+)", self.bare, re.M))
        values = set()
        for body in re.findall(r"\benum\s+\w+\s*\{([^}]*)\}", self.bare):
            values |= set(re.findall(r"\b(MSHARE_\w+)\s*(?:=|,|$)", body))
        return (macros | values) - {"MSHARE_H", "MSHARE_API"}

    def structs(self):
        """Public structs: name to list of members."""
        found = {}
        for name, body in re.findall(r"\bstruct\s+(\w+)\s*\{([^}]*)\}", self.bare):
            found[name] = re.findall(r"(\w+)\s*(?:\[[^\]]*\]\s*)?;", body)
        return found

    def version(self):
        parts = dict(re.findall(r"#define\s+MSHARE_VERSION_(\w+)\s+(\d+)", self.bare))
        return ".".join(parts[part] for part in ("MAJOR", "MINOR", "PATCH"))


class SymbolMap:
    """Nodes of a linker version script, oldest first, each chained to the one before."""

    def __init__(self, text):
        self.nodes = [m for m in NODE.finditer(COMMENT.sub(" ", text))]

    def symbols(self):
        """Exported name to the node that it belongs to."""
        found = {}
        for node in self.nodes:
            exported = node["body"].split("global:")[-1].split("local:")[0]
            for name in re.findall(r"\w+", exported):
                if name in found:
                    raise ValueError(f"{name} is in {found[name]} and in {node['name']}")
                found[name] = node["name"]
        return found

    def hides_the_rest(self):
        return sum("*;" in node["body"].replace(" ", "") for node in self.nodes) == 1

    def is_chained(self):
        parents = [node["parent"] for node in self.nodes]
        return parents == [None] + [node["name"] for node in self.nodes[:-1]]


class Page:
    """A man page in scdoc's format."""

    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.text = self.path.read_text()
        self.name, self.section = self.path.name.removesuffix(".scd").rsplit(".", 1)
        self.sections = self._split()

    def _split(self):
        """Section title to text. A "#" inside a literal block is C, not a title."""
        found, title, literal = {}, "", False
        for line in self.text.splitlines():
            literal ^= line.startswith("```")
            if line.startswith("# ") and not literal:
                title = line[2:]
                if title in found:
                    raise ValueError(f"{self.path.name}: section {title} is there twice")
            found[title] = found.get(title, "") + line + "\n"
        return found

    def prototype(self):
        """The declaration in SYNOPSIS: bold, with escaped stars, on one or more lines."""
        lines = [line for line in self.sections["SYNOPSIS"].splitlines()
                 if line.startswith("*") and "#include" not in line]
        plain = " ".join(line.removeprefix("*").removesuffix("*") for line in lines)
        return one_line(plain.replace("\\", "")).rstrip(";")

    def errnos(self):
        return errnos("\n".join(ERROR_HEADING.findall(self.sections["ERRORS"])))

    def examples(self):
        """The programs of the EXAMPLE section, as scdoc prints them."""
        blocks = re.findall(r"^```\n(.*?)^```$", self.sections.get("EXAMPLE", ""), re.S | re.M)
        return [re.sub(r"\\(.)", r"\1", block) for block in blocks]

    def references(self):
        """Pages of this project that are referred to, as "name.section"."""
        return {f"{name}.{section}"
                for name, section in re.findall(r"\*(mshare[\w-]*)\*\((\d)\)", self.text)}


PUBLIC = ("mshare.h", "mshare/control.h", "mshare/image.h")


def header(root):
    """The public API, of which mshare.h includes parts."""
    include = pathlib.Path(root) / "include"
    return Header("".join((include / name).read_text() for name in PUBLIC))


def symbol_map(root):
    return SymbolMap((pathlib.Path(root) / "libmshare/libmshare.map").read_text())


def pages(root):
    """Man pages by "name.section"."""
    found = [Page(path) for path in sorted((pathlib.Path(root) / "libmshare/man").glob("*.scd"))]
    return {f"{page.name}.{page.section}": page for page in found}
