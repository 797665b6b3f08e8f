"""Tailor's random numbers in Python: what src/core/rand.c gives for (seed, stream, index), so
that a peer can be shown the same rows in the same order, cropped and dropped the same way.
Source: Salmon et al. 2011 (Philox4x32-10)."""
import numpy as np

ORDER, DROPOUT, AUGMENT = 2 << 56, 4 << 56, 5 << 56     # streams; an epoch is added
LOW = np.uint64(0xffffffff)
HALF = np.uint64(32)


def block(seed, stream, index):
    """Four 32-bit words (in uint64) for each of `index`."""
    index = np.asarray(index).astype(np.uint64)
    k0, k1 = seed & 0xffffffff, seed >> 32
    c0, c1 = index & LOW, index >> HALF
    c2, c3 = (np.full_like(index, n) for n in (stream & 0xffffffff, stream >> 32))
    for _ in range(10):
        p0, p1 = np.uint64(0xD2511F53) * c0, np.uint64(0xCD9E8D57) * c2
        c0, c1, c2, c3 = (p1 >> HALF ^ c1 ^ np.uint64(k0), p1 & LOW,
                          p0 >> HALF ^ c3 ^ np.uint64(k1), p0 & LOW)
        k0, k1 = (k0 + 0x9E3779B9) & 0xffffffff, (k1 + 0xBB67AE85) & 0xffffffff
    return c0, c1, c2, c3


def words(seed, stream, index):
    low, high, _, _ = block(seed, stream, index)
    return [int(w) for w in np.atleast_1d(high << HALF | low)]


def shuffled(seed, epoch, n):
    """The order of n rows in an epoch (Fisher and Yates)."""
    order = list(range(n))
    draws = words(seed, ORDER + epoch, np.arange(1, n))
    for i in range(n - 1, 0, -1):
        j = draws[i - 1] * (i + 1) >> 64
        order[i], order[j] = order[j], order[i]
    return order


class Dice:
    """All draws for one picture in one epoch."""

    def __init__(self, seed, epoch, row):
        self.words = words(seed, AUGMENT + epoch, np.arange(row * 128, row * 128 + 128))

    def uniform(self, which, low=0.0, high=1.0):
        return low + (high - low) * ((self.words[which] >> 11) * 2.0 ** -53)

    def below(self, which, n):
        return self.words[which] * n >> 64


def kept(seed, step, rows, width, p):
    """The 0/1 mask of a network's first dropout, [rows, width]."""
    n = rows * width
    at = (step << 40) + np.arange((n + 3) // 4)
    lanes = np.stack(block(seed, DROPOUT, at), 1).reshape(-1)[:n]
    return (lanes >= int(float(np.float32(p)) * 2.0 ** 32)).reshape(rows, width)
