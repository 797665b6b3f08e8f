#!/usr/bin/env python3
"""Golden numbers of the ops: forward, gradients and statistics as PyTorch gives them.

    python3 tools/golden/ops.py > tests/golden/ops.txt

A case is a name and arrays: `param`, `input`, `int` and `state` go in; `mix` weighs the output
in the loss sum(mix * y); `out`, `grad` and `after` (a state after the run) are held against.
Pictures are written N H W C.  Inputs come from a fixed seed and are f32 values; PyTorch computes
in double, so that what differs is our own rounding.
"""
import sys

import numpy
import torch
import torch.nn.functional as F

torch.manual_seed(20)
torch.set_default_dtype(torch.float64)


class Case:
    """Arrays of one case, in the order they are written."""

    def __init__(self, name):
        self.tensors = {}
        print(f"case {name}")

    def write(self, role, name, t, picture=False):
        if picture and t.dim() == 4:
            t = t.permute(0, 2, 3, 1)
        t = t.detach().contiguous()
        values = " ".join("%d" % v if t.dtype == torch.int64 else "%.9g" % v
                          for v in t.flatten().tolist())
        print(role, name, t.dim(), *t.shape, values)

    def draw(self, role, name, *shape, low=-1.0, high=1.0, picture=False):
        t = (torch.rand(*shape) * (high - low) + low).float().double()
        t.requires_grad_(role == "param")
        self.tensors[name] = (t, picture)
        self.write(role, name, t, picture)
        return t

    def integers(self, name, values):
        t = torch.tensor(values)
        self.write("int", name, t)
        return t

    def end(self, y, picture=False, rows=None):
        mix = (torch.rand(y.shape) * 2 - 1).float().double()
        (y * mix).sum().backward()
        self.write("mix", "mix", mix, picture)
        self.write("out", "y", y, picture)
        if rows is not None:
            self.write("out", "rows", rows)
        for name, (t, pic) in self.tensors.items():
            if t.grad is not None:
                self.write("grad", name, t.grad, pic)


def dense():
    for name, bias, act in (("dense_relu", True, F.relu), ("dense_plain", False, lambda v: v)):
        c = Case(name)
        x, w = c.draw("param", "x", 5, 7), c.draw("param", "w", 4, 7)
        b = c.draw("param", "b", 4) if bias else None
        c.end(act(F.linear(x, w, b)))


def conv():
    cases = (  # name, x (n c h w), w, bias, stride, dilation, groups, (left right top bottom), act
        ("conv_3x3_relu", (2, 3, 5, 4), (4, 3, 3, 3), True, 1, 1, 1, (1, 1, 1, 1), F.relu),
        ("conv_tf_same", (2, 2, 6, 7), (3, 2, 3, 3), True, 2, 1, 1, (1, 1, 0, 1), None),
        ("conv_depthwise_relu6", (2, 4, 5, 5), (4, 1, 3, 3), True, (2, 1), 1, 4, (1, 1, 1, 1), F.relu6),
        ("conv_groups_dilated", (1, 4, 9, 8), (6, 2, 3, 2), False, 1, (2, 3), 2, (2, 0, 1, 3), None),
    )
    for name, xs, ws, bias, stride, dilation, groups, pad, act in cases:
        c = Case(name)
        x, w = c.draw("param", "x", *xs, low=-2, high=2, picture=True), c.draw("param", "w", *ws)
        b = c.draw("param", "b", ws[0]) if bias else None
        y = F.conv2d(F.pad(x, pad), w, b, stride, 0, dilation, groups)
        c.end(act(y) if act else y, picture=True)


def pool():
    c = Case("max_pool_padded")
    c.end(F.max_pool2d(c.draw("param", "x", 2, 3, 7, 6, picture=True), 3, 2, 1), picture=True)
    c = Case("max_pool_ceil")
    c.end(F.max_pool2d(c.draw("param", "x", 1, 2, 6, 8, picture=True), 3, 2, ceil_mode=True),
          picture=True)
    c = Case("avg_pool_inside")
    c.end(F.avg_pool2d(c.draw("param", "x", 2, 2, 5, 7, picture=True), 3, 2, 1,
                       count_include_pad=False), picture=True)
    c = Case("avg_pool_ceil_counted")
    c.end(F.avg_pool2d(c.draw("param", "x", 1, 3, 6, 7, picture=True), (3, 2), (2, 3), 1,
                       ceil_mode=True, count_include_pad=True), picture=True)
    c = Case("global_avg_pool")
    c.end(F.adaptive_avg_pool2d(c.draw("param", "x", 2, 3, 4, 5, picture=True), 1).flatten(1))
    c = Case("global_max_pool")
    c.end(F.adaptive_max_pool2d(c.draw("param", "x", 2, 3, 4, 5, picture=True), 1).flatten(1))


def batch_norm():
    for name, batch, residual in (("batch_norm_batch", True, False),
                                  ("batch_norm_running", False, False),
                                  ("batch_norm_residual_relu", True, True),
                                  ("batch_norm_running_residual_relu", False, True)):
        c = Case(name)
        x = c.draw("param", "x", 3, 4, 2, 3, low=-1, high=3, picture=True)
        gamma, beta = c.draw("param", "gamma", 4, low=0.5, high=2), c.draw("param", "beta", 4)
        mean, var = c.draw("state", "mean", 4), c.draw("state", "var", 4, low=0.5, high=2)
        r = c.draw("param", "residual", 3, 4, 2, 3, picture=True) if residual else None
        y = F.batch_norm(x, mean, var, gamma, beta, batch, 0.1, 1e-5)
        c.end(F.relu(y + r) if residual else y, picture=True)
        c.write("after", "mean", mean)
        c.write("after", "var", var)


def norms():
    c = Case("layer_norm")
    x = c.draw("param", "x", 2, 3, 6)
    gamma, beta = c.draw("param", "gamma", 6), c.draw("param", "beta", 6)
    c.end(F.layer_norm(x, (6,), gamma, beta, 1e-5))
    c = Case("group_norm")
    x = c.draw("param", "x", 2, 6, 3, 4, picture=True)
    gamma, beta = c.draw("param", "gamma", 6), c.draw("param", "beta", 6)
    c.end(F.group_norm(x, 3, gamma, beta, 1e-5), picture=True)


def activations():
    for name, f in (("relu", F.relu), ("relu6", F.relu6), ("leaky_relu", F.leaky_relu),
                    ("elu", F.elu), ("gelu", F.gelu),
                    ("gelu_tanh", lambda x: F.gelu(x, approximate="tanh")), ("silu", F.silu),
                    ("tanh", torch.tanh), ("sigmoid", torch.sigmoid), ("softplus", F.softplus),
                    ("hardswish", F.hardswish), ("hardsigmoid", F.hardsigmoid), ("mish", F.mish)):
        c = Case("act_" + name)
        c.end(f(c.draw("param", "x", 4, 8, low=-8, high=8)))
    c = Case("softmax")
    c.end(torch.softmax(c.draw("param", "x", 3, 5, low=-4, high=4), -1))
    c = Case("log_softmax")
    c.end(torch.log_softmax(c.draw("param", "x", 3, 5, low=-4, high=4), -1))


def losses():
    def finish(c, rows):
        weight = c.draw("input", "weight", rows.shape[0], low=0)
        c.end((weight * rows).sum(), rows=rows)

    labels = [2, 0, -1, 1, 3]
    c = Case("cross_entropy")
    x, t = c.draw("param", "x", 5, 4, low=-3, high=3), c.integers("target", labels)
    finish(c, F.cross_entropy(x, t, reduction="none", ignore_index=-1))
    c = Case("cross_entropy_smooth_weighted")
    x, t = c.draw("param", "x", 5, 4, low=-3, high=3), c.integers("target", labels)
    cw = c.draw("input", "class_weight", 4, low=0.2, high=2)
    finish(c, F.cross_entropy(x, t, cw, reduction="none", ignore_index=-1, label_smoothing=0.1))
    c = Case("cross_entropy_soft_weighted")
    x = c.draw("param", "x", 3, 5, low=-3, high=3)
    t, cw = c.draw("input", "target", 3, 5, low=0), c.draw("input", "class_weight", 5, low=0.2)
    finish(c, F.cross_entropy(x, t, cw, reduction="none", label_smoothing=0.2))
    for name, f in (("mse", F.mse_loss), ("mae", F.l1_loss),
                    ("huber", lambda a, b, reduction: F.huber_loss(a, b, reduction, 0.7))):
        c = Case(name)
        x, t = c.draw("param", "x", 4, 3, low=-2, high=2), c.draw("input", "target", 4, 3)
        finish(c, f(x, t, reduction="none").mean(1))


def shapes():
    c = Case("concat")
    c.end(torch.cat([c.draw("param", "x", 2, 3, 4), c.draw("param", "z", 2, 2, 4)], 1))
    c = Case("slice")
    c.end(c.draw("param", "x", 3, 7, 2)[:, 1:6:2])
    c = Case("transpose")
    c.end(c.draw("param", "x", 2, 3, 4, 2).permute(2, 0, 3, 1))
    c = Case("pad")
    c.end(F.pad(c.draw("param", "x", 3, 4), (2, 0, 1, 3)))
    c = Case("embedding")
    table, ids = c.draw("param", "x", 5, 3), c.integers("ids", [[4, 0, 0], [2, 4, 1]])
    c.end(F.embedding(ids, table))
    c = Case("reduce_sum")
    c.end(c.draw("param", "x", 2, 3, 4).sum(1))
    c = Case("reduce_mean")
    c.end(c.draw("param", "x", 2, 3, 4).mean(0))
    c = Case("reduce_max")
    c.end(c.draw("param", "x", 2, 3, 4).max(2).values)
    c = Case("add_tail_relu")
    c.end(F.relu(c.draw("param", "x", 2, 3, 4) + c.draw("param", "z", 3, 4)))
    c = Case("mul_tail")
    c.end(c.draw("param", "x", 2, 3, 4) * c.draw("param", "z", 4))
    c = Case("scale")
    c.end(c.draw("param", "x", 2, 3) * -1.75)


def residual_net():
    """A whole net in small: both kinds of shortcut, pooling, norms with batch statistics."""
    c = Case("residual_net")

    def unit(x, name, o, i, k, stride=1):
        w = c.draw("param", name + ".w", o, i, k, k)
        gamma, beta = c.draw("param", name + ".g", o, low=0.5, high=1.5), c.draw("param", name + ".b", o)
        mean, var = c.draw("state", name + ".m", o), c.draw("state", name + ".v", o, low=0.5, high=2)
        return F.batch_norm(F.conv2d(x, w, None, stride, k // 2), mean, var, gamma, beta, True, 0.1, 1e-5)

    h = F.max_pool2d(F.relu(unit(c.draw("param", "x", 3, 3, 9, 8, picture=True), "stem", 4, 3, 3)),
                     3, 2, 1)
    h = F.relu(unit(F.relu(unit(h, "a1", 4, 4, 3)), "a2", 4, 4, 3) + h)
    h = F.relu(unit(F.relu(unit(h, "b1", 6, 4, 3, 2)), "b2", 6, 6, 3) + unit(h, "bd", 6, 4, 1, 2))
    h = F.linear(h.mean((2, 3)), c.draw("param", "w", 3, 6), c.draw("param", "b", 3))
    target = c.integers("target", [2, 0, 1])
    rows = F.cross_entropy(h, target, reduction="none", label_smoothing=0.1)
    weight = c.draw("input", "weight", 3, low=0)
    c.end((weight * rows).sum(), rows=rows)


def split(t, heads):
    return t.unflatten(1, (heads, -1)).transpose(0, 1)


def attend(q, k, v, heads, kv, offsets, causal, window=None):
    """Packed rows: each sequence through PyTorch's own attention."""
    out = []
    for low, high in zip(offsets, offsets[1:]):
        a, b, c = (split(t[low:high], n) for t, n in ((q, heads), (k, kv), (v, kv)))
        mask = None
        if window:
            i = torch.arange(high - low)
            mask = (i[:, None] - i[None] <= window[0]) & (i[None] - i[:, None] <= window[1])
        y = F.scaled_dot_product_attention(a[None], b[None], c[None], mask, is_causal=causal,
                                           enable_gqa=heads != kv)[0]
        out.append(y.transpose(0, 1).flatten(1))
    return torch.cat(out)


def attention():
    for name, heads, kv, d, offsets, causal, window in (
            ("attention_whole", 2, 2, 5, [0, 7, 7], False, None),
            ("attention_packed_causal", 4, 2, 4, [0, 1, 6, 6, 14], True, None),
            ("attention_long", 1, 1, 3, [0, 70, 130], True, None),
            ("attention_window", 2, 1, 3, [0, 9, 14], False, (2, 2))):
        c = Case(name)
        t = offsets[-1]
        q, k, v = (c.draw("param", n, t, h * d) for n, h in (("q", heads), ("k", kv), ("v", kv)))
        c.integers("offsets", offsets)
        c.end(attend(q, k, v, heads, kv, offsets, causal, window))


def tokens():
    c = Case("token_loss")
    x, w, b = c.draw("param", "x", 5, 6), c.draw("param", "w", 70, 6), c.draw("param", "b", 70)
    t = c.integers("target", [3, 69, -1, 0, 64])
    rows = F.cross_entropy(F.linear(x, w, b), t, reduction="none", ignore_index=-1)
    weight = c.draw("input", "weight", 5, low=0)
    c.end((weight * rows).sum(), rows=rows)
    c = Case("rms_norm")
    x, gamma = c.draw("param", "x", 3, 6), c.draw("param", "gamma", 6)
    c.end(F.rms_norm(x, (6,), gamma, 1e-5))
    c = Case("glu_silu")
    c.end(F.silu(c.draw("param", "x", 3, 5)) * c.draw("param", "z", 3, 5))
    c = Case("glu_gelu_beside")
    x = c.draw("param", "x", 3, 10)
    c.end(F.gelu(x[:, :5]) * x[:, 5:])
    for name, interleaved in (("rope_halves", False), ("rope_neighbours", True)):
        c = Case(name)
        x, places = c.draw("param", "x", 4, 8), c.integers("positions", [0, 3, 1, 200])
        inverse = torch.tensor([1.0, 0.1, 0.01], dtype=torch.float32)
        angle = (places[:, None].float() * inverse).double()[:, None]
        h = x.view(4, 1, 8)[..., :6]
        u, v = (h[..., 0::2], h[..., 1::2]) if interleaved else (h[..., :3], h[..., 3:])
        a, b = u * angle.cos() - v * angle.sin(), v * angle.cos() + u * angle.sin()
        y = torch.stack((a, b), -1).flatten(2) if interleaved else torch.cat((a, b), -1)
        c.end(torch.cat((y.flatten(1), x[:, 6:]), 1))
    for name, pick in (("pool_first", lambda s: s[0]), ("pool_last", lambda s: s[-1]),
                       ("pool_mean", lambda s: s.mean(0))):
        c = Case(name)
        x, _ = c.draw("param", "x", 7, 3), c.integers("offsets", [0, 2, 3, 7])
        c.end(torch.stack([pick(x[a:b]) for a, b in ((0, 2), (2, 3), (3, 7))]))


print(f"# torch {torch.__version__.split('+')[0]}, numpy {numpy.__version__}, "
      f"python {sys.version.split()[0]}; made by tools/golden/ops.py")
for group in (dense, conv, pool, batch_norm, norms, activations, losses, shapes, residual_net,
              attention, tokens):
    group()
