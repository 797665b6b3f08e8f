"""Tailor's recipes for texts in Transformers and PEFT, from the settings and the weights that a
run of Tailor wrote.  For fine_tune_text.py.

A run of Tailor at rate 0 leaves best/ (and of `lora` best/adapter/) as it was before the first
step: the peer loads these, so that both begin with the same body, head and A.  Rows come in the
same order (draws.py); each tool draws its own dropout."""
import json
from contextlib import nullcontext

import torch
import torch.nn.functional as F
from peft import PeftModel
from transformers import AutoModelForSequenceClassification, AutoTokenizer

import draws
import steps

EVALUATED_TOGETHER = 64


class Texts:
    """Rows as ids, made once; a batch is padded to its longest."""

    def __init__(self, rows, tokenizer, labels, most):
        said = tokenizer([text for text, _ in rows], truncation=True, max_length=most)
        self.ids, self.labels = said["input_ids"], torch.tensor([labels[y] for _, y in rows])
        self.pad = tokenizer.pad_token_id

    def __len__(self):
        return len(self.ids)

    def batch(self, at):
        longest = max(len(self.ids[i]) for i in at)
        ids = torch.full((len(at), longest), self.pad)
        mask = torch.zeros_like(ids)
        for row, i in enumerate(at):
            ids[row, :len(self.ids[i])] = torch.tensor(self.ids[i])
            mask[row, :len(self.ids[i])] = 1
        return {"input_ids": ids, "attention_mask": mask}, self.labels[at]


class Peer:
    """A model of Transformers as Tailor's run began with it, and the parts of the data."""

    def __init__(self, base, start, parts, precision, dropout=True):
        config = json.loads((start / "config.json").read_text())
        about = json.loads((start / "tailor.json").read_text())
        labels = {name: int(i) for i, name in config["id2label"].items()}
        tokenizer = AutoTokenizer.from_pretrained(base)
        self.tokenizer, self.precision = tokenizer, precision
        self.parts = {p: Texts(rows, tokenizer, labels, about["prep"]["text"]["most"])
                      for p, rows in parts.items()}
        off = {} if dropout else {"attention_probs_dropout_prob": 0.0}
        if (start / "adapter").exists():
            net = AutoModelForSequenceClassification.from_pretrained(
                base, num_labels=len(labels), **off)
            self.net = PeftModel.from_pretrained(net, start / "adapter", is_trainable=True)
        else:
            self.net = AutoModelForSequenceClassification.from_pretrained(start, **off)

    def trained(self):
        return [(name, p) for name, p in self.net.named_parameters() if p.requires_grad]

    def optimiser(self, h):
        return steps.optimiser(self.trained(), h, lambda name: "classifier" in name)

    def logits(self, batch):
        kind = torch.bfloat16 if self.precision == "bf16" else None
        with torch.autocast("cpu", kind) if kind else nullcontext():
            return self.net(**batch).logits

    def loss(self, h, part, at):
        batch, y = self.parts[part].batch(at)
        logits = self.logits(batch)
        logits = logits.float() if logits.dtype == torch.bfloat16 else logits
        return F.cross_entropy(logits, y, label_smoothing=h["smoothing"])

    @torch.no_grad()
    def score(self, part):
        """(accuracy, mean loss); rows of like length together, so that little is padding."""
        self.net.eval()
        texts = self.parts[part]
        order = sorted(range(len(texts)), key=lambda i: len(texts.ids[i]))
        right, loss = 0, 0.0
        for at in range(0, len(order), EVALUATED_TOGETHER):
            batch, y = texts.batch(order[at:at + EVALUATED_TOGETHER])
            logits = self.logits(batch).float()
            right += int((logits.argmax(1) == y).sum())
            loss += float(F.cross_entropy(logits, y, reduction="sum"))
        self.net.train()
        return right / len(texts), loss / len(texts)

    def train(self, h, seed):
        rows, size = len(self.parts["train"]), h["batch"]
        order = [draws.shuffled(seed, epoch, rows) for epoch in range(int(h["epochs"]))]
        epochs = [[o[at:at + size] for at in range(0, rows, size)] for o in order]
        steps.train(self.net, self.optimiser(h), h, epochs,
                    lambda batch, _: self.loss(h, "train", batch), lambda: self.score("valid"),
                    len(self.parts["valid"]))

    def save(self, folder):
        self.net.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)
