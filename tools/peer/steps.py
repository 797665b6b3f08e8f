"""A run as Tailor's loop makes it, in PyTorch, whatever the network reads: optimiser, schedule,
clipping, when validation is looked at, the best weights kept.  For recipe.py and text_recipe.py."""
import copy
import json
import math

import torch
from torch import nn


def optimiser(named, h, is_head):
    """`named` parameters; norms and biases are spared decay; the head has its own rate."""
    o, groups = h["optim"], {}
    for name, p in named:
        key = (h["head_rate"] if is_head(name) else 1.0, o["weight_decay"] if p.ndim > 1 else 0.0)
        groups.setdefault(key, []).append(p)
    groups = [{"params": ps, "scale": scale, "weight_decay": decay}
              for (scale, decay), ps in groups.items()]
    if h["optimizer"] == "sgd":
        return torch.optim.SGD(groups, lr=o["lr"], momentum=o["momentum"], nesterov=o["nesterov"])
    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[h["optimizer"]]
    return kind(groups, lr=o["lr"], betas=(o["beta1"], o["beta2"]), eps=o["eps"], fused=True)


def factor(h, step, steps):
    """Warmup, then half a cosine or a straight line."""
    warmup = int(h["warmup"] * steps)
    if step < warmup:
        return (step + 1) / (warmup + 1)
    gone = (step - warmup) / max(steps - warmup, 1)
    return {"cosine": 0.5 * (1 + math.cos(math.pi * gone)), "linear": 1 - gone}[h["schedule"]]


def advance(optim, h, loss, rate):
    optim.zero_grad(set_to_none=True)
    loss.backward()
    if h["clip"] > 0:
        nn.utils.clip_grad_norm_([p for g in optim.param_groups for p in g["params"]], h["clip"])
    for g in optim.param_groups:
        g["lr"] = h["optim"]["lr"] * rate * g["scale"]
    optim.step()


def train(net, optim, h, epochs, loss_of, score, valid_rows):
    """`epochs` are lists of batches; loss_of(batch, step), score() -> (accuracy, loss).  The
    weights best on validation are left in `net`."""
    steps, step, best, best_epoch = sum(map(len, epochs)), 0, None, 0

    def look(epoch):
        nonlocal best, best_epoch
        accuracy, loss = score()
        if math.isfinite(loss) and (best is None or (accuracy, -loss) > best[0]):
            best, best_epoch = ((accuracy, -loss), copy.deepcopy(net.state_dict())), epoch

    net.train()
    for epoch, cuts in enumerate(epochs):
        for batch in cuts:
            advance(optim, h, loss_of(batch, step), factor(h, step, steps))
            step += 1
            early = epoch == 0 and step & (step - 1) == 0 and step * h["batch"] >= 2 * valid_rows
            if early and batch is not cuts[-1]:
                look(0)
        look(epoch + 1)
        if h["patience"] > 0 and epoch + 1 - best_epoch >= h["patience"]:
            break
    net.load_state_dict(best[1])


class Lines:
    """The lines of FILE, found by their key."""

    def __init__(self, path):
        self.path, self.lines = path, []
        if path and path.exists():
            self.lines = [json.loads(s) for s in path.read_text().splitlines() if s.endswith("}")]

    def find(self, key):
        return next((x for x in self.lines if key.items() <= x.items()), None)

    def add(self, line):
        self.lines.append(line)
        if self.path:
            with open(self.path, "a", encoding="utf-8") as f:
                f.write(json.dumps(line) + "\n")


def norm(tensors):
    return sum(float(t.double().square().sum()) for t in tensors) ** 0.5
