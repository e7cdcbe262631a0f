# SPDX-License-Identifier: MIT
"""The figures of bench-postgres for people: one table for each machine, and what is in a column."""
import statistics

BASELINE = "plain"
TABLE_KB = 4
# Heading, name of the figure, digits, and whether more is better (None: neither)
COLUMNS = (
    ("clients", "clients", 0, None),
    ("tables/backend kB", "page_tables_kb", 0, False),
    ("of the pool kB", "pool_tables_kb", 0, False),
    ("faults/backend", "faults_of_pass", 0, False),
    ("faults/s", "faults_per_second", 0, False),
    ("connect ms", "connect_ms", 0, False),
    ("of CPU ms", "connect_cpu_ms", 0, False),
    ("ready ms", "ready_ms", 0, False),
    ("of CPU ms", "ready_cpu_ms", 0, False),
    ("reconnect ms", "reconnect_ms", 0, False),
    ("of CPU ms", "reconnect_cpu_ms", 0, False),
    ("tps", "tps", 0, True),
    ("per CPU s", "transactions_per_cpu_second", 0, True),
)
LEGEND = """
tables/backend  page tables of one backend that has read something in every 64 KiB of the table
                (VmPTE), median of all
of the pool     those of them that map the server's shared memory, median of 8 backends
faults/backend  minor faults of such a backend since it was started, median
faults/s        minor faults of all backends from first to last, over the seconds of pgbench -S
connect         from the start of pgbench until every client has connected and has ten answers
of CPU          processor time of that, clients and backends, from their start to their end
ready           from the start of pgbench until every client has connected and has read something
                in every 64 KiB of the table: until nobody has page tables to build any more
reconnect       from the death of all clients, which have read the table, until as many new ones have
                connected and have ten answers each: what a restart of the application costs
tps             pgbench -S -M prepared, without the time to connect; natively each turn is compared
                with that of plain beside it, and the ratio is the median of these
per CPU s       transactions for each second of processor time, of clients and backends together, from
                their start to their end: not what else the machine had to do
(2.0x)          so many times better than plain in the same run
"""


def medians(measured):
    """One row of each name: each figure is the median of its rounds."""
    rows = {}
    for row in measured:
        rows.setdefault(row["row"], []).append(row)
    return [_median_row(each) for each in rows.values()]


def _median_row(rounds):
    good = [row for row in rounds if "unavailable" not in row]
    if not good:
        return rounds[0]
    row = dict(good[-1], rounds=len(good), turns=_numbered_turns(good))
    for name, value in row.items():
        if isinstance(value, (int, float)) and name != "rounds":
            middle = statistics.median_low if isinstance(value, int) else statistics.median
            row[name] = middle([each[name] for each in good])
    return row


def _numbered_turns(rounds):
    """By round and turn: what ran one after the other in two rows has the same number."""
    return {f"{row.get('round', 0)}.{i}": turn
            for row in rounds for i, turn in enumerate(row.get("turns", []))}


def ratios_of_turns(row, baseline, name):
    """Sorted; of the turns that both have."""
    turns, others = row.get("turns", {}), baseline.get("turns", {})
    return sorted(turns[number][name] / others[number][name] for number in turns
                  if number in others)


def ratio(row, baseline, name, more_is_better):
    value, base = row.get(name), baseline.get(name)
    if more_is_better is None or row is baseline or not value or not base:
        return None
    if not more_is_better:
        return base / value
    return statistics.median(ratios_of_turns(row, baseline, name) or [value / base])


def _cell(row, baseline, column):
    _, name, digits, more = column
    value = row.get(name)
    if value is None:
        return "-"
    times = ratio(row, baseline, name, more)
    text = f"{value:,.{digits}f}"
    if value == 0 and name == "pool_tables_kb" and baseline.get(name):
        return f"{text} (>{baseline[name] / TABLE_KB:.0f}x)"  # no table of its own at all
    return text if times is None else f"{text} ({times:.1f}x)"


def _machines(rows):
    found = {}
    for row in rows:
        found.setdefault(row["machine"], []).append(row)
    return found


def _print_table(lines):
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    for line in lines:
        first, *rest = (cell.rjust(width) for cell, width in zip(line, widths))
        print("  ".join([line[0].ljust(len(first)), *rest]).rstrip())


def _show_spread(row, baseline):
    times = ratios_of_turns(row, baseline, "tps")
    if row is baseline or len(times) < 4:
        return
    low, _, high = statistics.quantiles(times, n=4, method="inclusive")
    print(f"{row['row']}: {times[0]:.2f} to {times[-1]:.2f} times the transactions of"
          f" {BASELINE} in {len(times)} turns, half of them {low:.2f} to {high:.2f}")


def _show_machine(machine, rows):
    good = [row for row in rows if "unavailable" not in row]
    if good:
        first = good[0]
        print(f"\n{machine}, Linux {first['kernel']}: shared_buffers {first['shared_buffers_mib']}"
              f" MiB, {first['filled_bytes'] >> 20} MiB of them filled, load before"
              f" {', '.join(dict.fromkeys(format(row['load_before'], '.1f') for row in good))}\n")
        baseline = next((row for row in good if row["row"] == BASELINE), {})
        _print_table([["", *(column[0] for column in COLUMNS)],
                      *([row["row"], *(_cell(row, baseline, column) for column in COLUMNS)]
                        for row in good)])
        for row in good:
            _show_spread(row, baseline)
    for row in rows:
        _remark(row)


def _asked(row):
    name = row["backend"].split("+")[0]
    return row.get("reported") if name == "auto" else name


def _remark(row):
    if "unavailable" in row:
        print(f"\n{row['row']} could not be measured: {row['unavailable'].strip()}")
        print("".join(f"    {line}\n" for line in row.get("log", [])), end="")
    elif row["backend"] and row.get("reported") not in (None, _asked(row)):
        print(f"{row['row']}: the pool is {row.get('reported')}, {row.get('reported_reason')}")
    if row.get("settle_seconds"):
        print(f"{row['row']}: the last huge page was made {row['settle_seconds']:.0f} s after the "
              "pool was filled; figures are from afterwards")


def show(rows):
    for machine, of_machine in _machines(rows).items():
        _show_machine(machine, of_machine)
    print(LEGEND, end="")
