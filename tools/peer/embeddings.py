"""Vectors of texts as `tailor predict --npy` gives them, beside Transformers' hidden states pooled
as a directory of sentence-transformers says (or --pooling mean, cls, last).

  python tools/peer/embeddings.py TAILOR MODEL TEXTS [--pooling mean|cls|last]

TEXTS: a file of a text a line.  Held: the largest difference of any number is at most 1e-4."""
import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.pop(0)   # tokenizers.py beside this is not the package
import numpy
import torch
from transformers import AutoModel, AutoTokenizer

MOST = 1e-4
KEYS = {"pooling_mode_mean_tokens": "mean", "pooling_mode_cls_token": "cls",
        "pooling_mode_lasttoken": "last"}


def asked(model, pooling):
    """(pooling, normalised, tokens at most)"""
    size = model / "sentence_bert_config.json"
    most = json.loads(size.read_text())["max_seq_length"] if size.exists() else 512
    if pooling or not (model / "modules.json").exists():
        return pooling or "mean", False, most
    modules = {m["type"].split(".")[-1]: m["path"] for m in json.loads((model / "modules.json").read_text())}
    config = json.loads((model / modules["Pooling"] / "config.json").read_text())
    return next(KEYS[k] for k in KEYS if config.get(k)), "Normalize" in modules, most


@torch.no_grad()
def vectors(model, texts, pooling, normalised, most):
    tokenizer, net = AutoTokenizer.from_pretrained(model), AutoModel.from_pretrained(model).eval()
    out = []
    for text in texts:
        ids = tokenizer([text], truncation=True, max_length=most, return_tensors="pt")
        hidden = net(**ids).last_hidden_state[0]
        y = {"mean": hidden.mean(0), "cls": hidden[0], "last": hidden[-1]}[pooling]
        out.append(torch.nn.functional.normalize(y, dim=0) if normalised else y)
    return torch.stack(out).numpy()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("tailor")
    parser.add_argument("model", type=Path)
    parser.add_argument("texts", type=Path)
    parser.add_argument("--pooling", choices=["mean", "cls", "last"])
    args = parser.parse_args()
    texts = [t for t in args.texts.read_text().splitlines() if t.strip()]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "vectors.npy"
        start = time.monotonic()
        subprocess.run([args.tailor, "predict", args.model, args.texts, "--npy", file, "--quiet",
                        *(["--pooling", args.pooling] if args.pooling else [])], check=True)
        ours, ours_s = numpy.load(file), time.monotonic() - start
    how = asked(args.model, args.pooling)
    start  = time.monotonic()
    theirs = vectors(args.model, texts, *how)
    worst  = numpy.abs(ours - theirs).max()
    print(f"{len(texts)} texts, {ours.shape[1]} numbers each, pooling {how[0]}, normalised {how[1]}, "
          f"at most {how[2]} tokens: worst difference {worst:.2e}; {ours_s:.1f} s and "
          f"{time.monotonic() - start:.1f} s (model opened, one text at a time)")
    raise SystemExit(worst > MOST or ours.shape != theirs.shape)


if __name__ == "__main__":
    main()
