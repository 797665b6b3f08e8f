#!/usr/bin/env python3
"""Adapters between Tailor and PEFT, both ways, on a tiny ViT and drawn pictures.
   tools/peer/peft_loads.py build
What Tailor wrote: best/adapter/ over the base in PEFT gives the logits of best/ in Transformers.
What PEFT wrote: Tailor gives the probabilities of the model that PEFT merged.
Prints one line a case; exit status 1 where max|a-b| / max|b| passes 1e-4."""
import json
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.pop(0)  # this folder has a tokenizers.py of its own

import numpy as np
import peft
import torch
import transformers
from PIL import Image

transformers.logging.set_verbosity_error()
tailor = f"{sys.argv[1]}/tailor"
SIDE, CLASSES = 20, 3
worst = 0.0


def compare(name, ours, theirs):
    global worst
    error = float(np.abs(ours - theirs).max() / np.abs(theirs).max())
    worst = max(worst, error)
    print(f"{name}: max|a-b| / max|b| = {error:.2e}")


def draw(folder):
    """Stripes of three widths, with noise."""
    rng = np.random.default_rng(0)
    for label in range(CLASSES):
        Path(folder, f"class{label}").mkdir(parents=True)
        for i in range(30):
            wave = np.sin(np.arange(SIDE)[None, :, None] * (label + 1) * 0.6 + i)
            x = 128 + 80 * wave + rng.normal(0, 20, (SIDE, SIDE, 3))
            Image.fromarray(x.clip(0, 255).astype(np.uint8)).save(f"{folder}/class{label}/{i}.png")


def make_base(folder):
    torch.manual_seed(0)
    config = transformers.ViTConfig(
        hidden_size=48, num_hidden_layers=2, num_attention_heads=3, intermediate_size=80,
        image_size=SIDE, patch_size=5, num_labels=CLASSES)
    transformers.ViTForImageClassification(config).save_pretrained(folder)
    half = [0.5, 0.5, 0.5]
    Path(folder, "preprocessor_config.json").write_text(json.dumps(dict(
        do_resize=False, size=dict(height=SIDE, width=SIDE), image_mean=half, image_std=half)))


def load(folder):
    return transformers.ViTForImageClassification.from_pretrained(folder).eval()


def logits(model):
    x = torch.tensor(np.random.default_rng(1).normal(0, 1, (8, 3, SIDE, SIDE)), dtype=torch.float32)
    with torch.no_grad():
        return model(x).logits.numpy()


def answers(model, pictures):
    """Probabilities as Tailor gives them, one row a picture."""
    out = subprocess.run([tailor, "predict", model, pictures, "--precision", "f32"], check=True,
                         capture_output=True, text=True).stdout
    rows = [{t["label"]: t["score"] for t in json.loads(line)["top5"]} for line in out.splitlines()]
    return np.array([[r[k] for k in sorted(r)] for r in rows])


def written_by_tailor(at, route):
    out = f"{at}/{route}"
    subprocess.run([tailor, "train", f"{at}/data", "--base", f"{at}/base", "--route", route,
                    "--epochs", "2", "--set", "augment=none", "--out", out, "--quiet"],
                   check=True, stdout=subprocess.DEVNULL)
    ours = load(f"{out}/best")
    theirs = peft.PeftModel.from_pretrained(load(f"{at}/base"), f"{out}/best/adapter").eval()
    moved = np.abs(logits(theirs) - logits(load(f"{at}/base"))).max()
    assert moved > 1e-3, f"{route} learned nothing"
    compare(f"{route}, written by Tailor", logits(ours), logits(theirs))


def written_by_peft(at, name, config):
    torch.manual_seed(1)
    model = peft.get_peft_model(load(f"{at}/base"), config)
    with torch.no_grad():
        for key, p in model.named_parameters():
            if p.requires_grad:
                p.add_(torch.randn_like(p) * 0.2)
    model.save_pretrained(f"{at}/{name}")
    model.merge_and_unload().save_pretrained(f"{at}/{name}-merged")
    for file in ("preprocessor_config.json",):
        Path(f"{at}/{name}-merged", file).write_text(Path(at, "base", file).read_text())
    ours = answers(f"{at}/{name}", f"{at}/data")
    assert np.abs(ours - answers(f"{at}/base", f"{at}/data")).max() > 0.01, f"{name} does nothing"
    compare(f"{name}, written by PEFT", ours, answers(f"{at}/{name}-merged", f"{at}/data"))


with tempfile.TemporaryDirectory() as at:
    draw(f"{at}/data")
    make_base(f"{at}/base")
    for route in ("lora", "rslora", "dora", "ia3"):
        written_by_tailor(at, route)
    head = dict(modules_to_save=["classifier"])
    for name, config in {
        "lora-all": peft.LoraConfig(r=3, lora_alpha=6, target_modules="all-linear", **head),
        "rslora": peft.LoraConfig(r=4, use_rslora=True, target_modules=["q_proj", "v_proj"], **head),
        "dora": peft.LoraConfig(r=3, use_dora=True, target_modules=["k_proj", "fc1", "o_proj"],
                                **head),
        "ia3": peft.IA3Config(target_modules=["k_proj", "v_proj", "fc2"],
                              feedforward_modules=["fc2"], **head),
    }.items():
        written_by_peft(at, "peft-" + name, config)
print(f"PEFT {peft.__version__}, Transformers {transformers.__version__}: worst {worst:.2e}")
sys.exit(int(not worst < 1e-4))
