#!/usr/bin/env python3
"""Golden numbers of optimisers and schedules, made by PyTorch -> tests/golden/optim.json."""
import json
import pathlib

import torch

torch.manual_seed(7)
N, STEPS, SHOWN = 21, 10, (1, 2, 10)
w0 = torch.randn(N)
grads = [torch.randn(N) * (0.3 + 0.2 * i) for i in range(STEPS)]
cases = [
    ("sgd", dict(lr=0.1)),
    ("sgd", dict(lr=0.1, momentum=0.9)),
    ("sgd", dict(lr=0.05, momentum=0.9, nesterov=True, weight_decay=5e-4)),
    ("sgd", dict(lr=0.05, weight_decay=0.1)),
    ("adam", dict(lr=0.01)),
    ("adam", dict(lr=0.01, betas=(0.8, 0.95), eps=1e-6, weight_decay=0.1)),
    ("adamw", dict(lr=0.01)),
    ("adamw", dict(lr=0.003, betas=(0.9, 0.98), weight_decay=0.3)),
]
kinds = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW}


def trajectory(name, options):
    w = w0.clone().requires_grad_(True)
    if name == "adamw" and "weight_decay" not in options:
        options = dict(options, weight_decay=0.01)
    opt = kinds[name]([w], **options)
    shown = []
    for step, g in enumerate(grads, 1):
        w.grad = g.clone()
        opt.step()
        if step in SHOWN:
            shown.append(w.detach().tolist())
    beta1, beta2 = options.get("betas", (0.9, 0.999))
    return dict(optimizer=name, lr=options["lr"], momentum=options.get("momentum", 0.0),
                nesterov=options.get("nesterov", False), beta1=beta1, beta2=beta2,
                eps=options.get("eps", 1e-8), weight_decay=options.get("weight_decay", 0.0),
                shown=shown)


def rates(make, total, warmup=0):
    opt = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    rest = total - warmup
    schedule = make(opt, rest)
    if warmup:
        rise = torch.optim.lr_scheduler.LinearLR(opt, 1 / (warmup + 1), 1.0, warmup)
        schedule = torch.optim.lr_scheduler.SequentialLR(opt, [rise, schedule], [warmup])
    out = []
    for _ in range(total):
        out.append(opt.param_groups[0]["lr"])
        opt.step()
        schedule.step()
    return out


s = torch.optim.lr_scheduler
makers = {
    "constant": lambda o, n: s.LambdaLR(o, lambda t: 1.0),
    "step": lambda o, n: s.StepLR(o, n // 3, 0.1),
    "cosine": lambda o, n: s.CosineAnnealingLR(o, n),
    "one-cycle": lambda o, n: s.OneCycleLR(o, 1.0, total_steps=n, cycle_momentum=False),
    "linear": lambda o, n: s.LinearLR(o, 1.0, 0.0, n),
}


def schedule_rates(name, total, warmup):
    if name == "one-cycle":  # its scheduler refuses a step past the end
        opt = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
        one = makers[name](opt, total)
        out = []
        for i in range(total):
            out.append(opt.param_groups[0]["lr"])
            opt.step()
            if i + 1 < total:
                one.step()
        return out
    return rates(makers[name], total, warmup)


schedules = [dict(schedule=name, total=total, warmup=warmup, rate=schedule_rates(name, total, warmup))
             for name in makers for total, warmup in ((30, 0), (20, 0), (34, 4))
             if not (name == "one-cycle" and warmup) and not (name == "step" and (total - warmup) % 3)]
out = dict(made_by="tools/golden/optim.py", torch=torch.__version__.split("+")[0], w=w0.tolist(),
           gradient=[g.tolist() for g in grads], shown_steps=list(SHOWN),
           trajectory=[trajectory(*c) for c in cases], schedule=schedules)
path = pathlib.Path(__file__).resolve().parents[2] / "tests" / "golden" / "optim.json"
path.write_text(json.dumps(out) + "\n")
