#!/usr/bin/env python3
"""Golden numbers in four bits, made by bitsandbytes -> tests/golden/nf4.json.

The input is a formula that the test repeats exactly: hashed bits, in blocks of unequal spread.
"""
import json
import pathlib

import bitsandbytes
import bitsandbytes.functional as F
import torch

COUNT, EVERY = 40_037, 61  # 626 blocks, the last one short; three groups of scales


def drawn(i):
    bits = (i * 2654435761) % (1 << 32) >> 8
    return (bits / (1 << 24) - 0.5) * (1 + i // 64 % 7) * (0.0 if i // 64 % 50 == 3 else 1.0)


x = torch.tensor([drawn(i) for i in range(COUNT)], dtype=torch.float32)
# bitsandbytes wants whole blocks; zeros behind change no block's largest magnitude
whole = torch.cat([x, torch.zeros(-COUNT % 64)])
code, state = F.quantize_4bit(whole, blocksize=64, compress_statistics=True, quant_type="nf4")
back = F.dequantize_4bit(code, state).flatten()[:COUNT]
out = dict(made_by="tools/golden/nf4.py", bitsandbytes=bitsandbytes.__version__,
           torch=torch.__version__, count=COUNT, every=EVERY,
           code=code.flatten()[:(COUNT + 1) // 2:EVERY].tolist(),
           value=back[::EVERY].tolist(),
           sum=back.double().sum().item(),
           square=back.double().square().sum().item())
path = pathlib.Path(__file__).resolve().parents[2] / "tests" / "golden" / "nf4.json"
path.write_text(json.dumps(out) + "\n")
