"""A model of texts that Tailor wrote, loaded by Transformers with its own tokenizer files: the same
answers for the same texts, be they one class of several, several labels, ranks, a number or a tag
for each word.

    tailor predict BEST TEXTS.txt >said.jsonl
    text_loads.py BEST TEXTS.txt said.jsonl
"""
import json
import sys

sys.path.pop(0)  # this folder has a tokenizers.py of its own

import torch
import transformers
from transformers import (AutoModelForSequenceClassification, AutoModelForTokenClassification,
                          AutoTokenizer)

best, texts, said = sys.argv[1:4]
tokenizer = AutoTokenizer.from_pretrained(best)
about = json.load(open(f"{best}/tailor.json"))
tags = about["task"] == "token-classification"
kind = AutoModelForTokenClassification if tags else AutoModelForSequenceClassification
model = kind.from_pretrained(best).eval()
prep, labels = about["prep"], about["labels"]
lines = [line.rstrip("\n") for line in open(texts, encoding="utf-8") if line.strip()]
answers = [json.loads(line) for line in open(said, encoding="utf-8")]
assert len(lines) == len(answers), (len(lines), len(answers))


def ranks(logits):
    """Output k asks whether the rank is above k, given that it is k at least; the last nothing."""
    one, none = torch.ones(1, dtype=torch.double), torch.zeros(1, dtype=torch.double)
    reached = torch.cat([one, torch.cumprod(torch.sigmoid(logits[:-1]), 0), none])
    return reached[:-1] - reached[1:]


def apart(logits, answer):
    """The largest difference to what Tailor said."""
    kind = model.config.problem_type
    if kind == "regression":
        target = prep["target"]
        return abs(float(logits[0]) * target["scale"] + target["mean"] - answer["value"])
    if kind == "multi_label_classification":
        p = ranks(logits) if "ordinal" in about["task"] else torch.sigmoid(logits)
        return max(abs(float(p[labels.index(s["label"])]) - s["score"]) for s in answer["scores"])
    p = torch.softmax(logits, 0)
    return max(abs(float(p[model.config.label2id[s["label"]]]) - s["score"])
               for s in answer["top5"])


def tags_apart(line, answer):
    """Each word by its first token; Tailor counts bytes, the tokenizer characters."""
    batch = tokenizer(line, return_tensors="pt", return_offsets_mapping=True)
    spans = batch.pop("offset_mapping")[0].tolist()
    p, data = torch.softmax(model(**batch).logits[0].double(), -1), line.encode()
    worst = 0.0
    for word in answer["words"]:
        start, end = (len(data[:word[k]].decode()) for k in ("start", "end"))
        token = next(i for i, (a, b) in enumerate(spans) if b > start and a < end)
        worst = max(worst, abs(float(p[token][model.config.label2id[word["tag"]]]) - word["score"]))
    return worst


worst = 0.0
with torch.no_grad():
    for line, answer in zip(lines, answers):
        if tags:
            worst = max(worst, tags_apart(line, answer))
            continue
        batch = tokenizer(line, return_tensors="pt", truncation=True,
                          max_length=prep["text"]["most"])
        worst = max(worst, apart(model(**batch).logits[0].double(), answer))
print(f"transformers {transformers.__version__}: {len(lines)} texts, {type(model).__name__}, "
      f"{about['task']}, {type(tokenizer).__name__}, largest difference {worst:.2e}")
sys.exit(worst > 1e-4)
