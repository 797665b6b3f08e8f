#!/usr/bin/env python3
"""The audit of labels beside cleanlab, on the same features with the same planted flips.

    PEER_PYTHON tools/peer/label_errors.py BUILD DATA [flips...]

BUILD holds peer-labels (ninja -C BUILD peer-labels); DATA is the folder of TAILOR_DATA. Needs
cleanlab and scikit-learn. cleanlab's find_label_issues with its defaults counts the five-fold
probabilities of a logistic regression on standardised features; Tailor makes its own from the same
features. Prints a table of precision and recall, means of three draws, and whether both agree
row by row where cleanlab counts Tailor's probabilities of the first round."""
import csv
import gzip
import os
import subprocess
import sys
import tempfile

import cleanlab
import numpy as np
import sklearn
from cleanlab.filter import find_label_issues
from sklearn.datasets import load_digits
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

build, data = sys.argv[1], sys.argv[2]
rates = [float(r) for r in sys.argv[3:]] or [0.05, 0.1, 0.2]
DRAWS = 3


def idx(path, offset):
    with gzip.open(path) as f:
        return np.frombuffer(f.read(), np.uint8, offset=offset)


def digits():
    d = load_digits()
    return d.data, d.target


def mnist():
    folder = os.path.join(data, "images", "mnist")
    x = idx(os.path.join(folder, "t10k-images-idx3-ubyte.gz"), 16).reshape(-1, 14, 2, 14, 2)
    y = idx(os.path.join(folder, "t10k-labels-idx1-ubyte.gz"), 8)
    return x[:4000].mean((2, 4)).reshape(4000, -1), y[:4000].astype(int)


def fashion():
    folder = os.path.join(data, "images", "fashion-mnist")
    x = idx(os.path.join(folder, "t10k-images-idx3-ubyte.gz"), 16).reshape(-1, 14, 2, 14, 2)
    y = idx(os.path.join(folder, "t10k-labels-idx1-ubyte.gz"), 8)
    return x[:4000].mean((2, 4)).reshape(4000, -1), y[:4000].astype(int)


def words(texts, y, width):
    t = TfidfVectorizer(sublinear_tf=True, min_df=2, ngram_range=(1, 2)).fit_transform(texts)
    return TruncatedSVD(width, random_state=0).fit_transform(t), np.array(y)


def banking():
    with open(os.path.join(data, "text", "banking77", "train.csv"), newline="") as f:
        rows = [(r["text"], r["category"]) for r in csv.DictReader(f)]
    names = sorted({c for _, c in rows})[:20]
    rows = [(t, names.index(c)) for t, c in rows if c in names]
    return words([t for t, _ in rows], [c for _, c in rows], 100)


def ag_news():
    with open(os.path.join(data, "text", "ag-news", "test.csv"), newline="") as f:
        rows = [r for r in csv.reader(f) if r and r[0].strip().isdigit()][:4000]
    return words([" ".join(r[1:]) for r in rows], [int(r[0]) - 1 for r in rows], 100)


def bitext():
    with open(os.path.join(data, "text", "bitext-customer-support", "train.csv"), newline="") as f:
        rows = [(r["utterance"], r["intent"]) for r in csv.DictReader(f)][:4000]
    names = sorted({c for _, c in rows})
    return words([t for t, _ in rows], [names.index(c) for _, c in rows], 100)


def flip(y, rate, seed):
    rng = np.random.default_rng(seed)
    classes = y.max() + 1
    bad = rng.random(len(y)) < rate
    return np.where(bad, (y + rng.integers(1, classes, len(y))) % classes, y), bad


def ours(x, y, rounds=2, keep=None):
    with tempfile.TemporaryDirectory() as folder:
        a, b = os.path.join(folder, "x"), os.path.join(folder, "y")
        x.astype("<f4").tofile(a)
        y.astype("<i4").tofile(b)
        command = [os.path.join(build, "peer-labels"), a, b, str(len(y)), str(x.shape[1]),
                   str(y.max() + 1), str(rounds)]
        out = subprocess.run(command + ([keep] if keep else []), check=True, capture_output=True)
        found = np.zeros(len(y), bool)
        found[[int(r) for r in out.stdout.split()]] = True
        return found


def theirs(x, y):
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=400))
    p = cross_val_predict(model, x, y, cv=5, method="predict_proba")
    return find_label_issues(y, p, n_jobs=1)


def agree(x, y):
    with tempfile.NamedTemporaryFile() as f:
        one = ours(x, y, 1, f.name)
        p = np.fromfile(f.name, "<f4").reshape(len(y), -1)
    p = p.astype(np.float64)
    return np.mean(one == find_label_issues(y, p / p.sum(1, keepdims=True), n_jobs=1))


def quality(found, bad):
    hit = (found & bad).sum()
    return hit / max(1, found.sum()), hit / max(1, bad.sum())


print(f"cleanlab {cleanlab.__version__}, scikit-learn {sklearn.__version__}, {DRAWS} draws\n")
print("| data | flipped | precision | cleanlab's | recall | cleanlab's | same count |")
print("| --- | --- | --- | --- | --- | --- | --- |", flush=True)
for make in (digits, mnist, fashion, banking, ag_news, bitext):
    x, y = make()
    for rate in rates:
        mine, other, same = [], [], []
        for seed in range(DRAWS):
            noisy, bad = flip(y, rate, seed)
            mine.append(quality(ours(x, noisy), bad))
            other.append(quality(theirs(x, noisy), bad))
            if seed == 0:
                same.append(agree(x, noisy))
        m, o = np.mean(mine, 0), np.mean(other, 0)
        print(f"| {make.__name__.replace('_', ' ')} ({len(y)} x {x.shape[1]}, {y.max() + 1}) | "
              f"{100 * rate:.0f} % | {100 * m[0]:.1f} | {100 * o[0]:.1f} | {100 * m[1]:.1f} | "
              f"{100 * o[1]:.1f} | {100 * same[0]:.2f} % |", flush=True)
