#!/usr/bin/env python3
"""Golden nearest neighbours, made by scikit-learn -> tests/golden/knn.json."""
import json
import pathlib

import numpy as np
import sklearn
from sklearn.neighbors import KNeighborsClassifier

rng = np.random.default_rng(5)
N, M, SIDE, C = 50, 20, 4, 3
centre = rng.normal(size=(C, SIDE * SIDE))
y = rng.integers(0, C, N)
x = (centre[y] + 1.5 * rng.normal(size=(N, SIDE * SIDE))).astype(np.float32)
q = (centre[rng.integers(0, C, M)] + 1.5 * rng.normal(size=(M, SIDE * SIDE))).astype(np.float32)
cases = []
for k in (1, 3, 5, 15):
    model = KNeighborsClassifier(k, algorithm="brute").fit(x.astype(float), y)
    own = []  # of each training row, itself left out
    for i in range(N):
        rest = np.arange(N) != i
        own.append(KNeighborsClassifier(k, algorithm="brute").fit(x[rest].astype(float), y[rest])
                   .predict_proba(x[i:i + 1].astype(float))[0].tolist())
    cases.append(dict(k=k, share=model.predict_proba(q.astype(float)).ravel().tolist(),
                      left_out=np.ravel(own).tolist()))
near = []  # by cosine, votes by nearness
for k in (1, 3, 5, 15):
    def fitted(rows):
        return KNeighborsClassifier(k, algorithm="brute", metric="cosine", weights="distance").fit(
            x[rows].astype(float), y[rows])
    own = [fitted(np.arange(N) != i).predict_proba(x[i:i + 1].astype(float))[0].tolist() for i in range(N)]
    near.append(dict(k=k, share=fitted(np.arange(N)).predict_proba(q.astype(float)).ravel().tolist(),
                     left_out=np.ravel(own).tolist()))
out = dict(made_by="tools/golden/knn.py", sklearn=sklearn.__version__, side=SIDE, classes=C, rows=N,
           asked=M, x=x.ravel().tolist(), label=y.tolist(), q=q.ravel().tolist(), case=cases, near=near)
path = pathlib.Path(__file__).resolve().parents[2] / "tests" / "golden" / "knn.json"
path.write_text(json.dumps(out) + "\n")
