#!/usr/bin/env python3
"""Writes src/backend/cpu/act_tables.h: cubics that stand for activations where results are bf16.

    tools/golden/act_tables.py > src/backend/cpu/act_tables.h

Of an activation y(x) both y / x - 1/2 and y'(x) - 1/2 are odd, so that a table needs |x| alone.  A
cubic of each segment meets its function at Chebyshev's points; behind the last lies the limit 1/2.
"""
import math

SEGMENTS = 32
ROOT = math.sqrt(0.5)


def phi(x):
    return math.exp(-x * x / 2) / math.sqrt(2 * math.pi)


def gelu(x):
    return math.erf(x * ROOT) / 2, math.erf(x * ROOT) / 2 + x * phi(x)


def gelu_tanh(x):
    c = math.sqrt(2 / math.pi)
    t = math.tanh(c * (x + 0.044715 * x ** 3))
    return t / 2, t / 2 + x / 2 * (1 - t * t) * c * (1 + 3 * 0.044715 * x * x)


def silu(x):
    s = 1 / (1 + math.exp(-x))
    return s - 0.5, s * (1 + x * (1 - s)) - 0.5


def cubic(f, low, width):
    """c with f(low + u width) = c0 + c1 u + c2 u^2 + c3 u^3, by divided differences."""
    u = [0.5 + 0.5 * math.cos((2 * k + 1) * math.pi / 8) for k in range(4)]
    d = [f(low + v * width) for v in u]
    for k in range(1, 4):
        for i in range(3, k - 1, -1):
            d[i] = (d[i] - d[i - 1]) / (u[i] - u[i - k])
    c = [d[3], 0.0, 0.0, 0.0]
    for k in (2, 1, 0):   # times (v - u[k]), plus d[k]
        c = [d[k] - u[k] * c[0]] + [c[i - 1] - u[k] * c[i] for i in range(1, 4)]
    return c


def lines(values):
    words = [f"{v:.9g}" for v in values]
    words = [w + (".0f" if w.lstrip("-").isdigit() else "f") for w in words]
    text, line = [], "     "
    for word in words:
        if len(line) + len(word) + 2 > 98:
            text.append(line)
            line = "     "
        line += f" {word},"
    return "\n".join(text + [line])


def table(name, function, scale, part):
    columns = [cubic(lambda x: function(x)[part], i / scale, 1 / scale)
               for i in range(SEGMENTS - 1)] + [[0.5, 0.0, 0.0, 0.0]]
    rows = [lines([c[k] for c in columns]) for k in range(4)]
    print(f"static const act_table {name} = {{\n    {float(scale)}f,\n    {{")
    print("\n".join("    {\n" + row + "\n    }," for row in rows))
    print("    },\n};")


print("""/* act_tables.h -- written by tools/golden/act_tables.py; not by hand.  Of activations where results
 * are bf16: y(x) = x (1/2 + c(x)) and y'(x) = 1/2 + c(x), c odd, for |x| a cubic in each of 32
 * segments; to a few parts in a million.  Floor 1, backend/cpu. */
#ifndef TL_BACKEND_CPU_ACT_TABLES_H
#define TL_BACKEND_CPU_ACT_TABLES_H

/* Segments of a unit; coefficient k of segment i. */
typedef struct {
    float scale, c[4][32];
} act_table;
""")
for activation, scale in ((gelu, 6), (gelu_tanh, 6), (silu, 2)):
    for part, what in enumerate(("value", "slope")):
        table(f"{activation.__name__}_{what}", activation, scale, part)
print("#endif")
