"""PyTorch's logits of the CIFAR-10 ResNet-20 checkpoint, for tests/golden/logits.c.

    python tools/golden/resnet20_logits.py DATA tests/golden/resnet20_logits.json

DATA is the shared data folder.  The network is He et al. 2015 with option A shortcuts
(subsampling and zero channels), as in akamaster/pytorch_resnet_cifar10.
"""
import gzip
import json
import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

data, out = Path(sys.argv[1]), Path(sys.argv[2])


class Block(nn.Module):
    def __init__(self, inside, outside, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inside, outside, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outside)
        self.conv2 = nn.Conv2d(outside, outside, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outside)
        self.more = (outside - inside) // 2 if stride > 1 else 0

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if self.more:
            x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.more, self.more))
        return F.relu(x + y)


class ResNet20(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        widths = [16, 16, 32, 64]
        for i in range(1, 4):
            stride = 1 if i == 1 else 2
            blocks = [Block(widths[i - 1], widths[i], stride)]
            blocks += [Block(widths[i], widths[i], 1) for _ in range(2)]
            setattr(self, f"layer{i}", nn.Sequential(*blocks))
        self.linear = nn.Linear(64, 10)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.linear(x.mean((2, 3)))


def pictures(name):
    raw = np.frombuffer(gzip.decompress((data / "images/cifar10-lossless" / name).read_bytes()),
                        np.uint8).reshape(-1, 3073)
    x = torch.tensor(raw[:, 1:].reshape(-1, 3, 32, 32)).double() / 255
    mean = torch.tensor([0.485, 0.456, 0.406]).double().view(3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).double().view(3, 1, 1)
    return ((x - mean) / std).float(), torch.tensor(raw[:, 0].astype(np.int64))


state = torch.load(data / "weights/cifar10-resnet/resnet20-12fca82f.th", map_location="cpu",
                   weights_only=True)["state_dict"]
model = ResNet20().eval()
model.load_state_dict({k.removeprefix("module."): v for k, v in state.items()})
made = {"made_by": "tools/golden/resnet20_logits.py", "torch": torch.__version__,
        "weights": "cifar10-resnet/resnet20-12fca82f.th", "pictures": "cifar10-lossless"}
with torch.no_grad():
    for name in ("test_1000.bin.gz", "train_2000.bin.gz"):
        x, label = pictures(name)
        logits = model(x)
        best = logits.argmax(1)
        made[name] = {"predicted": "".join(str(int(c)) for c in best),
                      "right": int((best == label).sum())}
        if name.startswith("test"):
            rows = [json.dumps([float(f"{v:.8g}") for v in row]) for row in logits[:100].tolist()]
made["logits"] = None
text = json.dumps(made, indent=1).replace("null", "[\n" + ",\n".join(rows) + "]")
out.write_text(text + "\n")
print(made["test_1000.bin.gz"]["right"], made["train_2000.bin.gz"]["right"])
