#!/usr/bin/env python3
"""Histograms of oriented gradients after Dalal and Triggs 2005, written anew with numpy: gradients
[-1 0 1] of the steepest channel, 9 orientations over half a turn, votes shared between the nearest
orientations and cells, blocks of 2 x 2 cells by L2-Hys.  tests/golden/hog.json holds a picture and
its numbers; tests/golden/hog.c compares.
    tools/golden/hog.py tests/golden/hog.json"""
import json
import sys

import numpy as np

BINS, LEAST = 9, 1e-2


def cells_of(picture, cell):
    h, w, _ = picture.shape
    padded = np.pad(picture, ((1, 1), (1, 1), (0, 0)), mode="edge")
    gx = padded[1:-1, 2:] - padded[1:-1, :-2]
    gy = padded[2:, 1:-1] - padded[:-2, 1:-1]
    steepest = np.argmax(gx ** 2 + gy ** 2, axis=2)[..., None]
    gx = np.take_along_axis(gx, steepest, 2)[..., 0]
    gy = np.take_along_axis(gy, steepest, 2)[..., 0]
    magnitude, turn = np.hypot(gx, gy), np.mod(np.arctan2(gy, gx), np.pi)
    rows, columns = h // cell, w // cell
    # the share of each pixel row in each cell row, of columns alike, of angles in bins
    place = lambda n, m: np.maximum(0, 1 - np.abs((np.arange(n)[:, None] + .5) / cell - .5
                                                  - np.arange(m)[None, :]))
    away = np.abs(turn[..., None] * BINS / np.pi - .5 - np.arange(BINS))
    share = np.maximum(0, 1 - np.minimum(away, BINS - away))
    return np.einsum("ir,jc,ijb,ij->rcb", place(h, rows), place(w, columns), share, magnitude)


def hog(picture, cell):
    c = cells_of(picture, cell)
    out = []
    for r in range(c.shape[0] - 1):
        for k in range(c.shape[1] - 1):
            v = c[r:r + 2, k:k + 2].reshape(-1)
            v = np.minimum(v / np.sqrt(np.sum(v * v) + LEAST ** 2), 0.2)
            out.append(v / np.sqrt(np.sum(v * v) + 1e-12))
    return np.concatenate(out)


def main():
    rng = np.random.default_rng(7)
    cases = []
    for height, width, channels, cell in ((14, 19, 1, 4), (17, 12, 3, 5), (8, 8, 3, 4)):
        y, x = np.mgrid[:height, :width]
        wave = np.stack([np.sin(x * (.5 + .2 * c) + y * (.9 - .3 * c)) for c in range(channels)], 2)
        picture = np.round(.5 + .3 * wave + .2 * rng.uniform(-1, 1, wave.shape), 3)
        cases.append({"height": height, "width": width, "channels": channels, "cell": cell,
                      "picture": picture.reshape(-1).tolist(),
                      "hog": [float(f"{v:.7g}") for v in hog(picture, cell)]})
    with open(sys.argv[1], "w") as f:
        json.dump({"numpy": np.__version__, "cases": cases}, f)
        f.write("\n")


main()
