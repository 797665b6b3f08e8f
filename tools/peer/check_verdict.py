#!/usr/bin/env python3
"""Holds a verdict.json to its schema, and its parts to each other; with what `tailor evaluate
--split test --json` says of best/ in another process, also to that.

  check_verdict.py schemas/verdict.schema.json DIR/verdict.json [EVALUATION]   (needs jsonschema)"""
import json
import sys

import jsonschema


def finite(text):
    raise ValueError(f"{text} is not JSON")


def main():
    schema, path, *evaluation = sys.argv[1:]
    with open(path, encoding="utf-8") as f:
        verdict = json.load(f, parse_constant=finite)
    with open(schema, encoding="utf-8") as f:
        jsonschema.Draft202012Validator(json.load(f)).validate(verdict)
    named = [(c["route"], c["base"]) for c in verdict["candidates"] if c["test"]]
    winner, second = verdict["winner"], verdict["runner_up"]
    assert (winner["route"], winner["base"]) in named, "the winner is no candidate that was run"
    if second:
        assert (second["route"], second["base"]) in named, "the runner-up is no candidate"
        low, high = second["difference"]["ci95"]
        assert low <= second["difference"]["mean"] <= high, "an interval without its mean"
        if verdict["outcome"] == "better":
            assert low > 0 and second["difference"]["p"] < 0.05, "better, but not shown"
    for c in verdict["candidates"]:
        for part in ("valid", "test"):
            if c[part] and c[part]["ci95"]:
                low, high = c[part]["ci95"]
                assert low <= c[part]["mean"] <= high, f"{c['route']}: {part} outside its interval"
        assert c["status"] == "done" or c["why"], f"{c['route']}: {c['status']} without a reason"
    for scored in evaluation:
        with open(scored, encoding="utf-8") as f:
            again = json.load(f)
        score = again[verdict["metric"].replace("-", "_")]["value"]
        assert again["rows"] == winner["rows"] and abs(score - winner["test"]) < 1e-9, \
            f"best/ scores {score} on {again['rows']} rows, not {winner['test']}"
    print(f"{path}: {verdict['outcome']}, {winner['route']} {winner['test']:.3f} "
          f"on {winner['rows']} rows, {len(named)} of {len(verdict['candidates'])} candidates ran")


main()
