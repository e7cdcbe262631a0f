#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What bench-postgres makes of measured rows: medians, ratios the right way round, and a chart that
is XML whatever a row says. Test Anything Protocol."""
import contextlib
import io
import pathlib
import sys
import xml.etree.ElementTree

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "databases"))

import postgres_chart  # noqa: E402
import postgres_table  # noqa: E402
import tap  # noqa: E402

COMMON = {"machine": "native", "kernel": "1.2.3", "clients": 10, "shared_buffers_mib": 64,
          "filled_bytes": 1 << 20, "load_before": 0.5, "backend": None, "settle_seconds": 0}
PLAIN = {**COMMON, "row": "plain", "page_tables_kb": 1000, "pool_tables_kb": 900,
         "faults_per_second": 5000, "faults_of_pass": 500, "connect_ms": 300,
         "connect_cpu_ms": 200, "ready_ms": 900, "ready_cpu_ms": 800,
         "reconnect_ms": 800, "reconnect_cpu_ms": 700, "tps": 100,
         "transactions_per_cpu_second": 50}
THP = {**PLAIN, "row": "thp", "backend": "thp", "reported": "thp", "page_tables_kb": 50,
       "pool_tables_kb": 9, "tps": 160, "faults_of_pass": 0}
MISSING = {**COMMON, "row": "hugetlb", "backend": "hugetlb",
           "unavailable": "no <huge> pages & \"more\"", "log": ["FATAL: could not map"]}


def shown(rows):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        postgres_table.show(rows)
    return out.getvalue()


def less_is_better_and_more_is_better(_):
    tap.expect(postgres_table.ratio(THP, PLAIN, "page_tables_kb", False) == 20, "page tables")
    tap.expect(postgres_table.ratio(THP, PLAIN, "tps", True) == 1.6, "tps")
    tap.expect(postgres_table.ratio(PLAIN, PLAIN, "tps", True) is None, "baseline with itself")
    tap.expect(postgres_table.ratio(THP, PLAIN, "faults_of_pass", False) is None, "over zero")


def medians_of_rounds(_):
    rounds = [{**PLAIN, "tps": tps} for tps in (90, 300, 110)] + [THP]
    rows = postgres_table.medians(rounds)
    tap.expect([row["row"] for row in rows] == ["plain", "thp"], rows)
    tap.expect(rows[0]["tps"] == 110 and rows[0]["rounds"] == 3, rows[0])


def with_turns(row, number, *all_tps):
    return {**row, "round": number, "tps": sorted(all_tps)[len(all_tps) // 2],
            "turns": [{"tps": tps, "transactions_per_cpu_second": tps} for tps in all_tps]}


def turns_are_compared_with_those_beside_them(_):
    plain = [with_turns(PLAIN, 0, 100, 200, 300), with_turns(PLAIN, 1, 50, 60, 70)]
    thp = [with_turns(THP, 1, 100, 120, 140), with_turns(THP, 0, 120, 210, 310)]
    rows = postgres_table.medians(plain + thp)
    times = postgres_table.ratios_of_turns(rows[1], rows[0], "tps")
    tap.expect([round(each, 2) for each in times] == [1.03, 1.05, 1.2, 2, 2, 2], times)
    tap.expect(round(postgres_table.ratio(rows[1], rows[0], "tps", True), 2) == 1.6, times)
    text = shown(rows)
    tap.expect("thp: 1.03 to 2.00 times the transactions of plain in 6 turns" in text, text)
    tap.expect("(1.6x)" in text, text)


def a_turn_that_only_one_has_does_not_count(_):
    rows = postgres_table.medians([with_turns(PLAIN, 0, 100, 100), with_turns(PLAIN, 1, 10, 10),
                                   {**MISSING, "row": "thp", "round": 0},
                                   with_turns(THP, 1, 20, 30)])
    times = postgres_table.ratios_of_turns(rows[1], rows[0], "tps")
    tap.expect(times == [2, 3], times)
    tap.expect("in 2 turns" not in shown(rows), "a spread of two")


def a_round_that_failed_does_not_count(_):
    rows = postgres_table.medians([MISSING, {**PLAIN, "row": "hugetlb"}])
    tap.expect("unavailable" not in rows[0] and rows[0]["rounds"] == 1, rows)
    tap.expect(postgres_table.medians([MISSING, MISSING]) == [MISSING], "all of them failed")


def the_table_has_every_figure(_):
    text = shown([PLAIN, THP, MISSING])
    line = next(line for line in text.splitlines() if line.startswith("thp"))
    for word in ("50 (20.0x)", "9 (100.0x)", "160 (1.6x)"):
        tap.expect(word in line, f"{word} is not in: {line}")
    tap.expect(MISSING["unavailable"] in text and "could not map" in text, "a reason is missing")


def a_weaker_backend_is_told(_):
    text = shown([PLAIN, {**THP, "reported": "plain", "reported_reason": "no room"}])
    tap.expect("thp: the pool is plain, no room" in text, text)
    tap.expect("the pool is" not in shown([PLAIN, THP]), "told of the backend that was asked for")


def the_chart_is_well_formed(_):
    root = xml.etree.ElementTree.fromstring(postgres_chart.draw([PLAIN, THP, MISSING]))
    texts = ["".join(each.itertext()) for each in root.iter("{http://www.w3.org/2000/svg}text")]
    tap.expect("160  (1.6x more)" in texts and "9 kB  (100x less)" in texts, texts)
    tap.expect(texts.count("not measured") == len(postgres_chart.PANELS), texts)


def bars_are_in_proportion(_):
    root = xml.etree.ElementTree.fromstring(postgres_chart.draw([PLAIN, THP]))
    bars = [float(each.get("width")) for each in root.iter("{http://www.w3.org/2000/svg}rect")
            if each.get("rx")]
    tps = bars[-2:]
    tap.expect(abs(tps[1] / tps[0] - 1.6) < 0.01, tps)


if __name__ == "__main__":
    sys.exit(tap.run([less_is_better_and_more_is_better, medians_of_rounds,
                      turns_are_compared_with_those_beside_them,
                      a_turn_that_only_one_has_does_not_count,
                      a_round_that_failed_does_not_count, the_table_has_every_figure,
                      a_weaker_backend_is_told, the_chart_is_well_formed, bars_are_in_proportion],
                     None))
