#!/usr/bin/env python3
"""Makes tests/golden/images/: tiny pictures by formula, in the variants that must decode, and
index.txt with what Pillow makes of them (sizes, a checksum of the bytes, or the bytes).

  python3 tools/golden/images.py

Line forms of index.txt (all bytes as Pillow gives them, upright, grey or RGB):
  decode FILE HEIGHT WIDTH CHANNELS CHANNELS_ASKED HEX_SHA256
  resize FILE METHOD TOP LEFT BOX_HEIGHT BOX_WIDTH HEIGHT WIDTH HEX_SHA256
  bad FILE WORD           must be refused, WORD stands in the message
"""
import hashlib
import io
import pathlib

import numpy as np
from PIL import Image, ImageOps, features
import PIL

TOP = pathlib.Path(__file__).resolve().parents[2] / "tests/golden/images"
TOP.mkdir(parents=True, exist_ok=True)
lines = [f"# Pillow {PIL.__version__}, libjpeg-turbo {features.version('libjpeg_turbo')}, "
         f"libwebp {features.version('webp')}; made by tools/golden/images.py"]


def scene(h, w, c=3):
    y, x = np.mgrid[0:h, 0:w].astype(float)
    planes = [127 + 80 * np.sin(x / 5 + k) + 47 * np.cos(y / 3 - k) for k in range(c)]
    a = np.stack(planes, -1)
    a[h // 4: h // 2, w // 3: w // 2] = (250, 5, 130)[:c]
    return np.clip(a, 0, 255).astype(np.uint8)


def sha(a):
    return hashlib.sha256(np.ascontiguousarray(a).tobytes()).hexdigest()


def expect(name, asked=(0, 1, 3), wanted=None):
    im = wanted if wanted is not None else ImageOps.exif_transpose(Image.open(TOP / name))
    grey = im.mode in ("1", "L", "LA", "I;16")
    for c in asked:
        out = im.convert("L") if c == 1 or (c == 0 and grey) else im.convert("RGB")
        a = np.asarray(out)
        lines.append(f"decode {name} {a.shape[0]} {a.shape[1]} {1 if a.ndim == 2 else 3} {c} {sha(a)}")


def save(name, im, asked=(0, 1, 3), wanted=None, **how):
    im.save(TOP / name, **how)
    expect(name, asked, wanted)


rgb = Image.fromarray(scene(37, 53))
grey = Image.fromarray(scene(37, 53, 1)[..., 0])
alpha = Image.fromarray(np.dstack([scene(37, 53), scene(37, 53, 1)]), "RGBA")
cmyk = Image.fromarray(np.dstack([scene(37, 53), 255 - scene(37, 53, 1)]), "CMYK")

save("rgb.jpg", rgb, quality=90)
save("rgb-420.jpg", rgb, quality=75, subsampling=2)
save("progressive.jpg", rgb, quality=80, progressive=True)
save("grey.jpg", grey, quality=90)
save("cmyk.jpg", cmyk, quality=90)
save("restart.jpg", rgb, quality=85, restart_marker_blocks=3)
for turn in range(1, 9):
    exif = Image.Exif()
    exif[0x0112] = turn
    save(f"turn{turn}.jpg", rgb, asked=(0,), quality=90, exif=exif)
exif = Image.Exif()
exif[0x0112] = 6
save("turn6.png", rgb, asked=(0,), exif=exif)
save("turn6.webp", rgb, asked=(0,), exif=exif, lossless=True)
save("rgb.png", rgb)
save("grey.png", grey)
save("alpha.png", alpha)
save("grey-alpha.png", Image.merge("LA", (grey, grey.transpose(Image.Transpose.FLIP_LEFT_RIGHT))))
save("palette.png", rgb.quantize(17))
save("palette-clear.png", rgb.quantize(17), transparency=3)
save("two.png", grey.convert("1"))
# of 16 bits the upper 8 count (Pillow clips 16-bit grey instead)
deep = (scene(37, 53, 1)[..., 0].astype(np.uint16) << 8) + np.arange(53, dtype=np.uint16)
save("grey16.png", Image.fromarray(deep), wanted=Image.fromarray((deep >> 8).astype(np.uint8)))
save("rgb.webp", rgb, quality=80)
save("alpha.webp", alpha, lossless=True, exact=True)


def png_chunks(data):
    at = 8
    while at < len(data):
        size = int.from_bytes(data[at:at + 4], "big")
        yield data[at + 4:at + 8], data[at:at + 12 + size]
        at += 12 + size


def adam7():
    """An interlaced PNG, put together by hand: Pillow does not write them."""
    import struct
    import zlib
    a = scene(11, 13)
    raw = b""
    for y0, x0, dy, dx in ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2),
                           (0, 1, 2, 2), (1, 0, 2, 1)):
        for row in a[y0::dy, x0::dx]:
            if len(row):
                raw += b"\0" + row.tobytes()

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    head = struct.pack(">IIBBBBB", 13, 11, 8, 2, 0, 0, 1)
    (TOP / "interlaced.png").write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) +
                                         chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b""))
    expect("interlaced.png")


def rgb16():
    import struct
    import zlib
    a = (scene(9, 7).astype(np.uint16) << 8) + 77

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    raw = b"".join(b"\0" + row.astype(">u2").tobytes() for row in a)
    head = struct.pack(">IIBBBBB", 7, 9, 16, 2, 0, 0, 0)
    (TOP / "rgb16.png").write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) +
                                    chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b""))
    expect("rgb16.png")


adam7()
rgb16()

# A JPEG that lacks nothing but its end marker decodes all the same.
whole = (TOP / "rgb.jpg").read_bytes()
(TOP / "no-end.jpg").write_bytes(whole[:-2])
expect("no-end.jpg", asked=(0,), wanted=Image.open(TOP / "rgb.jpg"))

# Resizing: sources are PNG so that decoding cannot differ.
method = {"nearest": Image.Resampling.NEAREST, "bilinear": Image.Resampling.BILINEAR,
          "bicubic": Image.Resampling.BICUBIC}
cases = [(None, 16, 16), (None, 74, 106), (None, 37, 20), (None, 5, 53), (None, 1, 1), (None, 37, 53),
         ((3, 5, 20, 30), 24, 24), ((0.5, 2.25, 30.5, 40.125), 17, 31), ((10, 0, 27, 53), 9, 90), (None, 9, 40)]
for name in ("rgb.png", "grey.png"):
    im = Image.open(TOP / name)
    for how, code in method.items():
        for box, h, w in cases:
            t, l, bh, bw = box or (0, 0, im.height, im.width)
            out = im.resize((w, h), code, box=(l, t, l + bw, t + bh))
            lines.append(f"resize {name} {how} {t} {l} {bh} {bw} {h} {w} {sha(np.asarray(out))}")

bad = {"empty.jpg": (b"", "empty"), "text.jpg": (b"<html>not found</html>", "not a JPEG"),
       "half.jpg": (whole[:len(whole) // 2], "cut short"),
       "half-progressive.jpg": ((TOP / "progressive.jpg").read_bytes()[:600], "cut short"),
       "half.png": ((TOP / "rgb.png").read_bytes()[:900], "cut short"),
       "half.webp": ((TOP / "rgb.webp").read_bytes()[:300], "cut short"),
       "flipped.png": (bytes(b ^ (0x55 if i == 200 else 0)
                             for i, b in enumerate((TOP / "rgb.png").read_bytes())), "damaged")}
bomb = bytearray((TOP / "rgb.jpg").read_bytes())
at = bomb.index(b"\xff\xc0")
bomb[at + 5:at + 9] = b"\xff\xdc\xff\xdc"
bad["bomb.jpg"] = (bytes(bomb), "too many pixels")
for name, (data, word) in bad.items():
    (TOP / name).write_bytes(data)
    lines.append(f"bad {name} {word}")

(TOP / "index.txt").write_text("\n".join(lines) + "\n")
print(len(lines), "lines", sum(f.stat().st_size for f in TOP.iterdir()), "bytes")
