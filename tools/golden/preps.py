#!/usr/bin/env python3
"""Makes tests/golden/preps.txt: what torchvision's Resize and CenterCrop (on Pillow pictures)
make of tests/golden/images/rgb.png, and a small sample of normalised values.

  python3 tools/golden/preps.py
"""
import hashlib
import pathlib

import numpy as np
import PIL
from PIL import Image
import torchvision
from torchvision import transforms as T

TOP = pathlib.Path(__file__).resolve().parents[2] / "tests/golden"
im = Image.open(TOP / "images/rgb.png")
lines = [f"# torchvision {torchvision.__version__}, Pillow {PIL.__version__}; made by tools/golden/preps.py",
         "# crop RESIZE_SHORT HEIGHT WIDTH HOW SHA256 of the bytes; level INDEX VALUE of imagenet at 20 -> 16"]
how = {"bilinear": T.InterpolationMode.BILINEAR, "bicubic": T.InterpolationMode.BICUBIC}
for short, h, w, name in ((20, 16, 16, "bilinear"), (23, 16, 16, "bilinear"), (21, 16, 19, "bicubic"),
                          (64, 60, 64, "bilinear"), (37, 32, 32, "bilinear"), (16, 21, 30, "bilinear")):
    out = T.Compose([T.Resize(short, how[name]), T.CenterCrop((h, w))])(im)
    sha = hashlib.sha256(np.asarray(out).tobytes()).hexdigest()
    lines.append(f"crop {short} {h} {w} {name} {sha}")
x = T.Compose([T.Resize(20), T.CenterCrop(16), T.ToTensor(),
               T.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])])(im).permute(1, 2, 0).reshape(-1)
for i in range(0, x.numel(), 61):
    lines.append(f"level {i} {x[i].item():.7g}")
(TOP / "preps.txt").write_text("\n".join(lines) + "\n")
print(len(lines))
