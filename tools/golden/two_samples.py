#!/usr/bin/env python3
"""Golden numbers for two-sample tests: writes tests/golden/two_samples_golden.h.

Needs scipy and numpy; their versions are written into the file."""
import os
import numpy as np
import scipy
from scipy import special, stats

rng = np.random.default_rng(8)
out = ["/* Made by tools/golden/two_samples.py with scipy %s, numpy %s. */"
       % (scipy.__version__, np.__version__)]


def table(name, rows, kind="double", width=None):
    out.append("static const %s %s[]%s = {" % (kind, name, "[%d]" % width if width else ""))
    for row in rows:
        if width:
            out.append("    { " + ", ".join(repr(x) for x in row) + " },")
        else:
            out.append("    " + repr(row) + ",")
    out.append("};")


table("golden_kolmogorov", [(x, float(special.kolmogorov(x)))
                            for x in (0.1, 0.3, 0.5, 0.8, 0.999, 1.0, 1.3, 2.0, 3.5, 6.0)], width=2)
table("golden_chi_squared", [(x, df, float(stats.chi2.sf(x, df)))
                             for df in (1.0, 2.0, 3.0, 9.0, 40.0, 254.0)
                             for x in (0.01, 0.7, 3.84, 12.0, 60.0, 300.0)], width=3)

# Three pairs of 60 and 90 numbers: alike, moved, and whole numbers with many ties.
first = [rng.normal(size=60), rng.normal(size=60), rng.integers(0, 6, 60).astype(float)]
second = [rng.normal(size=90), rng.normal(0.8, 1.0, 90), rng.integers(1, 8, 90).astype(float)]
flat = lambda lists: [float(x) for row in lists for x in row]
table("golden_first", flat(first))
table("golden_second", flat(second))
table("golden_distance", [float(stats.ks_2samp(a, b).statistic) for a, b in zip(first, second)])
# The p of ks_2samp is exact here; ours is Stephens' approximation to it.
table("golden_distance_p", [float(stats.ks_2samp(a, b, method="exact").pvalue)
                            for a, b in zip(first, second)])

counts = [[(40, 30), (25, 20), (10, 22)], [(300, 100), (300, 100), (300, 100)],
          [(500, 20), (100, 60), (30, 40)]]
table("golden_counts", [int(x) for rows in counts for pair in zip(*rows) for x in pair], "int64_t")
rows = []
for pairs in counts:
    got = stats.chi2_contingency(np.array(pairs).T, correction=False)
    n = np.array(pairs).sum()
    rows.append((float(got.statistic), float(np.sqrt(got.statistic / n)), float(got.pvalue)))
table("golden_counts_test", rows, width=3)

here = os.path.dirname(os.path.abspath(__file__))
with open(os.path.join(here, "../../tests/golden/two_samples_golden.h"), "w") as f:
    f.write("\n".join(out) + "\n")
