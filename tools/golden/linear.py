#!/usr/bin/env python3
"""Golden logistic regressions, made by scikit-learn in double -> tests/golden/linear.json."""
import json
import pathlib

import numpy as np
import sklearn
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, log_loss

rng = np.random.default_rng(3)
N, D, C = 90, 7, 4
centre = rng.normal(size=(C, D)) * 0.8
y = rng.integers(0, C, N)
y[:3] = C - 1
x = (centre[y] + rng.normal(size=(N, D)) * (1 + np.arange(D)) * 0.4 + np.arange(D)).astype(np.float32)
x[:, 4] = 2.5  # a constant column must do no harm
mean, sd = x.astype(float).mean(0), x.astype(float).std(0)
z = (x - mean) * np.where(sd > 1e-9, 1 / np.maximum(sd, 1e-9), 0)
cases = []
for l2 in (1.0, 0.05, 0.001):
    for weights in (None, "balanced"):
        q = np.ones(N) if weights is None else N / (C * np.bincount(y, minlength=C))[y]
        m = LogisticRegression(C=1 / (l2 * q.sum()), tol=1e-10, max_iter=10000, class_weight=weights)
        m.fit(z, y)
        p = m.predict_proba(z)
        b = m.intercept_ - m.intercept_.mean()
        cases.append(dict(l2=l2, balanced=weights is not None, w=m.coef_.ravel().tolist(),
                          b=b.tolist(), loss=log_loss(y, p, sample_weight=q),
                          plain_loss=log_loss(y, p), accuracy=float((p.argmax(1) == y).mean()),
                          macro_f1=f1_score(y, p.argmax(1), average="macro", zero_division=0)))
out = dict(made_by="tools/golden/linear.py", sklearn=sklearn.__version__, rows=N, width=D, classes=C,
           x=x.ravel().tolist(), label=y.tolist(), case=cases)
path = pathlib.Path(__file__).resolve().parents[2] / "tests" / "golden" / "linear.json"
path.write_text(json.dumps(out) + "\n")
