#!/usr/bin/env python3
"""What a base in four bits holds in memory while adapters learn beside it, against the same base
in bfloat16 in PyTorch: both measured as the resident memory of a process.
   tools/peer/resident.py build [--rounds 3]
A BERT of bert-base's size, one of its width with a third of the layers and a sixth of the words,
and one of a few thousand weights are trained by `qlora` on the same texts, one short text a step,
rank 1.  The median residence of the first less the second's is what the weights between them take,
with what belongs to a layer (activations of five tokens, an adapter); less the third's it holds,
besides, the scratch that one product is unpacked into and what stays in f32.  PyTorch's is what a
process grows by when it holds the large one's weights in bfloat16.
Exit status 1 where the ratio passes 0.35."""
import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.append(sys.path.pop(0))  # this folder has a tokenizers.py of its own

import torch
import transformers

MOST = 0.35
NAMES = [f"name{i}" for i in range(60)]
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "fine", "dull", "is", *NAMES]
PEER = """
import ctypes, gc, sys, torch, transformers
def anon():
    gc.collect(); ctypes.CDLL("libc.so.6").malloc_trim(0)
    return next(int(s.split()[1]) for s in open("/proc/self/status") if s.startswith("RssAnon"))
net = transformers.BertModel(transformers.BertConfig(num_hidden_layers=1, hidden_size=64,
    num_attention_heads=1, intermediate_size=64, vocab_size=10)).to(torch.bfloat16)
before = anon()
net = transformers.BertModel.from_pretrained(sys.argv[1]).to(torch.bfloat16)
print(anon() - before)
"""


def make(folder, layers, width, vocab):
    config = transformers.BertConfig(
        num_hidden_layers=layers, hidden_size=width, num_attention_heads=width // 64,
        intermediate_size=4 * width, vocab_size=vocab)
    torch.manual_seed(0)
    transformers.BertModel(config).save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join(WORDS) + "\n")
    return sum(p.numel() for p in transformers.BertModel(config).parameters())


def resident(pid):
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return None
    return next((int(s.split()[1]) for s in lines if s.startswith("VmRSS")), None)


def trained(build, at, base):
    """KiB, the median over the run: steps are most of it."""
    run = subprocess.Popen(
        [f"{build}/tailor", "train", at / "texts.csv", "--base", at / base, "--route", "qlora",
         "--text", "text", "--label", "label", "--batch-size", "1", "--steps", "150", "--set",
         "lora.r=1", "--threads", "1", "--precision", "bf16", "--quiet", "--yes", "--out",
         at / f"run-{time.monotonic_ns()}"],
        stdout=subprocess.DEVNULL)
    seen = []
    while run.poll() is None:
        seen.append(resident(run.pid))
        time.sleep(0.02)
    assert run.returncode == 0
    return statistics.median(x for x in seen if x)


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    p.add_argument("build")
    p.add_argument("--rounds", type=int, default=3)
    args = p.parse_args()
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    with tempfile.TemporaryDirectory() as name:
        at = Path(name)
        rows = "\n".join(f"{n} is {w},{w}" for n in NAMES for w in ("fine", "dull"))
        (at / "texts.csv").write_text(f"text,label\n{rows}\n")
        sizes = {"large": (12, 768, 30522), "less": (4, 768, 5000), "none": (1, 64, len(WORDS))}
        weights = {name: make(at / name, *size) for name, size in sizes.items()}
        held = {name: [] for name in sizes}
        for _ in range(args.rounds):
            for name in sizes:
                held[name].append(trained(args.build, at, name) / 1024)
        peer = [int(subprocess.run([sys.executable, "-c", PEER, at / "large"], check=True,
                                   capture_output=True, text=True).stdout) / 1024
                for _ in range(args.rounds)]
    for name, mib in held.items():
        print(f"qlora over {weights[name]:,} weights: {', '.join(f'{m:.0f}' for m in mib)} MiB")
    a_weight = statistics.median(peer) / weights["large"]
    print(f"PyTorch's bfloat16: {statistics.median(peer):.1f} MiB, "
          f"{a_weight * 2**20:.3f} bytes a weight")
    for name in ("none", "less"):
        ours = statistics.median(a - b for a, b in zip(held["large"], held[name]))
        ratio = ours / (a_weight * (weights["large"] - weights[name]))
        print(f"between {weights[name]:,} and {weights['large']:,} weights: {ours:.1f} MiB, "
              f"{ratio:.3f} of bfloat16's")
    print(f"frozen weights take {ratio:.3f} of bfloat16's (at most {MOST})")
    sys.exit(ratio > MOST)


main()
