#!/usr/bin/env python3
"""Golden scores of features -> tests/golden/transfer.json (no class is fitted without rest, where
the evidence has no maximum): H-score with scikit-learn's Ledoit-Wolf
covariance, LogME's evidence by dense matrices and a general optimiser, neighbours and heads by
scikit-learn; LEEP and NCE as their papers write them."""
import json
import pathlib

import numpy as np
import scipy
import sklearn
from scipy.optimize import minimize
from sklearn.covariance import LedoitWolf
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import NearestNeighbors


def hscore(x, y, classes):
    lw = LedoitWolf().fit(x)
    mean = x.mean(0)
    z = np.stack([x[y == c].mean(0) - mean for c in range(classes)])
    share = np.bincount(y, minlength=classes) / len(y)
    between = (z * share[:, None]).T @ z
    return float(np.trace(np.linalg.solve(lw.covariance_, (1 - lw.shrinkage_) * between)))


def logme(x, y, classes):
    n, d = x.shape
    total = 0.0
    for c in range(classes):
        t = (y == c).astype(float)

        def minus(p):
            alpha, beta = np.exp(p)
            a = alpha * np.eye(d) + beta * x.T @ x
            m = beta * np.linalg.solve(a, x.T @ t)
            e = 0.5 * beta * np.sum((x @ m - t) ** 2) + 0.5 * alpha * m @ m
            return -(d / 2 * p[0] + n / 2 * p[1] - e - np.linalg.slogdet(a)[1] / 2
                     - n / 2 * np.log(2 * np.pi)) / n

        tries = [minimize(minus, s, method="Nelder-Mead",
                          options=dict(xatol=1e-9, fatol=1e-13, maxiter=20000))
                 for s in ([0, 0], [2, 2], [-2, 3])]
        total -= min(r.fun for r in tries)
    return float(total / classes)


def knn(x, y, k):
    near = NearestNeighbors(n_neighbors=k + 1, metric="cosine", algorithm="brute").fit(x)
    index = near.kneighbors(x, return_distance=False)
    right = []
    for i, row in enumerate(index):
        others = [j for j in row if j != i][:k]
        votes = [y[j] for j in others]
        best = max(votes, key=lambda v: (votes.count(v), -votes.index(v)))
        right.append(int(best == y[i]))
    return right


def probe(x, y, fold):
    right = np.zeros(len(y), int)
    for f in range(fold.max() + 1):
        train, test = fold != f, fold == f
        mean, sd = x[train].mean(0), x[train].std(0)
        head = LogisticRegression(C=1 / (0.01 * train.sum()), tol=1e-10, max_iter=10000)
        head.fit((x[train] - mean) / sd, y[train])
        right[test] = head.predict((x[test] - mean) / sd) == y[test]
    return right.tolist()


def source(p, y, classes):
    """LEEP (equations 1 and 2 of Nguyen et al. 2020) and NCE (minus H(Y|Z), Tran et al. 2019)."""
    joint = np.stack([p[y == c].sum(0) for c in range(classes)]) / len(y)
    given = joint / joint.sum(0)
    leep = np.mean([np.log(given[y[i]] @ p[i]) for i in range(len(y))])
    z, entropy = p.argmax(1), 0.0
    for s in set(z):
        share = np.bincount(y[z == s], minlength=classes) / (z == s).sum()
        entropy -= (z == s).mean() * np.sum(share[share > 0] * np.log(share[share > 0]))
    return float(leep), float(-entropy)


def main():
    drawn = np.random.default_rng(12)
    rng, cases = np.random.default_rng(11), []
    for n, d, classes, apart in ((60, 6, 3, 1.0), (50, 55, 2, 0.3)):
        y = rng.permutation(np.arange(n) % classes)
        x = (rng.normal(size=(classes, d))[y] * apart + rng.normal(size=(n, d)) + 0.3)
        x = x.round(3).astype(np.float32).astype(float)
        fold = np.arange(n) // classes % 5
        sources = 2 * classes
        p = drawn.dirichlet(np.full(sources, 0.5), n) + 0.3 * np.eye(sources)[y]
        p = (p / p.sum(1, keepdims=True)).astype(np.float32)
        leep, nce = source(p.astype(float), y, classes)
        cases.append(dict(rows=n, width=d, classes=classes, x=x.astype(np.float32).ravel().tolist(),
                          label=y.tolist(), fold=fold.tolist(), hscore=hscore(x, y, classes),
                          logme=logme(x, y, classes), knn=knn(x, y, 5), probe=probe(x, y, fold),
                          sources=sources, source=p.ravel().tolist(), leep=leep, nce=nce))
    out = dict(made_by="tools/golden/transfer.py", sklearn=sklearn.__version__,
               scipy=scipy.__version__, case=cases)
    path = pathlib.Path(__file__).resolve().parents[2] / "tests" / "golden" / "transfer.json"
    path.write_text(json.dumps(out) + "\n")


main()
