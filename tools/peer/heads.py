#!/usr/bin/env python3
"""A head trained on cached features, a row at a time: Tailor, PyTorch on the same cached features,
and PyTorch's head-only step of bert-base that caches nothing.

    PEER_PYTHON tools/peer/heads.py BUILD [--rounds 5] [--threads 2]

768 features, 77 classes, batches of 32 drawn anew from 10,016 rows, AdamW, f32; the tools in turns,
medians over rounds.  Tailor's is tailor-bench's case head-768-b32 (with a relu in front: a network
without any layer has no name); PyTorch is the faster of eager and compiled.  The step without a
cache is the case bert-base-head-8x128 of bench_torch.py ($TAILOR_PEER, default ../shared/peer) in
its fastest mode."""
import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

CASE = "bert-base-head-8x128"


def lines_of(argv):
    done = subprocess.run(list(map(str, argv)), capture_output=True, text=True)
    found = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode or not found:
        sys.exit(f"heads: {' '.join(map(str, argv))}: {done.stderr[-300:]}")
    return found


def tailor(args):
    line, = (x for x in lines_of([args.build / "tailor-bench", "head-768-b32", "--precision", "f32",
                                  "--threads", args.threads, "--json"])
             if x["case"] == "head-768-b32")
    return line["step_ms"] * 1e-3 / 32


def cached(args, mode):
    """Seconds a row of PyTorch's step; the draw of a batch belongs to it."""
    import torch
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    head = torch.nn.Linear(768, 77)
    x, y = torch.randn(10016, 768), torch.randint(0, 77, (10016,))
    batches = torch.randperm(10016).split(32)
    step_of = torch.optim.AdamW(head.parameters(), lr=1e-3, fused=True)
    net = torch.compile(head) if mode == "compile" else head

    def step(rows):
        step_of.zero_grad(set_to_none=True)
        torch.nn.functional.cross_entropy(net(x[rows].relu()), y[rows]).backward()
        step_of.step()

    times = []
    for turn in range(6):
        for rows in batches:
            began = time.perf_counter()
            step(rows)
            times.append(time.perf_counter() - began)
        if turn == 0:
            times.clear()
    print(json.dumps({"row_s": statistics.median(times) / 32}))


def uncached(args):
    script = Path(os.environ.get("TAILOR_PEER", "../shared/peer")) / "bench_torch.py"
    found = lines_of([sys.executable, script, "--cases", CASE, "--dtypes", "bf16", "--threads",
                      args.threads, "--wait-quiet", 20, "--retries", 0])
    return min(x["step_ms"] for x in found if "step_ms" in x) * 1e-3 / 8


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    p.add_argument("build", type=Path)
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--child", help=argparse.SUPPRESS)
    args = p.parse_args()
    if args.child:
        return cached(args, args.child)
    ours, theirs, plain = [], {"eager": [], "compile": []}, []
    for _ in range(args.rounds):
        ours.append(tailor(args))
        for mode, rows in theirs.items():
            rows += [x["row_s"] for x in lines_of([sys.executable, __file__, args.build, "--threads",
                                                   args.threads, "--child", mode])]
        plain.append(uncached(args))
    mode = min(theirs, key=lambda m: statistics.median(theirs[m]))
    a, b, c = (statistics.median(x) for x in (ours, theirs[mode], plain))
    print(f"us a row: Tailor {a * 1e6:.2f}; PyTorch, cached too ({mode}) {b * 1e6:.2f}, {b / a:.1f} times; "
          f"its step of {CASE} {c * 1e6:.0f}, {c / a:.0f} times")
    print(f"{(b / a >= 2) + (c / a >= 500)} passed, {(b / a < 2) + (c / a < 500)} failed, 0 skipped")
    sys.exit(b / a < 2 or c / a < 500)


if __name__ == "__main__":
    main()
