"""A text classifier that Tailor wrote, loaded by Transformers with its own tokenizer files: the same
probabilities for the same texts.

    tailor predict BEST TEXTS.txt >said.jsonl
    text_loads.py BEST TEXTS.txt said.jsonl
"""
import json
import sys

sys.path.pop(0)  # this folder has a tokenizers.py of its own

import torch
import transformers
from transformers import AutoModelForSequenceClassification, AutoTokenizer

best, texts, said = sys.argv[1:4]
tokenizer = AutoTokenizer.from_pretrained(best)
model = AutoModelForSequenceClassification.from_pretrained(best).eval()
most = json.load(open(f"{best}/tailor.json"))["prep"]["text"]["most"]
lines = [line.rstrip("\n") for line in open(texts, encoding="utf-8") if line.strip()]
answers = [json.loads(line) for line in open(said, encoding="utf-8")]
assert len(lines) == len(answers), (len(lines), len(answers))
worst = 0.0
with torch.no_grad():
    for line, answer in zip(lines, answers):
        batch = tokenizer(line, return_tensors="pt", truncation=True, max_length=most)
        p = torch.softmax(model(**batch).logits[0].double(), 0)
        for top in answer["top5"]:
            worst = max(worst, abs(float(p[model.config.label2id[top["label"]]]) - top["score"]))
print(f"transformers {transformers.__version__}: {len(lines)} texts, {type(model).__name__}, "
      f"{type(tokenizer).__name__}, largest difference of a probability {worst:.2e}")
sys.exit(worst > 1e-4)
