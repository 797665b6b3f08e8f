#!/usr/bin/env python3
"""Tensor names and shapes as other projects write them -> tests/golden/names.json.

    python tools/golden/names.py        (needs torch, transformers, timm)
"""
import json
import pathlib

import timm
import torch
import transformers
from transformers import (MobileNetV2Config, MobileNetV2ForImageClassification, ResNetConfig,
                          ResNetForImageClassification, ViTConfig, ViTForImageClassification)

basic = ResNetConfig(layer_type="basic", depths=[2, 2, 2, 2], hidden_sizes=[64, 128, 256, 512],
                     num_labels=7)
cases = {
    ("hugging-face", "resnet50"): ResNetForImageClassification(ResNetConfig(num_labels=7)),
    ("hugging-face", "resnet18"): ResNetForImageClassification(basic),
    ("hugging-face", "mobilenet_v2"):
        MobileNetV2ForImageClassification(MobileNetV2Config(num_labels=7)),
    ("timm", "mobilenet_v2"): timm.create_model("mobilenetv2_100", num_classes=7),
    ("timm", "vit-tiny"): timm.create_model("vit_tiny_patch16_224", num_classes=7),
    ("timm", "deit_tiny_distilled_patch16_224"):
        timm.create_model("deit_tiny_distilled_patch16_224", num_classes=7),
    ("hugging-face-5", "vit-base"): ViTForImageClassification(ViTConfig(num_labels=7)),
    ("torchvision", "resnet34"): timm.create_model("resnet34", num_classes=7),
}
out = dict(made_with={"torch": torch.__version__.split("+")[0],
                      "transformers": transformers.__version__, "timm": timm.__version__},
           files=[dict(scheme=scheme, arch=arch,
                       tensors={k: list(v.shape) for k, v in net.state_dict().items()})
                  for (scheme, arch), net in cases.items()])
path = pathlib.Path(__file__).resolve().parents[2] / "tests/golden/names.json"
path.write_text(json.dumps(out, separators=(",", ":")).replace('{"scheme"', '\n{"scheme"') + "\n")
print(path, path.stat().st_size, "bytes")
