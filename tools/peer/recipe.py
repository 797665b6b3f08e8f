"""Tailor's recipes in PyTorch: the same networks, pictures, optimiser, schedule, augmentation
and choice of the best weights, from the settings a run of Tailor writes.  For fine_tune.py.

Pictures are read and resized by Pillow, networks are torchvision's, PyTorch trains them.  The
same order of rows, crops and dropout masks are drawn (draws.py), so that what differs between
two runs is their arithmetic and not their luck."""
import math

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn
from torchvision.models import mobilenet_v2, squeezenet1_0

import draws
import steps

PENALTIES = (1e3, 10.0, 3.0, 1.0, 0.3, 0.1, 0.03, 0.01, 3e-3, 1e-3, 1e-4)
AUGMENT = {"none": {}, "shift": {"pad": 2}, "light": {"pad": 2, "flip": True},
           "crop": {"pad": 4, "flip": True, "area": 0.35}}
CAFFE = {"conv1": "features.0", "fire2": "features.3", "fire3": "features.4",
         "fire4": "features.5", "fire5": "features.7", "fire6": "features.8",
         "fire7": "features.9", "fire8": "features.10", "fire9": "features.12"}
FIRE = {"conv1x1_1": "squeeze", "conv1x1_2": "expand1x1", "conv3x3_2": "expand3x3"}


# Networks -------------------------------------------------------------------------------------

class SameConv(nn.Conv2d):
    """TensorFlow's SAME: what is odd about the padding goes below and right."""

    def forward(self, x):
        for axis in (3, 2):
            side, k, s = x.shape[axis], self.kernel_size[axis - 2], self.stride[axis - 2]
            need = max((math.ceil(side / s) - 1) * s + k - side, 0)
            pad = (need // 2, need - need // 2)
            x = F.pad(x, pad if axis == 3 else (0, 0, *pad))
        return F.conv2d(x, self.weight, self.bias, self.stride, 0, self.dilation, self.groups)


class Drop(nn.Module):
    """Dropout with the mask of (seed, step), which training sets."""

    def __init__(self, p):
        super().__init__()
        self.p, self.seed, self.step = p, 0, 0

    def forward(self, x):
        if not self.training or self.p == 0:
            return x
        mask = draws.kept(self.seed, self.step, *x.shape, self.p)
        return x * torch.from_numpy(mask).to(x.dtype) / (1 - self.p)


class MobileNet(nn.Module):
    def __init__(self, classes, dropout):
        super().__init__()
        own = mobilenet_v2(num_classes=classes)
        for m in own.features.modules():
            if isinstance(m, nn.Conv2d):
                m.__class__ = SameConv
        self.features, self.classifier = own.features, own.classifier
        self.drop = Drop(0.2 if dropout < 0 else dropout)

    def head(self):
        return self.classifier[1]

    def body(self, x):
        return self.features(x).mean((2, 3))

    def forward(self, x):
        return self.head()(self.drop(self.body(x)))


class SqueezeNet(nn.Module):
    """Fire modules, the mean of the last, and one linear layer."""

    def __init__(self, classes, dropout):
        super().__init__()
        self.features = squeezenet1_0().features
        self.drop = Drop(0.5 if dropout < 0 else dropout)
        self.linear = nn.Linear(512, classes)
        nn.init.normal_(self.linear.weight, 0.0, 0.01)
        nn.init.zeros_(self.linear.bias)

    def head(self):
        return self.linear

    def body(self, x):
        return self.features(x).mean((2, 3))

    def forward(self, x):
        return self.linear(self.drop(self.body(x)))


def from_caffe(name):
    layer, rest = name.split("/", 1) if "/" in name else name.split(".", 1)
    if layer not in CAFFE:
        return name
    inner, _, part = rest.rpartition(".")
    return ".".join(filter(None, (CAFFE[layer], FIRE.get(inner, inner), part)))


def load_body(net, tensors):
    """A base's tensors, but the head; every tensor of the body must be there."""
    body = {from_caffe(k): v for k, v in tensors.items()}
    body = {k: v for k, v in body.items() if k.startswith("features.")}
    missing, unexpected = net.load_state_dict(body, strict=False)
    missing = [k for k in missing if k.startswith("features.") and "num_batches" not in k]
    assert not missing and not unexpected, (missing, unexpected)


# Pictures -------------------------------------------------------------------------------------

class Pictures:
    """A folder of class folders; `prep` is what Tailor wrote beside the model."""

    def __init__(self, folder, prep):
        self.prep, self.side = prep, prep["crop_size"]["height"]
        classes = sorted(p for p in folder.iterdir() if p.is_dir())
        files = [(f, c) for c, p in enumerate(classes) for f in sorted(p.iterdir())]
        self.images = [Image.open(f).convert("RGB") for f, _ in files]
        self.labels = torch.tensor([c for _, c in files])
        self.sized = [self.resized(i) for i in self.images]

    def __len__(self):
        return len(self.images)

    def resized(self, image):
        short, (w, h) = self.prep["size"]["shortest_edge"], image.size
        to = (short if w <= h else short * w // h, short if h <= w else short * h // w)
        return np.asarray(image if to == image.size else image.resize(to, Image.BILINEAR))

    def tensor(self, levels):
        if self.prep.get("bgr"):
            levels = levels[:, :, ::-1]
        x = torch.from_numpy(levels.astype(np.float32))
        mean, std = (torch.tensor(self.prep[k]) for k in ("image_mean", "image_std"))
        return ((x * self.prep["rescale_factor"] - mean) / std).permute(2, 0, 1)

    def window(self, pixels, top, left):
        """Black beyond the edges."""
        s, (h, w) = self.side, pixels.shape[:2]
        out = np.zeros((s, s, 3), np.uint8)
        y0, y1, x0, x1 = max(top, 0), min(top + s, h), max(left, 0), min(left + s, w)
        out[y0 - top:y1 - top, x0 - left:x1 - left] = pixels[y0:y1, x0:x1]
        return out

    def corner(self, pixels):
        return [round((n - self.side) / 2) for n in pixels.shape[:2]]

    def plain(self, i):
        return self.tensor(self.window(self.sized[i], *self.corner(self.sized[i])))

    def batches(self, size=32):
        for at in range(0, len(self), size):
            rows = range(at, min(at + size, len(self)))
            yield torch.stack([self.plain(i) for i in rows]), self.labels[at:at + size]

    def random_box(self, i, least, dice):
        """torchvision's RandomResizedCrop."""
        image = self.images[i]
        w, h = image.size
        for t in range(64, 104, 4):
            area = w * h * dice.uniform(t, least, 1.0)
            aspect = math.exp(dice.uniform(t + 1, math.log(3 / 4), math.log(4 / 3)))
            bw, bh = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
            if 0 < bw <= w and 0 < bh <= h:
                y, x = dice.below(t + 2, h - bh + 1), dice.below(t + 3, w - bw + 1)
                break
        else:
            bw = bh = min(w, h)
            x, y = (w - bw) // 2, (h - bh) // 2
        box = image.crop((x, y, x + bw, y + bh))
        return np.asarray(box.resize((self.side, self.side), Image.BILINEAR))

    def augmented(self, i, how, dice):
        if "area" in how and self.side >= 64:
            levels = self.random_box(i, how["area"], dice)
        else:
            top, left = self.corner(self.sized[i])
            if how.get("pad"):
                by = max(how["pad"] * self.side // 32, 1)
                top += dice.below(1, 2 * by + 1) - by
                left += dice.below(2, 2 * by + 1) - by
            levels = self.window(self.sized[i], top, left)
        if how.get("flip") and dice.uniform(0) < 0.5:
            levels = levels[:, ::-1]
        return self.tensor(levels)


# Training -------------------------------------------------------------------------------------

@torch.no_grad()
def score(net, pictures):
    """(accuracy, mean loss) of the weights as they are."""
    net.eval()
    right, loss = 0, 0.0
    for x, y in pictures.batches():
        logits = net(x)
        right += int((logits.argmax(1) == y).sum())
        loss += float(F.cross_entropy(logits, y, reduction="sum"))
    net.train()
    return right / len(pictures), loss / len(pictures)


def optimiser(net, h):
    head = {id(p) for p in net.head().parameters()}
    ours = {name for name, p in net.named_parameters() if id(p) in head}
    return steps.optimiser(net.named_parameters(), h, lambda name: name in ours)


def epochs_of(rows, h, whole_batches, seed):
    """For each epoch its batches of (epoch drawn in, row).  Networks with batch statistics take
    whole batches only: rows run on from one epoch into the next."""
    kept = []
    for epoch in range(int(h["epochs"])):
        order = kept + [(epoch, row) for row in draws.shuffled(seed, epoch, rows)]
        cuts = [order[i:i + h["batch"]] for i in range(0, len(order), h["batch"])]
        kept = cuts.pop() if whole_batches and len(cuts[-1]) < h["batch"] else []
        yield cuts


def loss_of(net, h, x, y):
    return F.cross_entropy(net(x), y, label_smoothing=h["smoothing"])


def train_net(net, h, train, valid, seed):
    """All weights; those best on validation are left in `net`."""
    how = AUGMENT[h["augment"]]
    norms = any(isinstance(m, nn.BatchNorm2d) for m in net.modules())

    def loss(batch, step):
        x = torch.stack([train.augmented(i, how, draws.Dice(seed, e, i)) for e, i in batch])
        net.drop.seed, net.drop.step = seed, step
        return loss_of(net, h, x, train.labels[[i for _, i in batch]])

    steps.train(net, optimiser(net, h), h, list(epochs_of(len(train), h, norms, seed)), loss,
                lambda: score(net, valid), len(valid))


@torch.no_grad()
def features(net, pictures):
    net.eval()
    return torch.cat([net.body(x) for x, _ in pictures.batches()]).double()


def solve(x, y, classes, l2, start):
    """Multinomial logistic regression: mean loss + l2/2 |w|^2, to convergence."""
    w = start.clone().requires_grad_(True)
    search = torch.optim.LBFGS([w], max_iter=1000, tolerance_grad=1e-5, tolerance_change=1e-12,
                               history_size=10, line_search_fn="strong_wolfe")

    def value():
        search.zero_grad()
        f = F.cross_entropy(x @ w[:, :-1].T + w[:, -1], y) + l2 / 2 * w[:, :-1].square().sum()
        f.backward()
        return f

    search.step(value)
    return w.detach()


def train_probe(net, h, train, valid):
    """A head solved on standardised features; validation's loss chooses the penalty."""
    x, xv = features(net, train), features(net, valid)
    mean, sd = x.mean(0), x.std(0, unbiased=False)
    scale = torch.where(sd > 1e-6 * (mean.abs() + 1e-6), 1 / sd, torch.zeros_like(sd))
    x, xv, classes = (x - mean) * scale, (xv - mean) * scale, net.head().out_features
    w, best, worse = torch.zeros(classes, x.shape[1] + 1, dtype=torch.double), None, 0
    for l2 in PENALTIES:
        w = solve(x, train.labels, classes, l2, w)
        loss = float(F.cross_entropy(xv @ w[:, :-1].T + w[:, -1], valid.labels))
        if best is None or loss < best[0]:
            best, worse = (loss, w), 0
        else:
            worse += 1
            if worse == 3:
                break
    w = best[1]
    with torch.no_grad():
        net.head().weight.copy_(w[:, :-1] * scale)
        net.head().bias.copy_(w[:, -1] - (w[:, :-1] * scale) @ mean)


def train_route(net, route, h, train, valid, seed):
    if route == "probe":
        train_probe(net, h, train, valid)
    else:
        train_net(net, h, train, valid, seed)
