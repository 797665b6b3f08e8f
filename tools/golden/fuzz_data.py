#!/usr/bin/env python3
"""Makes the first inputs of the data room's fuzz targets: tests/fuzz/corpus/{image,idx,labels,prep}.

  python3 tools/golden/fuzz_data.py
"""
import gzip
import io
import pathlib

import numpy as np
from PIL import Image

TOP = pathlib.Path(__file__).resolve().parents[2] / "tests/fuzz/corpus"


def put(target, name, data):
    (TOP / target).mkdir(parents=True, exist_ok=True)
    (TOP / target / name).write_bytes(data)


def picture(mode, size, kind, **how):
    h, w = size
    c = {"L": 1, "RGB": 3, "RGBA": 4, "CMYK": 4, "P": 3, "LA": 2}[mode]
    a = (np.arange(h * w * c).reshape(h, w, c) * 7 % 256).astype(np.uint8)
    im = Image.fromarray(a[..., 0] if c == 1 else a, "RGB" if mode == "P" else mode)
    if mode == "P":
        im = im.quantize(4)
    out = io.BytesIO()
    im.save(out, kind, **how)
    return out.getvalue()


exif = Image.Exif()
exif[0x0112] = 6
put("image", "rgb.jpg", picture("RGB", (9, 13), "JPEG", quality=30, exif=exif))
put("image", "progressive.jpg", picture("RGB", (9, 13), "JPEG", quality=30, progressive=True))
put("image", "cmyk.jpg", picture("CMYK", (8, 8), "JPEG", quality=30))
put("image", "grey.jpg", picture("L", (8, 8), "JPEG", quality=30))
put("image", "palette.png", picture("P", (5, 6), "PNG", transparency=1))
put("image", "rgba.png", picture("RGBA", (5, 6), "PNG", exif=exif))
put("image", "la.png", picture("LA", (3, 4), "PNG"))
put("image", "lossy.webp", picture("RGB", (9, 13), "WEBP", quality=30))
put("image", "lossless.webp", picture("RGBA", (5, 6), "WEBP", lossless=True, exif=exif))
plain = bytes([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 3]) + bytes(range(12))
put("idx", "plain", plain)
put("idx", "plain.gz", gzip.compress(plain, mtime=0))
put("idx", "labels", bytes([0, 0, 8, 1, 0, 0, 0, 4, 0, 1, 2, 1]))
put("labels", "comma.csv", b"file,label\na.png,cat\nb.png,dog\n")
put("labels", "quoted.csv", b'\xef\xbb\xbf"label";"file"\r\n"one ""cat""";a.png\r\n\r\n2;"b.png"\r\n')
put("labels", "bare.csv", b"a.png\t10\nb.png\t9\n../x.png\t1\nc.png\t\n")
put("prep", "clip.json", b'{"size":{"shortest_edge":256},"do_center_crop":true,"crop_size":{"height":224,'
    b'"width":224},"resample":3,"image_mean":[0.5,0.5,0.5],"image_std":[0.5,0.5,0.5],"bgr":true}')
put("prep", "convnext.json", b'{"size":224,"crop_pct":0.875,"do_rescale":true,"rescale_factor":0.00392156}')
