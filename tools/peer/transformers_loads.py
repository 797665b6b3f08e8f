#!/usr/bin/env python3
"""Loads networks written by Tailor into Transformers, without a tensor missing or too many, and
compares the logits of four packed texts, or of two pictures.
   ninja -C build peer-write-transformer peer-write-model && tools/peer/transformers_loads.py build
Prints one line a network; exit status 1 where max|a-b| / max|b| passes 1e-4."""
import json
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.pop(0)  # this folder has a tokenizers.py of its own

import numpy as np
import torch
import transformers

root = Path(__file__).resolve().parents[2]
offsets = [0, 4, 5, 14, 17]
worst = 0.0


def load(folder):
    kind = json.loads(Path(folder, "config.json").read_text())["architectures"][0]
    model, info = getattr(transformers, kind).from_pretrained(
        folder, attn_implementation="eager", output_loading_info=True)
    assert not info["missing_keys"] and not info["unexpected_keys"], (kind, info)
    return kind, model.eval()


def compare(kind, ours, theirs):
    global worst
    error = np.abs(ours.reshape(theirs.shape) - theirs).max() / np.abs(theirs).max()
    worst = max(worst, error)
    print(f"{kind}: max|a-b| / max|b| = {error:.2e}")


def text(config):
    with tempfile.TemporaryDirectory() as folder:
        asked = Path(folder, "asked.json")
        asked.write_text(json.dumps(config))
        subprocess.run([f"{sys.argv[1]}/peer-write-transformer", asked, folder + "/out"], check=True)
        kind, model = load(folder + "/out")
        ids = torch.tensor([3 + (7 * i + 1) % (config["vocab_size"] - 3) for i in range(17)])
        with torch.no_grad():
            theirs = torch.cat([model(ids[None, a:b]).logits.flatten(0, -2)
                                for a, b in zip(offsets, offsets[1:])]).numpy()
        compare(kind, np.fromfile(folder + "/out/logits.f32", np.float32), theirs)


def picture(name):
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([f"{sys.argv[1]}/peer-write-model", name, folder], check=True)
        kind, model = load(folder)
        x = torch.tensor(np.fromfile(f"{folder}/x.f32", np.float32).reshape(2, 96, 96, 3))
        with torch.no_grad():
            theirs = model(x.permute(0, 3, 1, 2)).logits.numpy()
        compare(kind, np.fromfile(f"{folder}/logits.f32", np.float32), theirs)


transformers.logging.set_verbosity_error()
for case in json.loads((root / "tests/golden/transformers.json").read_text())["cases"]:
    if "lengths" in case:
        text(case["config"])
for name in ("vit:2x64x16", "deit-tiny"):
    picture(name)
print(f"Transformers {transformers.__version__}: worst {worst:.2e}")
sys.exit(int(worst > 1e-4))
