#!/usr/bin/env python3
"""Golden logits and gradients of whole networks -> tests/golden/families.json.

Weights and pictures are a formula of (tensor name, element), so that no weight file is needed:
tests/golden/families.c has the same formula.  PyTorch runs in double precision.  Of every
gradient two numbers are kept: its norm, and its product with a formula vector.  Two pictures a
network: where rounding tips a rectifier over, it does so on one of them.  Gradients through
batch statistics are kept where PyTorch's own f32 agrees with its double within 1e-5: not in
ResNet-50 and MobileNetV2, where it differs by up to a hundredth (many rectifiers, few values
behind the last statistics).

    python tools/golden/families.py        (needs torch, torchvision, numpy)
"""
import json
import pathlib

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
import torchvision

torch.set_default_dtype(torch.float64)
ROWS, CLASSES = 4, 7


def uniform(name, count):
    """[-1, 1), exact in f32: FNV-1a of the name, then splitmix64 of hash + element."""
    h = 0xCBF29CE484222325
    for c in name.encode():
        h = ((h ^ c) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    with np.errstate(over="ignore"):
        z = np.uint64(h) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return (z >> np.uint64(40)).astype(np.float64) / 2.0**23 - 1.0


def value(name, shape):
    u = uniform(name, int(np.prod(shape)))
    if name.endswith("running_var") or (len(shape) == 1 and name.endswith("weight")):
        v = 1.0 + 0.5 * u
    elif len(shape) == 1:
        v = 0.125 * u
    else:
        fan_in = float(np.prod(shape[1:]))
        v = np.float32(np.sqrt(6.0 / fan_in)).astype(np.float64) * u
    return torch.tensor(v.astype(np.float32).astype(np.float64).reshape(shape))


class CifarBlock(nn.Module):
    """Option A of He et al. 2016, as in akamaster/pytorch_resnet_cifar10."""

    def __init__(self, inside, planes, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inside, planes, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.change = stride != 1 or inside != planes
        self.more = (planes - inside) // 2

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if self.change:
            x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.more, self.more))
        return F.relu(y + x)


class CifarResNet(nn.Module):
    def __init__(self, blocks):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        inside = 16
        for stage, planes in enumerate((16, 32, 64), 1):
            made = []
            for b in range(blocks):
                made.append(CifarBlock(inside, planes, 2 if stage > 1 and b == 0 else 1))
                inside = planes
            setattr(self, f"layer{stage}", nn.Sequential(*made))
        self.linear = nn.Linear(64, CLASSES)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.linear(x.mean((2, 3)))


class Same(nn.Conv2d):
    """TensorFlow's SAME padding."""

    def forward(self, x):
        pad = []
        for size, kernel, stride in zip(x.shape[:1:-1], self.kernel_size[::-1], self.stride[::-1]):
            total = max(0, (-(-size // stride) - 1) * stride + kernel - size)
            pad += [total // 2, total - total // 2]
        return F.conv2d(F.pad(x, pad), self.weight, self.bias, self.stride, 0, self.dilation, self.groups)


def tf_mobilenet():
    net = torchvision.models.mobilenet_v2(num_classes=CLASSES)
    for m in net.modules():
        if isinstance(m, nn.Conv2d):
            m.__class__ = Same
    return net


def caffe_squeezenet():
    net = torchvision.models.squeezenet1_0(num_classes=CLASSES)
    net.classifier[1].padding = (1, 1)
    return net


class TableResNet(nn.Module):
    """Gorishniy et al. 2021, section 3.3, with the names of rtdl_revisiting_models; channels last."""

    def __init__(self, inputs, blocks, width, hidden):
        super().__init__()
        self.input_projection = nn.Linear(inputs, width)
        self.blocks = nn.ModuleList([nn.ModuleDict(dict(
            normalization=nn.BatchNorm1d(width), linear1=nn.Linear(width, hidden),
            linear2=nn.Linear(hidden, width))) for _ in range(blocks)])
        self.output = nn.ModuleDict(dict(normalization=nn.BatchNorm1d(width), linear=nn.Linear(width, CLASSES)))

    def forward(self, x):
        x = self.input_projection(x.permute(0, 2, 3, 1).flatten(1))
        for b in self.blocks:
            x = x + b["linear2"](F.relu(b["linear1"](b["normalization"](x))))
        return self.output["linear"](F.relu(self.output["normalization"](x)))


def small_resnet():
    net = torchvision.models.resnet18(num_classes=CLASSES)
    net.conv1 = nn.Conv2d(3, 64, 3, 1, 1, bias=False)
    net.maxpool = nn.Identity()
    return net



make = torchvision.models
cases = [
    ("resnet20", 17, {}, lambda: CifarResNet(3)),
    ("resnet18", 33, {}, lambda: make.resnet18(num_classes=CLASSES)),
    ("resnet50", 40, {}, lambda: make.resnet50(num_classes=CLASSES)),
    ("resnet18-cifar", 16, {}, small_resnet),
    ("mobilenet_v2", 49, {}, lambda: make.mobilenet_v2(num_classes=CLASSES)),
    ("mobilenet_v2", 48, {"tf_padding": True}, tf_mobilenet),
    ("squeezenet1_0", 40, {}, lambda: make.squeezenet1_0(num_classes=CLASSES)),
    ("squeezenet1_0", 43, {"caffe": True}, caffe_squeezenet),
    ("squeezenet1_1", 41, {}, lambda: make.squeezenet1_1(num_classes=CLASSES)),
    ("table-resnet", 5, {"n_blocks": 3, "d_block": 16, "d_hidden_multiplier": 1.5, "dropout1": 0},
     lambda: TableResNet(75, 3, 16, 24)),
]


def probe(name, tensor):
    """[norm, product with the formula's vector] of a gradient or a statistic."""
    flat = tensor.detach().reshape(-1).numpy()
    return [float(np.linalg.norm(flat)), float(flat @ uniform("probe:" + name, flat.size))]


def fill(net):
    with torch.no_grad():
        for name, t in net.state_dict().items():
            if t.is_floating_point():
                t.copy_(value(name, tuple(t.shape)))
    for m in net.modules():
        if isinstance(m, nn.Dropout):
            m.p = 0.0


def gradients(net, x, train):
    """Logits, and probes of gradients, with batch statistics or with the running ones."""
    fill(net)
    net.train(train)
    net.zero_grad()
    logits = net(x)
    weights = torch.tensor(uniform("loss", ROWS * CLASSES).reshape(ROWS, CLASSES)).to(x.dtype)
    (logits * weights).sum().backward()
    grads = {name: probe(name, p.grad.double()) for name, p in net.named_parameters()}
    return logits.double().flatten().tolist(), grads


def error(a, b):
    """As tests/golden/families.c measures it."""
    least = 1e-3 * max(n for n, _ in b.values())
    return max(max(abs(u - v) for u, v in zip(a[k], b[k])) / max(b[k][0], least) for k in b)


def sample(net, single, size, picture):
    x = torch.tensor(uniform(picture, ROWS * size * size * 3).reshape(ROWS, size, size, 3))
    x = x.permute(0, 3, 1, 2).contiguous()
    logits, frozen = gradients(net, x, False)
    batch_logits, batch = gradients(net, x, True)
    states = {k: probe(k, t) for k, t in net.state_dict().items() if "running" in k}
    rough = error(gradients(single, x.float(), True)[1], batch)
    return rough, dict(picture=picture, logits=logits, frozen=frozen, batch_logits=batch_logits,
                       batch=batch, states=states)


def run(name, size, config, build):
    net, single = build(), build().float()
    pairs = [sample(net, single, size, picture) for picture in ("x0", "x1")]
    print(name, config, "f32 against double:", [p[0] for p in pairs])
    if min(p[0] for p in pairs) > 1e-5:
        for p in pairs:
            del p[1]["batch"]
    return dict(arch=name, size=size, config=config, samples=[p[1] for p in pairs])


def rounded(v):
    if isinstance(v, float):
        return float(f"{v:.8g}")
    if isinstance(v, dict):
        return {k: rounded(w) for k, w in v.items()}
    return [rounded(w) for w in v] if isinstance(v, list) else v


out = dict(made_with={"torch": torch.__version__, "torchvision": torchvision.__version__},
           rows=ROWS, classes=CLASSES, cases=[rounded(run(*c)) for c in cases])
path = pathlib.Path(__file__).resolve().parents[2] / "tests/golden/families.json"
path.write_text(json.dumps(out, separators=(",", ":")).replace('{"arch"', '\n{"arch"') + "\n")
print(path, path.stat().st_size, "bytes")
