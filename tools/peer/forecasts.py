#!/usr/bin/env python3
"""Forecasts against what was paid, over every verdict.json under some folders.

    tools/peer/forecasts.py FOLDER...    exit 1: a median error over 30 % of time, 15 % of memory

A verdict's forecast is for as many runs as its cost is summed over; its memory is that of the
hungriest run.  Candidates of which a run failed are left out: their cost counts only the others.
How many runs were stopped by patience, which no forecast knows, is read from runs.db."""
import json
import sqlite3
import statistics
import sys
from pathlib import Path

MOST = {"seconds": 0.30, "peak_bytes": 0.15}


def stopped_early(folder):
    with sqlite3.connect(f"file:{folder / 'runs.db'}?mode=ro", uri=True) as db:
        results = [json.loads(r) for r, in db.execute("SELECT result FROM runs WHERE result "
                                                      "IS NOT NULL")]
    return sum(r.get("stopped") == "patience" for r in results), len(results)


def errors(candidate):
    """{field: (forecast - cost) / cost}, or None where the two are not both known."""
    cost, forecast = candidate["cost"], candidate["forecast"]
    if candidate["status"] == "failed" or not cost or not forecast:
        return None
    return {k: (forecast[k] - cost[k]) / cost[k] for k in MOST if cost[k] > 0}


def median_of(rows, field):
    return statistics.median(abs(r[field]) for r in rows if field in r)


def main():
    found, rows = [], []
    for folder in sys.argv[1:]:
        found += sorted(Path(folder).rglob("verdict.json"))
    for path in found:
        candidates = json.loads(path.read_text(encoding="utf-8"))["candidates"]
        here = [(c["route"], e) for c in candidates if (e := errors(c)) and len(e) == len(MOST)]
        if not here:
            print(f"{path.parent}: no candidate with both forecast and cost")
            continue
        early, runs = stopped_early(path.parent)
        print(f"{path.parent}: {len(here)} candidates, {early} of {runs} runs stopped by patience: "
              + ", ".join(f"{route} {e['seconds']:+.0%} time {e['peak_bytes']:+.0%} memory"
                          for route, e in here))
        rows += [e for _, e in here]
    if not rows:
        sys.exit("forecasts: no verdict.json with forecasts (run tailor compare first)")
    medians = {k: median_of(rows, k) for k in MOST}
    print(f"{len(rows)} candidates of {len(found)} comparisons: median error of time "
          f"{medians['seconds']:.0%} (at most 30 %), of memory {medians['peak_bytes']:.0%} "
          f"(at most 15 %)")
    sys.exit(any(medians[k] > MOST[k] for k in MOST))


main()
