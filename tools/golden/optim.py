#!/usr/bin/env python3
"""Golden numbers of optimisers and schedules, made by PyTorch -> tests/golden/optim.json."""
import json
import pathlib

import timm.optim
import torch
import transformers

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
    ("lion", dict(lr=0.01, betas=(0.9, 0.99))),
    ("lion", dict(lr=0.003, betas=(0.95, 0.98), weight_decay=0.2)),
]
kinds = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW,
         "lion": timm.optim.Lion}


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


def f32_newton_schulz(grad, coefficients, steps, eps):
    """torch.optim.Muon's, in f32 instead of bf16."""
    a, b, c = coefficients
    x = grad.T.clone() if grad.size(0) > grad.size(1) else grad.clone()
    x.div_(x.norm().clamp(min=eps))
    for _ in range(steps):
        gram = x @ x.T
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.T if grad.size(0) > grad.size(1) else x


torch.optim._muon._zeropower_via_newtonschulz = f32_newton_schulz


def matrix_trajectory(name, rows, cols, **options):
    generator = torch.Generator().manual_seed(rows * 100 + cols)
    shape = (rows, cols) if rows > 1 else (cols,)
    w = torch.randn(shape, generator=generator)
    w0, grads, shown = w.clone(), [], []
    w.requires_grad_(True)
    if name == "muon":
        opt = torch.optim.Muon([w], adjust_lr_fn="match_rms_adamw", **options)
    else:
        opt = torch.optim.Adafactor([w], **options)
    for step in range(1, 6):
        g = torch.randn(shape, generator=generator) * (0.2 + 0.3 * step)
        grads.append(g.flatten().tolist())
        w.grad = g
        opt.step()
        if step in (1, 2, 5):
            shown.append(w.detach().flatten().tolist())
    return dict(optimizer=name, rows=rows, cols=cols, lr=options["lr"],
                momentum=options.get("momentum", 0.0), nesterov=options.get("nesterov", True),
                weight_decay=options.get("weight_decay", 0.0), w=w0.flatten().tolist(),
                gradient=grads, shown_steps=[1, 2, 5], shown=shown)


matrices = [
    matrix_trajectory("muon", 4, 6, lr=0.02, momentum=0.95, weight_decay=0.1),
    matrix_trajectory("muon", 7, 3, lr=0.01, momentum=0.9, weight_decay=0.0, nesterov=False),
    matrix_trajectory("adafactor", 4, 6, lr=0.01),
    matrix_trajectory("adafactor", 7, 3, lr=0.05, weight_decay=0.2),
    matrix_trajectory("adafactor", 1, 9, lr=0.01),
]


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


def slanted(t, total, cut_frac=0.1, ratio=32):
    """Equation 3 of arXiv:1801.06146, as a factor of the highest rate."""
    import math
    cut = math.floor(total * cut_frac)
    p = t / cut if t < cut else 1 - (t - cut) / (cut * (1 / cut_frac - 1))
    return (1 + p * (ratio - 1)) / ratio


s = torch.optim.lr_scheduler
makers = {
    "constant": lambda o, n: s.LambdaLR(o, lambda t: 1.0),
    "step": lambda o, n: s.StepLR(o, n // 3, 0.1),
    "cosine": lambda o, n: s.CosineAnnealingLR(o, n),
    "one-cycle": lambda o, n: s.OneCycleLR(o, 1.0, total_steps=n, cycle_momentum=False),
    "linear": lambda o, n: s.LinearLR(o, 1.0, 0.0, n),
    "slanted": lambda o, n: s.LambdaLR(o, lambda t: slanted(t, n)),
    "wsd": lambda o, n: transformers.get_wsd_schedule(
        o, num_warmup_steps=0, num_decay_steps=n // 5, num_training_steps=n, decay_type="1-sqrt"),
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
           trajectory=[trajectory(*c) for c in cases], matrix=matrices, schedule=schedules)
path = pathlib.Path(__file__).resolve().parents[2] / "tests" / "golden" / "optim.json"
path.write_text(json.dumps(out) + "\n")
