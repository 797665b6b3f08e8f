#!/usr/bin/env python3
"""Golden numbers for distances of features: writes tests/golden/distance_golden.h.

Needs scipy, numpy and scikit-learn; their versions are written into the file."""
import os
import numpy as np
import scipy
import sklearn
from scipy import linalg
from sklearn.metrics.pairwise import euclidean_distances, rbf_kernel

N, M, WIDTH = 14, 17, 6
rng = np.random.default_rng(3)
out = ["/* Made by tools/golden/distance.py with scipy %s, scikit-learn %s, numpy %s. */"
       % (scipy.__version__, sklearn.__version__, np.__version__),
       "enum { GOLDEN_N = %d, GOLDEN_M = %d, GOLDEN_WIDTH = %d };" % (N, M, WIDTH)]


def table(name, values, kind="double"):
    out.append("static const %s %s[] = {" % (kind, name))
    for i in range(0, len(values), 5):
        out.append("    " + " ".join("%r%s," % (float(v), "f" if kind == "float" else "")
                                     for v in values[i:i + 5]))
    out.append("};")


first, second, mmds, frechets = [], [], [], []
for shift, scale in ((0.0, 1.0), (0.7, 1.0), (0.2, 3.0)):
    a = np.round(rng.normal(size=(N, WIDTH)), 3)
    b = np.round(shift + scale * rng.normal(size=(M, WIDTH)), 3)
    x, y = (v.astype(np.float32).astype(np.float64) for v in (a, b))
    both = np.vstack([x, y])
    d2 = euclidean_distances(both, squared=True)[np.triu_indices(N + M, 1)]
    k = rbf_kernel(both, gamma=0.5 / np.median(d2))
    kx, ky, kxy = k[:N, :N], k[N:, N:], k[:N, N:]
    mmds.append((kx.sum() - np.trace(kx)) / (N * (N - 1)) +
                (ky.sum() - np.trace(ky)) / (M * (M - 1)) - 2 * kxy.mean())
    cx, cy = np.cov(x.T), np.cov(y.T)
    frechets.append(((x.mean(0) - y.mean(0)) ** 2).sum() +
                    np.trace(cx + cy - 2 * np.real(linalg.sqrtm(cx @ cy))))
    first += list(a.ravel())
    second += list(b.ravel())
table("golden_first", first, "float")
table("golden_second", second, "float")
table("golden_mmd2", mmds)
table("golden_frechet", frechets)
here = os.path.dirname(os.path.abspath(__file__))
with open(os.path.join(here, "../../tests/golden/distance_golden.h"), "w") as f:
    f.write("\n".join(out) + "\n")
