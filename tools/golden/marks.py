"""Numbers of several labels and of ranks, by scikit-learn and PyTorch -> tests/golden/marks.json.

    python tools/golden/marks.py > tests/golden/marks.json

Logits of 40 rows and 4 labels that may hold together, one of them never; and of 40 rows and 5
ranks, whose loss is CORN's (Shi, Cao, Raschka 2021) with each row's mean over 5 outputs."""
import json
import sys

import numpy as np
import sklearn
import sklearn.metrics as M
import torch
import torch.nn.functional as F

ROWS, LABELS, RANKS = 40, 4, 5
draw = np.random.default_rng(7)


def short(x):
    return np.round(np.asarray(x, dtype=np.float64), 7).tolist()


def several():
    mark = (draw.random((ROWS, LABELS)) < [0.5, 0.3, 0.1, 0.0]).astype(np.float32)
    logit = (draw.normal(size=(ROWS, LABELS)) + 1.5 * mark - 0.7).astype(np.float32)
    x = torch.tensor(logit, requires_grad=True)
    loss = F.binary_cross_entropy_with_logits(x, torch.tensor(mark))
    loss.backward()
    said, p = logit > 0, 1 / (1 + np.exp(-logit.astype(np.float64)))
    return {
        "mark": mark.astype(int).tolist(), "logit": logit.astype(float).tolist(),
        "loss": loss.item(), "gradient": short(x.grad),
        "micro_f1": M.f1_score(mark, said, average="micro", zero_division=0),
        "macro_f1": M.f1_score(mark, said, average="macro", zero_division=0),
        "average_precision": [M.average_precision_score(mark[:, k], p[:, k])
                              for k in range(LABELS - 1)],
    }


def ranks():
    rank = draw.integers(0, RANKS, ROWS)
    logit = (draw.normal(size=(ROWS, RANKS)) + 1.2 *
             (rank[:, None] - np.arange(RANKS))).astype(np.float32)
    x, loss = torch.tensor(logit, requires_grad=True), 0.0
    for k in range(RANKS - 1):          # the rows that are k at least, asked whether they are above
        asked = torch.tensor(rank >= k)
        loss = loss + F.binary_cross_entropy_with_logits(
            x[asked, k], torch.tensor((rank > k).astype(np.float32))[asked], reduction="sum")
    loss = loss / (ROWS * RANKS)
    loss.backward()
    above = torch.cumprod(torch.sigmoid(x.detach()[:, :-1].double()), dim=1).numpy()
    said = (above > 0.5).sum(1)
    reached = np.concatenate([np.ones((ROWS, 1)), above, np.zeros((ROWS, 1))], 1)
    return {
        "rank": rank.tolist(), "logit": logit.astype(float).tolist(), "loss": loss.item(),
        "gradient": short(x.grad), "probability": short(reached[:, :-1] - reached[:, 1:]),
        "said": said.tolist(), "mae": M.mean_absolute_error(rank, said),
        "accuracy": M.accuracy_score(rank, said),
        "macro_f1": M.f1_score(rank, said, average="macro", zero_division=0),
        "qwk": M.cohen_kappa_score(rank, said, weights="quadratic"),
    }


json.dump({"versions": {"scikit-learn": sklearn.__version__, "torch": torch.__version__,
                        "numpy": np.__version__}, "several": several(), "ranks": ranks()},
          sys.stdout)
print()
