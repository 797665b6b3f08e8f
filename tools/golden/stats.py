#!/usr/bin/env python3
"""Golden numbers for the statistics: writes tests/golden/stats_golden.h.

Needs scipy, numpy and scikit-learn; their versions are written into the file."""
import os
import numpy as np
import scipy
import sklearn
from scipy import optimize, stats
from sklearn.metrics import accuracy_score, f1_score, log_loss, roc_auc_score

rng = np.random.default_rng(20)
out = ["/* Made by tools/golden/stats.py with scipy %s, scikit-learn %s. */"
       % (scipy.__version__, sklearn.__version__)]


def table(name, width, rows):
    out.append("static const double %s[][%d] = {" % (name, width))
    for row in rows:
        out.append("    { " + ", ".join(repr(float(x)) for x in row) + " },")
    out.append("};")


ps = [1e-6, 0.001, 0.025, 0.1, 0.5, 0.7, 0.9, 0.975, 0.995, 0.9999]
dfs = [1, 2, 2.5, 3, 7.3, 30, 400, 1e5]
table("golden_normal", 2, [(p, stats.norm.ppf(p)) for p in ps + [1e-12]])
table("golden_student", 3, [(p, df, stats.t.ppf(p, df)) for p in ps for df in dfs])
table("golden_student_cdf", 3, [(t, df, stats.t.cdf(t, df))
                                for t in [-12, -4.3, -1, 0, 0.3, 2, 40] for df in dfs])
wilson = []
for s, n in [(0, 10), (3, 10), (10, 10), (371, 400), (1, 5000)]:
    for c in (0.9, 0.95):
        low, high = stats.binomtest(s, n).proportion_ci(c, method="wilson")
        wilson.append((s, n, c, low, high))
table("golden_wilson", 5, wilson)

x = [0.91, 0.93, 0.905, 0.94, 0.88]
means = []
for n in (2, 3, 5):
    low, high = stats.t.interval(0.95, n - 1, np.mean(x[:n]), stats.sem(x[:n]))
    means.append((n, np.mean(x[:n]), low, high))
table("golden_sample", 1, [(v,) for v in x])
table("golden_mean", 4, means)

metrics, labels, predictions = [], [], []
for rows, classes, noise in [(40, 3, 0.3), (40, 7, 0.6), (40, 5, 0.0), (40, 9, 0.95)]:
    label = rng.integers(0, classes, rows)
    label[label == classes - 1] = 0  # one class that is never the label
    predicted = np.where(rng.random(rows) < noise, rng.integers(0, classes, rows), label)
    metrics.append((classes, accuracy_score(label, predicted),
                    f1_score(label, predicted, average="macro", zero_division=0)))
    labels.append(label)
    predictions.append(predicted)
table("golden_metric", 3, metrics)
for name, rows in (("golden_label", labels), ("golden_predicted", predictions)):
    out.append("static const int32_t %s[][40] = {" % name)
    for row in rows:
        text = ", ".join(map(str, row))
        half = text.index(",", len(text) // 2) + 1
        out += ["    { " + text[:half], "      " + text[half:].strip() + " },"]
    out.append("};")

# Calibration: log_loss of scikit-learn, Brier and the 15-bin error by their definitions, the
# temperature by scipy's bounded search.
rows, classes = 60, 4
logits = rng.normal(size=(rows, classes)) * 2.5
truth = np.array([rng.choice(classes, p=np.exp(z / 2) / np.exp(z / 2).sum()) for z in logits])
chance = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
chance = chance.astype(np.float32).astype(np.float64)


def heated(t):
    p = chance ** (1 / t)
    return p / p.sum(1, keepdims=True)


def calibration(t):
    p = heated(t)
    top, right = p.max(1), p.argmax(1) == truth
    bins = np.clip(np.ceil(top * 15).astype(int) - 1, 0, 14)
    ece = sum(abs(right[bins == b].sum() - top[bins == b].sum()) for b in range(15)) / rows
    brier = ((p - np.eye(classes)[truth]) ** 2).sum(1).mean()
    return t, ece, brier, log_loss(truth, p, labels=range(classes))


best = optimize.minimize_scalar(lambda u: calibration(np.exp(u))[3], bounds=(-3, 3),
                                method="bounded", options={"xatol": 1e-9})
table("golden_calibration", 4, [calibration(1.0), calibration(np.exp(best.x)), calibration(0.3)])
table("golden_chance", classes, chance)
out.append("static const int32_t golden_truth[] = {")
out += ["    " + ", ".join(map(str, truth[i:i + 20])) + "," for i in range(0, rows, 20)] + ["};"]

# ROC AUC by scikit-learn, its bounds where scipy finds them: |AUC - x| = 1.96 errors of x.
drawn = np.random.default_rng(5)
yes = np.arange(24) % 3 == 0
areas, scores = [], []


def auc_bounds(a, n1, n0):
    def off(x):
        q1, q2 = x / (2 - x), 2 * x * x / (1 + x)
        return abs(a - x) - 1.959963984540054 * np.sqrt(max(0.0, (
            x * (1 - x) + (n1 - 1) * (q1 - x * x) + (n0 - 1) * (q2 - x * x)) / (n1 * n0)))
    low = optimize.brentq(off, 1e-9, a - 1e-6)
    return low, 1.0 if a == 1 else optimize.brentq(off, a + 1e-6, 1 - 1e-12)


for apart, digits in ((1.0, 3), (1.0, 0), (9.0, 3)):
    x = (drawn.normal(size=24) + apart * yes).round(digits)
    a = roc_auc_score(yes, x)
    areas.append((a, *auc_bounds(a, yes.sum(), (~yes).sum())))
    scores += list(x.reshape(4, 6))
table("golden_areas", 3, areas)
table("golden_scores", 6, scores)  # 24 of each area

here = os.path.dirname(os.path.abspath(__file__))
with open(os.path.join(here, "..", "..", "tests", "golden", "stats_golden.h"), "w") as f:
    f.write("\n".join(out) + "\n")
