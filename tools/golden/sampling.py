"""Makes tests/golden/sampling.json: what Transformers' logits processors make of scores, one by one
and together, in the order in which generate() applies them.  Needs torch and transformers.

    python tools/golden/sampling.py tests/golden/sampling.json
"""
import json
import math
import sys

import torch
import transformers
from transformers.generation import logits_process as lp

WORDS = 24
torch.manual_seed(7)
cases = []
settings = [
    {"repetition": 1.3}, {"repetition": 0.8}, {"temperature": 0.6}, {"temperature": 1.7},
    {"top_k": 5}, {"top_k": 1}, {"top_k": 100}, {"top_p": 0.9}, {"top_p": 0.3},
    {"top_p": 0.001}, {"min_p": 0.05}, {"min_p": 0.4}, {"min_p": 1.0},
    {"temperature": 0.7, "top_k": 8, "top_p": 0.8},
    {"repetition": 1.2, "temperature": 1.3, "top_k": 12, "top_p": 0.95, "min_p": 0.1},
]
for s in settings:
    past = torch.randint(0, WORDS, (1, 9))
    scores = torch.randn(1, WORDS) * 2
    if "top_k" in s and s["top_k"] == 5:  # equals of the k-th stay
        scores[0, 3:9] = scores[0].max()
    chain = transformers.LogitsProcessorList()
    if "repetition" in s:
        chain.append(lp.RepetitionPenaltyLogitsProcessor(s["repetition"]))
    if "temperature" in s:
        chain.append(lp.TemperatureLogitsWarper(s["temperature"]))
    if "top_k" in s:
        chain.append(lp.TopKLogitsWarper(s["top_k"]))
    if "top_p" in s:
        chain.append(lp.TopPLogitsWarper(s["top_p"]))
    if "min_p" in s:
        chain.append(lp.MinPLogitsWarper(s["min_p"]))
    made = chain(past, scores.clone())[0]
    cases.append({"settings": s, "past": past[0].tolist(),
                  "scores": [float(f"{x:.9g}") for x in scores[0].tolist()],
                  "made": [None if math.isinf(x) else float(f"{x:.9g}") for x in made.tolist()]})
with open(sys.argv[1], "w") as f:
    f.write(json.dumps({"made_with": {"torch": torch.__version__.split("+")[0],
                                      "transformers": transformers.__version__}})[:-1])
    f.write(',"cases":[\n' + ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases) + "\n]}\n")
