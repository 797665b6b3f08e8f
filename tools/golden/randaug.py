#!/usr/bin/env python3
"""RandAugment's operations and CutMix's boxes by torchvision -> tests/golden/randaug.json."""
import json
import math
import pathlib

import torch
import torchvision
from torchvision.transforms import InterpolationMode
from torchvision.transforms.autoaugment import RandAugment, _apply_op

torch.manual_seed(3)
pictures = []
for channels, height, width in ((3, 12, 15), (1, 9, 8)):
    grid = torch.arange(height * width, dtype=torch.float32).reshape(1, height, width)
    picture = 90 + 70 * torch.sin(grid / 5 + torch.arange(channels).reshape(-1, 1, 1)) + 15 * torch.randn(
        channels, height, width)
    pictures.append(picture.clamp(0, 255).to(torch.uint8))
cases = []
for p, picture in enumerate(pictures):
    space = RandAugment()._augmentation_space(31, picture.shape[-2:])
    for name, (magnitudes, signed) in space.items():
        for strength, sign in ((9, 1), (9, -1), (17, 1), (25, -1)):
            if sign < 0 and not signed or (magnitudes.ndim == 0 and strength != 9):
                continue
            magnitude = float(magnitudes[strength]) * sign if magnitudes.ndim else 0.0
            out = _apply_op(picture, name, magnitude, InterpolationMode.NEAREST, None)
            cases.append(dict(picture=p, op=name, strength=strength, negative=sign < 0, magnitude=magnitude,
                              out=bytes(out.permute(1, 2, 0).flatten().tolist()).hex()))
boxes = []
for lam, height, width, row, column in ((0.3, 20, 30, 0, 29), (0.75, 7, 7, 3, 3), (0.99, 32, 32, 5, 30),
                                        (0.01, 16, 24, 8, 12), (1.0, 10, 10, 4, 4)):
    r = 0.5 * math.sqrt(1.0 - lam)  # as torchvision.transforms.v2.CutMix.make_params
    h, w = int(r * height), int(r * width)
    boxes.append(dict(share=lam, height=height, width=width, row=row, column=column,
                      box=[max(row - h, 0), max(column - w, 0), min(row + h, height), min(column + w, width)]))
out = dict(made_by="tools/golden/randaug.py", torchvision=torchvision.__version__.split("+")[0],
           picture=[dict(height=x.shape[1], width=x.shape[2], channels=x.shape[0],
                         data=bytes(x.permute(1, 2, 0).flatten().tolist()).hex()) for x in pictures],
           case=cases, box=boxes)
path = pathlib.Path(__file__).resolve().parents[2] / "tests" / "golden" / "randaug.json"
path.write_text(json.dumps(out) + "\n")
