#!/usr/bin/env python3
"""Entities of tagged words as seqeval counts them (its default mode) -> tests/golden/spans.json.

Sentences of tags drawn at random, well and badly formed, and others said of them: how many spans
are there, are said, and are both; and the F1 of all of them together.

    python tools/golden/spans.py        (needs seqeval)
"""
import json
import pathlib
import random
from importlib.metadata import version

from seqeval.metrics import f1_score
from seqeval.metrics.sequence_labeling import get_entities

random.seed(7)
TAGS = ["O", "O", "O", "B-PER", "I-PER", "B-LOC", "I-LOC", "E-PER", "S-LOC"]


def draw(n):
    return [random.choice(TAGS) for _ in range(n)]


def said_of(tags):
    """Mostly the same."""
    return [t if random.random() < 0.75 else random.choice(TAGS) for t in tags]


true = [draw(random.randint(1, 12)) for _ in range(60)]
said = [said_of(t) for t in true]
cases = []
for t, s in zip(true, said):
    there, found = set(get_entities(t)), set(get_entities(s))
    cases.append(dict(true=t, said=s, counts=[len(there & found), len(found), len(there)]))
out = dict(made_with={"seqeval": version("seqeval")}, f1=float(f1_score(true, said)), cases=cases)
path = pathlib.Path(__file__).resolve().parents[2] / "tests/golden/spans.json"
path.write_text(json.dumps(out, separators=(",", ":")).replace('{"true"', '\n{"true"') + "\n")
print(path, path.stat().st_size, "bytes", out["f1"])
