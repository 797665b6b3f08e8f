#!/usr/bin/env python3
"""Adapters between Tailor and PEFT, both ways: a tiny ViT and drawn pictures, a tiny BERT and GPT-2
and sentences; Tailor trains the latter two first.
   tools/peer/peft_loads.py build
What Tailor wrote: best/adapter/ over the base in PEFT gives the logits of best/ in Transformers.
What PEFT wrote: Tailor gives the probabilities of the model that PEFT merged.
Prints one line a case; exit status 1 where max|a-b| / max|b| passes 1e-4."""
import json
import shutil
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


def train(at, data, out, *more):
    subprocess.run([tailor, "train", f"{at}/{data}", "--epochs", "2", "--out", f"{at}/{out}",
                    "--quiet", *more], check=True, stdout=subprocess.DEVNULL)


def write(path):
    """Sentences whose words say the class."""
    rng = np.random.default_rng(2)
    words = [["fine", "lovely", "bright"], ["dull", "awful", "grey"]]
    with open(path, "w") as file:
        file.write("text,label\n")
        for i in range(120):
            kind = int(rng.integers(2))
            file.write(f"it was a {rng.choice(words[kind])} day in the {i}th week,class{kind}\n")


def load(folder):
    kind = json.loads(Path(folder, "config.json").read_text())["architectures"][0]
    return getattr(transformers, kind).from_pretrained(folder).eval()


def logits(model):
    if not hasattr(model.config, "vocab_size"):
        x = np.random.default_rng(1).normal(0, 1, (8, 3, SIDE, SIDE))
        with torch.no_grad():
            return model(torch.tensor(x, dtype=torch.float32)).logits.numpy()
    with torch.no_grad():  # one by one: GPT-2 looks for the padding
        return np.concatenate([model(torch.arange(5, 5 + n)[None]).logits.numpy()
                               for n in (3, 7, 12)])


def answers(model, pictures):
    """Probabilities as Tailor gives them, one row a picture."""
    out = subprocess.run([tailor, "predict", model, pictures, "--precision", "f32"], check=True,
                         capture_output=True, text=True).stdout
    rows = [{t["label"]: t["score"] for t in json.loads(line)["top5"]} for line in out.splitlines()]
    return np.array([[r[k] for k in sorted(r)] for r in rows])


def written_by_tailor(at, data, base, route):
    out = f"{base}-{route}"
    train(at, data, out, "--base", f"{at}/{base}", "--route", route, "--set", "augment=none",
          "--lr", "0.003")
    ours = logits(load(f"{at}/{out}/best"))
    wrapped = peft.PeftModel.from_pretrained(load(f"{at}/{base}"), f"{at}/{out}/best/adapter")
    moved = np.abs(logits(load(f"{at}/{base}")) - ours).max()
    assert moved > 1e-3, f"{route} learned nothing"
    compare(f"{out}, written by Tailor", ours, logits(wrapped.eval()))


def written_by_peft(at, data, base, name, config):
    torch.manual_seed(1)
    model = peft.get_peft_model(load(f"{at}/{base}"), config)
    with torch.no_grad():
        for key, p in model.named_parameters():
            if p.requires_grad:
                p.add_(torch.randn_like(p) * 0.2)
    out = f"{at}/{base}-peft-{name}"
    model.save_pretrained(out)
    shutil.copytree(f"{at}/{base}", out + "-merged", ignore=shutil.ignore_patterns("tailor.json"))
    model.merge_and_unload().save_pretrained(out + "-merged")
    ours = answers(out, f"{at}/{data}")
    plain = answers(f"{at}/{base}", f"{at}/{data}")
    assert np.abs(ours - plain).max() > 0.01, f"{name} does nothing"
    compare(f"{base}-{name}, written by PEFT", ours, answers(out + "-merged", f"{at}/{data}"))


def texts_of(path):
    return [line.rsplit(",", 1)[0] for line in Path(path).read_text().splitlines()[1:]]


def probabilities(model, tokenizer, texts):
    with torch.no_grad():
        rows = [model(**tokenizer(t, return_tensors="pt")).logits[0] for t in texts]
    return torch.softmax(torch.stack(rows), -1).numpy()


def prefixes(at, data, base):
    """What is not merged: probabilities of the same texts, over adapters of both."""
    out, texts = f"{base}-prefix", texts_of(f"{at}/{data}")
    tokenizer = transformers.AutoTokenizer.from_pretrained(f"{at}/{base}")
    train(at, data, out, "--base", f"{at}/{base}", "--route", "prefix")
    wrapped = peft.PeftModel.from_pretrained(load(f"{at}/{base}"), f"{at}/{out}/best/adapter")
    compare(f"{out}, written by Tailor", answers(f"{at}/{out}/best", f"{at}/{data}"),
            probabilities(wrapped.eval(), tokenizer, texts))
    torch.manual_seed(1)
    model = peft.get_peft_model(load(f"{at}/{base}"), peft.PrefixTuningConfig(
        task_type="SEQ_CLS", num_virtual_tokens=7)).eval()
    model.save_pretrained(f"{at}/{base}-peft-prefix")
    compare(f"{base}-prefix, written by PEFT",
            answers(f"{at}/{base}-peft-prefix", f"{at}/{data}"),
            probabilities(model, tokenizer, texts))


def lora(**more):
    return peft.LoraConfig(**{**dict(r=3, lora_alpha=6, target_modules="all-linear"), **more})


with tempfile.TemporaryDirectory() as at:
    draw(f"{at}/pictures")
    write(f"{at}/texts.csv")
    make_base(f"{at}/vit")
    for family in ("bert", "gpt2"):
        train(at, "texts.csv", family + "-run", "--arch", f"{family}:2x64")
        shutil.move(f"{at}/{family}-run/best", f"{at}/{family}")
    for base, data in (("vit", "pictures"), ("bert", "texts.csv"), ("gpt2", "texts.csv")):
        for route in ("lora", "rslora", "dora", "ia3"):
            written_by_tailor(at, data, base, route)
    head = dict(modules_to_save=["classifier"])
    written_by_peft(at, "pictures", "vit", "lora", lora(**head))
    written_by_peft(at, "pictures", "vit", "rslora",
                    lora(use_rslora=True, target_modules=["q_proj", "v_proj"], **head))
    written_by_peft(at, "pictures", "vit", "dora",
                    lora(use_dora=True, target_modules=["k_proj", "fc1", "o_proj"], **head))
    written_by_peft(at, "pictures", "vit", "ia3", peft.IA3Config(
        target_modules=["k_proj", "v_proj", "fc2"], feedforward_modules=["fc2"], **head))
    text = dict(task_type="SEQ_CLS")
    for base in ("bert", "gpt2"):
        written_by_peft(at, "texts.csv", base, "lora", lora(**text))
        written_by_peft(at, "texts.csv", base, "dora", lora(use_dora=True, **text))
        prefixes(at, "texts.csv", base)
        written_by_peft(at, "texts.csv", base, "ia3", peft.IA3Config(**text))
print(f"PEFT {peft.__version__}, Transformers {transformers.__version__}: worst {worst:.2e}")
sys.exit(int(not worst < 1e-4))
