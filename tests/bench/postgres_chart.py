# SPDX-License-Identifier: MIT
"""The chart of bench-postgres, SVG: one panel for each figure and machine, one horizontal bar for
each row, from zero, with its number beside it."""
from html import escape

from postgres_table import BASELINE, ratio

# Pixels. Bars start at LEFT and grow to at most LEFT + BAR_SPACE; numbers follow them.
WIDTH, LEFT, BAR_SPACE, TOP, FOOT = 900, 130, 560, 84, 40
ROW, BAR, PANEL_HEAD, PANEL_FOOT = 28, 17, 30, 22
GREY, BLUE, TEXT, MUTED, GRID = "#8a8f98", "#2a6fdb", "#1f2328", "#656d76", "#dfe3e8"
# Title, name of the figure, unit, whether more is better
PANELS = (
    ("Page tables of one backend, for the pool", "pool_tables_kb", "kB", False),
    ("Minor faults of one backend that reads all of the table", "faults_of_pass", "", False),
    ("Until all clients have connected and have ten answers each", "connect_ms", "ms", False),
    ("Until all clients have connected and have read all of the table", "ready_ms", "ms", False),
    ("Ten answers each, after as many clients that had read it have died", "reconnect_ms", "ms",
     False),
    ("Transactions a second", "tps", "", True),
)


def _text(x, y, style, text):
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{style}">{escape(str(text))}</text>\n'


def _number(value, unit):
    return f"{value:,.0f} {unit}".strip()


def _bar(row, baseline, panel, most, y):
    _, name, unit, more = panel
    out = _text(LEFT - 10, y + ROW / 2 + 4.5, "name", row["row"])
    value = row.get(name)
    if value is None:
        return out + _text(LEFT + 8, y + ROW / 2 + 4.5, "none", "not measured")
    width = max(1.5, BAR_SPACE * value / most) if most else 1.5
    times = ratio(row, baseline, name, more)
    text = _number(value, unit)
    if times is not None and times >= 1.05:
        text += f"  ({times:.{0 if times >= 10 else 1}f}x {'more' if more else 'less'})"
    colour = GREY if row["row"] == BASELINE else BLUE
    out += (f'<rect x="{LEFT}" y="{y + (ROW - BAR) / 2:.1f}" width="{width:.1f}" height="{BAR}" '
            f'rx="2" fill="{colour}"/>\n')
    return out + _text(LEFT + width + 8, y + ROW / 2 + 4.5, "value", text)


def _panel(machine, rows, panel, y):
    baseline = next((row for row in rows if row["row"] == BASELINE), {})
    most = max((row.get(panel[1]) or 0 for row in rows), default=0)
    out = _text(24, y + 14, "panel", f"{panel[0]} ({machine})")
    bottom = y + PANEL_HEAD + ROW * len(rows)
    out += (f'<line x1="{LEFT}" y1="{y + PANEL_HEAD - 6}" x2="{LEFT}" y2="{bottom}" '
            f'stroke="{GRID}"/>\n')
    for i, row in enumerate(rows):
        out += _bar(row, baseline, panel, most, y + PANEL_HEAD + ROW * i)
    return out, bottom + PANEL_FOOT


def _head(rows, height):
    title = f"PostgreSQL with {rows[0]['clients']:.0f} clients, with and without mshare run"
    style = (f"text{{fill:{TEXT};font-size:13px}}.title{{font-size:20px;font-weight:bold}}"
             ".panel{font-size:14px;font-weight:bold}.name{text-anchor:end}"
             f".muted{{font-size:12px;fill:{MUTED}}}.none{{font-style:italic;fill:{MUTED}}}")
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height:.0f}" '
            f'viewBox="0 0 {WIDTH} {height:.0f}" role="img" '
            'font-family="DejaVu Sans, Verdana, Helvetica, Arial, sans-serif">\n'
            f"<style>{style}</style>\n<title>{escape(title)}</title>\n"
            '<rect width="100%" height="100%" fill="#ffffff"/>\n'
            + _text(24, 36, "title", title)
            + _text(24, 58, "muted", "pgbench -S -M prepared over a pool that holds all data. "
                    "Bars begin at zero; compare within one panel."))


def draw(rows):
    machines = {}
    for row in rows:
        machines.setdefault(row["machine"], []).append(row)
    body, y = "", TOP
    for machine, of_machine in machines.items():
        for panel in PANELS:
            part, y = _panel(machine, of_machine, panel, y)
            body += part
    kernels = ", ".join(dict.fromkeys(f"{row['machine']}: Linux {row['kernel']}" for row in rows))
    return (_head(rows, y + FOOT) + body + _text(24, y + 12, "muted", f"bench-postgres. {kernels}")
            + "</svg>\n")
