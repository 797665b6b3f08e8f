#!/usr/bin/env python3
"""Loads models written by Tailor into torchvision and compares the logits.
   ninja -C build peer-write-model && tools/peer/torchvision_loads.py build/peer-write-model
Prints one line a network; exit status 1 where max|a-b| / max|b| passes 1e-4."""
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
import torchvision
from safetensors.torch import load_file

worst = 0.0
for name in ("resnet18", "resnet34", "resnet50", "mobilenet_v2"):
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.argv[1], name, folder], check=True)
        model = torchvision.models.get_model(name, num_classes=7).eval()
        missing, unexpected = model.load_state_dict(
            load_file(f"{folder}/model.safetensors"), strict=False)
        missing = [k for k in missing if not k.endswith("num_batches_tracked")]
        assert not missing and not unexpected, (missing, unexpected)
        x = np.fromfile(f"{folder}/x.f32", np.float32).reshape(2, 96, 96, 3)
        ours = np.fromfile(f"{folder}/logits.f32", np.float32).reshape(2, 7)
        with torch.no_grad():
            theirs = model(torch.tensor(x).permute(0, 3, 1, 2)).numpy()
        error = np.abs(ours - theirs).max() / np.abs(theirs).max()
        worst = max(worst, error)
        print(f"{name}: max|a-b| / max|b| = {error:.2e} (torchvision {torchvision.__version__}, "
              f"torch {torch.__version__})")
sys.exit(1 if worst > 1e-4 else 0)
