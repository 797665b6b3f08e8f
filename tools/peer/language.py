#!/usr/bin/env python3
"""Language models that `tailor pretrain` wrote, opened by Transformers: the same tokens, and the
same mean loss on held-out text (causal, in f32; relative difference at most 1e-5); a masked
model's loss at the masks that Tailor drew is not asked again, but every weight is taken and none
is new, and its tokenizer hides and frames as it was taught to.

    tools/peer/language.py BUILD [--steps 40]"""
import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.pop(0)  # tokenizers.py lies beside this file
import torch
from transformers import AutoModelForCausalLM, AutoModelForMaskedLM, AutoTokenizer

TEXT = Path(os.environ.get("TAILOR_DATA", "../shared/data")) / "text/tinyshakespeare.txt"
BLOCK, BYTES = 64, 300_000
CAUSAL = [("gpt2:2x64", "chars"), ("gpt2:2x64", "bpe"), ("llama:2x64", "bpe")]
MASKED = [("bert:2x64", "wordpiece"), ("roberta:2x64", "bpe")]


def pretrain(args, data, arch, tokenizer, out):
    run = [args.build / "tailor", "pretrain", data / "train.txt", "--arch", arch, "--tokenizer",
           tokenizer, "--vocab", "600", "--block", str(BLOCK), "--steps", str(args.steps),
           "--precision", "f32", "--quiet", "--json", "--out", out]
    return json.loads(subprocess.run(run, check=True, stdout=subprocess.PIPE).stdout)


def opened(kind, folder):
    """The model, which must take every weight and need no other."""
    model, report = kind.from_pretrained(folder, output_loading_info=True)
    if report["missing_keys"] or report["unexpected_keys"] or report["mismatched_keys"]:
        sys.exit(f"language.py: {folder}: {report}")
    return model.eval(), AutoTokenizer.from_pretrained(folder)


def mean_loss(model, ids):
    """Of every token behind the first, in the blocks that Tailor cuts."""
    total, ids = 0.0, torch.tensor(ids)
    with torch.no_grad():
        for at in range(0, len(ids) - 1, BLOCK):
            x, y = ids[at:at + BLOCK], ids[at + 1:at + BLOCK + 1]
            logits = model(x[None, :len(y)]).logits[0].double()
            total += torch.nn.functional.cross_entropy(logits, y, reduction="sum").item()
    return total / (len(ids) - 1)


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    p.add_argument("build", type=Path)
    p.add_argument("--steps", type=int, default=40)
    args = p.parse_args()
    wrong = 0
    with tempfile.TemporaryDirectory() as name:
        data = Path(name)
        text = TEXT.read_text()[:BYTES]
        held = text[-BYTES // 20:]
        (data / "train.txt").write_text(text[:-BYTES // 20])
        (data / "valid.txt").write_text(held)
        for i, (arch, tokenizer) in enumerate(CAUSAL):
            out = data / f"causal-{i}"
            said = pretrain(args, data, arch, tokenizer, out)["valid"]
            model, theirs = opened(AutoModelForCausalLM, out / "best")
            ids = theirs(held, add_special_tokens=False)["input_ids"]
            loss = mean_loss(model, ids + [theirs.eos_token_id])
            away = abs(loss - said["loss"]) / loss
            fine = len(ids) == said["rows"] and away < 1e-5
            wrong += not fine
            print(f"{arch} {tokenizer}: {len(ids)} tokens, loss {loss:.6f} in Transformers, "
                  f"{said['loss']:.6f} here: {'same' if fine else 'DIFFERENT'}")
        for i, (arch, tokenizer) in enumerate(MASKED):
            out = data / f"masked-{i}"
            said = pretrain(args, data, arch, tokenizer, out)["valid"]
            model, theirs = opened(AutoModelForMaskedLM, out / "best")
            ids = theirs(f"To be, or not {theirs.mask_token}")["input_ids"]
            fine = ids[0] == theirs.cls_token_id and ids[-1] == theirs.sep_token_id
            fine &= theirs.mask_token_id in ids
            with torch.no_grad():
                fine &= model(torch.tensor([ids])).logits.shape[-1] == model.config.vocab_size
            wrong += not fine
            print(f"{arch} {tokenizer}: taken whole, loss of a hidden token {said['loss']:.4f}: "
                  f"{'well' if fine else 'WRONG'}")
    sys.exit(wrong > 0)


main()
