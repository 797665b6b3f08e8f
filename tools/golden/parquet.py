#!/usr/bin/env python3
"""Small Parquet files written by pyarrow, and what a reader must make of each of their cells
-> tests/golden/parquet/*.parquet and cells.json; some of them again as the fuzz target's corpus."""
import datetime
import decimal
import json
import pathlib
import random
import shutil
import uuid

import numpy
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

ROOT = pathlib.Path(__file__).resolve().parents[2]
OUT = ROOT / "tests" / "golden" / "parquet"
CORPUS = ROOT / "tests" / "fuzz" / "corpus" / "parquet"
rng = random.Random(11)
cases = []


def number(v, least, most, same):
    if v != v:
        return None
    if abs(v) < 1e15 and v == int(v):
        return "%.1f" % v
    for digits in range(least, most + 1):
        s = "%.*g" % (digits, v)
        if same(float(s)) == same(v):
            break
    return s


def clock(ns):
    s, ns = divmod(ns, 10**9)
    text = "%02d:%02d:%02d" % (s // 3600, s // 60 % 60, s % 60)
    return text + (("." + "%09d" % ns).rstrip("0") if ns else "")


def moment(ns, zone):
    days, rest = divmod(ns, 86400 * 10**9)
    day = str(numpy.datetime64(days, "D"))
    return day + " " + clock(rest) + ("Z" if zone else "")


PER = {"s": 10**9, "ms": 10**6, "us": 1000, "ns": 1}


def cell(scalar, t):
    """The text of a value that is no list, map or struct; None where it counts as missing."""
    v = scalar.as_py() if not (pa.types.is_timestamp(t) or pa.types.is_time(t)) else None
    if pa.types.is_boolean(t):
        return "true" if v else "false"
    if pa.types.is_integer(t):
        return str(v)
    if pa.types.is_float16(t):
        return number(float(v), 5, 5, float)
    if pa.types.is_float32(t):
        return number(float(numpy.float32(v)), 6, 9, numpy.float32)
    if pa.types.is_float64(t):
        return number(v, 15, 17, float)
    if pa.types.is_decimal(t):
        return format(v, "f")
    if pa.types.is_date(t):
        return v.isoformat()
    if pa.types.is_time(t):
        return clock(scalar.value * PER[t.unit])
    if pa.types.is_timestamp(t):
        return moment(scalar.value * PER[t.unit], t.tz)
    if isinstance(v, uuid.UUID):
        return str(v)
    return v.decode() if isinstance(v, bytes) else v


def quoted(t):
    return not (pa.types.is_boolean(t) or pa.types.is_integer(t) or pa.types.is_floating(t)
                or pa.types.is_decimal(t))


def as_json(scalar, t):
    if not scalar.is_valid:
        return "null"
    if pa.types.is_map(t):
        keys, items = t.key_type, t.item_type
        pairs = []
        for entry in scalar.values:
            k = as_json(entry["key"] if "key" in entry else entry[0], keys)
            pairs.append((k if quoted(keys) else '"%s"' % k) + ":" + as_json(entry[1], items))
        return "{" + ",".join(pairs) + "}"
    if pa.types.is_list(t) or pa.types.is_large_list(t):
        return "[" + ",".join(as_json(v, t.value_type) for v in scalar.values) + "]"
    if pa.types.is_struct(t):
        return "{" + ",".join(json.dumps(f.name) + ":" + as_json(scalar[f.name], f.type) for f in t
                              if scalar[f.name].is_valid) + "}"
    text = cell(scalar, t)
    if text is None or text in ("inf", "-inf"):
        return "null"
    return json.dumps(text, ensure_ascii=False) if quoted(t) else text


def of(scalar):
    t = scalar.type
    if not scalar.is_valid:
        return None
    nested = pa.types.is_map(t) or pa.types.is_struct(t) or pa.types.is_list(t) or \
        pa.types.is_large_list(t)
    return as_json(scalar, t) if nested else cell(scalar, t)


def write(name, table, corpus=False, **how):
    how.setdefault("compression", "none")
    path = OUT / (name + ".parquet")
    pq.write_table(table, path, **how)
    rows = [[of(c[i]) for c in table.columns] for i in range(table.num_rows)]
    cases.append({"file": path.name, "columns": table.column_names, "rows": rows})
    if corpus:
        shutil.copy(path, CORPUS / path.name)


def gaps(values, every=5):
    return [None if i % every == 3 else v for i, v in enumerate(values)]


def types():
    day = [datetime.date(1970, 1, 1), datetime.date(2024, 2, 29), datetime.date(1899, 12, 31),
           datetime.date(1600, 3, 1), datetime.date(9999, 12, 31), datetime.date(2000, 1, 1)]
    ns = [0, 1, -1, 1709210096123456789, -2208988800000000000, 86399999999999]
    us = [v // 1000 for v in ns]
    clocks = [0, 1, 86399999, 3600000, 12345678, 43200500]
    real = [0.1, -1.5, 3.0, 1e300, float("nan"), float("inf")]
    ids = [uuid.UUID(int=i * 0x1234567890ABCDEF1234567890ABCD % 2**128).bytes for i in range(6)]
    D = decimal.Decimal
    cents = [D("0.00"), D("-0.05"), D("999.99"), D("1.10"), D("-999.99"), D("12.34")]
    big = [D("0"), D("12345678901234567890123456.0123456789"), D("-1"), D("0.0000000001"),
           D("-99999999999999999999999999.9999999999"), D("7.5")]
    words = ["", "plain", "with, comma and \"quotes\"", "zwei\nZeilen", "\u4e2d\u6587 \U0001F600",
             "null"]
    columns = {
        "truth": pa.array([True, False, True, False, True, True]),
        "i8": pa.array([0, 1, -1, 127, -128, 5], pa.int8()),
        "u8": pa.array([0, 1, 255, 127, 128, 5], pa.uint8()),
        "i16": pa.array([0, 1, -1, 32767, -32768, 5], pa.int16()),
        "u32": pa.array([0, 1, 4294967295, 7, 8, 9], pa.uint32()),
        "i32": pa.array([0, 1, -1, 2147483647, -2147483648, 5], pa.int32()),
        "i64": pa.array([0, 1, -1, 2**63 - 1, -2**63, 5], pa.int64()),
        "u64": pa.array([0, 1, 2, 2**64 - 1, 2**63, 5], pa.uint64()),
        "f16": pa.array(numpy.array([0.1, -1.5, 3, 65504, 6e-8, 1e-3], numpy.float16)),
        "f32": pa.array(real[:3] + [3.4e38, 1e-45, 16777216.0], pa.float32()),
        "f64": pa.array(real),
        "word": pa.array(words),
        "large": pa.array(words, pa.large_string()),
        "bytes": pa.array([w.encode() for w in words], pa.binary()),
        "fixed": pa.array([b"abc", b"def", b"ghi", b"jkl", b"mno", b"   "], pa.binary(3)),
        "cents": pa.array(cents, pa.decimal128(5, 2)),
        "big": pa.array(big, pa.decimal128(38, 10)),
        "huge": pa.array([v * 10**20 if abs(v) < 10**9 else v for v in big],
                         pa.decimal256(60, 12)),
        "day": pa.array(day),
        "at_ms": pa.array([v // 10**6 for v in ns], pa.timestamp("ms")),
        "at_us": pa.array(us, pa.timestamp("us")),
        "at_ns": pa.array(ns, pa.timestamp("ns")),
        "utc": pa.array(us, pa.timestamp("us", "UTC")),
        "clock_ms": pa.array(clocks, pa.time32("ms")),
        "clock_us": pa.array([v * 1000 + 7 for v in clocks], pa.time64("us")),
        "clock_ns": pa.array([v * 10**6 + 70 for v in clocks], pa.time64("ns")),
        "id": pa.ExtensionArray.from_storage(pa.uuid(), pa.array(ids, pa.binary(16))),
        "level": pa.array(["low", "high", "low", "high", "low", "low"]).dictionary_encode()
                   .cast(pa.string()),
        "nothing": pa.nulls(6, pa.string()),
        "never": pa.nulls(6),
    }
    return pa.table(columns)


def long_table(rows):
    words = ["w%d" % (i * 7919 % 37) for i in range(rows)]
    texts = ["the row number %d says %s" % (i, "x" * (i % 13)) for i in range(rows)]
    return pa.table({
        "n": pa.array(gaps([i * i - 50 * i for i in range(rows)]), pa.int32()),
        "big": pa.array(gaps([(-1)**i * i**9 for i in range(rows)], 7), pa.int64()),
        "x": pa.array(gaps([rng.gauss(0, 1) for _ in range(rows)], 6), pa.float64()),
        "f": pa.array([i / 7 for i in range(rows)], pa.float32()),
        "yes": pa.array(gaps([i % 3 == 0 for i in range(rows)], 11)),
        "word": pa.array(gaps(words, 4)),
        "text": pa.array(texts),
        "code": pa.array([b"%04d" % (i * 31 % 1000) for i in range(rows)], pa.binary(4)),
    })


def required(table):
    return table.cast(pa.schema([pa.field(f.name, f.type, nullable=False) for f in table.schema]))


def nested():
    talk = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string()),
                               ("weight", pa.float32())]))
    return pa.table({
        "labels": pa.array([[1, 2], [], None, [3, None, 4], [5], [None]], pa.list_(pa.int64())),
        "tags": pa.array([["a", 'q"uote'], None, [], [""], ["\\", None], ["\u00e9\t\x01"]],
                         pa.list_(pa.string())),
        "deep": pa.array([[[1], []], None, [None, [2, 3]], [], [[None]], [[4], None]],
                         pa.list_(pa.list_(pa.int32()))),
        "pair": pa.array([{"de": "ja", "en": "yes"}, None, {"de": None, "en": "no"},
                          {"de": None, "en": None}, {"de": "", "en": "x"}, {"de": "z", "en": ""}],
                         pa.struct([("de", pa.string()), ("en", pa.string())])),
        "messages": pa.array([
            [{"role": "user", "content": "hi", "weight": None},
             {"role": "assistant", "content": "yo", "weight": 0.5}],
            [], None, [None], [{"role": None, "content": None, "weight": None}],
            [{"role": "user", "content": "a\nb", "weight": float("inf")}]], talk),
        "map": pa.array([[("a", 1), ("b", None)], [], None, [("c", 3)], [("d", 4)], []],
                        pa.map_(pa.string(), pa.int32())),
        "numbered": pa.array([[(1, "one")], [], None, [(2, None)], [(3, "x"), (4, "y")], []],
                             pa.map_(pa.int32(), pa.string())),
        "mixed": pa.array([{"a": [1, 2], "b": {"c": [{"d": True}]}}, None, {"a": None, "b": None},
                           {"a": [], "b": {"c": []}}, {"a": [None], "b": {"c": [None]}},
                           {"a": [7], "b": {"c": [{"d": None}, {"d": False}]}}],
                          pa.struct([("a", pa.list_(pa.int8())),
                                     ("b", pa.struct([("c", pa.list_(pa.struct(
                                         [("d", pa.bool_())])))]))])),
        "when": pa.array([[datetime.date(2024, 1, 1)], None, [], [], [datetime.date(1999, 9, 9)],
                          []], pa.list_(pa.date32())),
        "plain": pa.array([1, 2, 3, 4, 5, 6]),
    })


def many_lists(rows):
    return pa.table({
        "marks": pa.array([[k for k in range(i % 5)] if i % 7 else None for i in range(rows)],
                          pa.list_(pa.int64())),
        "said": pa.array([[{"role": "r%d" % (k % 2), "content": "c%d" % i} for k in range(i % 4)]
                          for i in range(rows)],
                         pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))),
    })


def classes():
    """As Hugging Face's datasets write them: numbers, and their names in the footer's notes."""
    label = {"names": ["World", "Sports", 'quo"te'], "_type": "ClassLabel"}
    note = {"info": {"features": {"label": label, "plain": {"dtype": "int64", "_type": "Value"},
                                  "tags": {"feature": label, "_type": "Sequence"},
                                  "old": [label]}}}
    table = pa.table({"label": [0, 2, -1, 1, None, 7], "plain": [0, 1, 2, 0, 1, 2],
                      "tags": pa.array([[0, 2], [], None, [1], [-1], [None]],
                                       pa.list_(pa.int32())),
                      "old": [[1], [0], [2], [1], [0], []]})
    return table.replace_schema_metadata({"huggingface": json.dumps(note)})


def named(cells):
    """What `classes` holds, with the names that its notes give."""
    def name(k):
        return ["World", "Sports", 'quo"te'][k] if 0 <= k < 3 else None if k < 0 else str(k)

    for row in cells:
        for c in (0, 2, 3):
            if row[c] is None:
                continue
            inner = json.loads(row[c])
            row[c] = name(inner) if c == 0 else json.dumps(
                [None if k is None else name(k) for k in inner], separators=(",", ":"))
    return cells


def chat(rows):
    return pa.table({
        "messages": pa.array([[{"role": "user", "content": "how much is %d" % i},
                               {"role": "assistant", "content": "%d\u20ac" % i}]
                              for i in range(rows)],
                             pa.list_(pa.struct([("role", pa.string()),
                                                 ("content", pa.string())])))})


def main():
    for folder in (OUT, CORPUS):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    all_types = types()
    for codec in ("none", "snappy", "gzip", "zstd", "lz4"):
        write("types-" + codec, all_types, compression=codec)
    write("integer-decimals", all_types.select(["cents"]), store_decimal_as_integer=True)
    write("int96", all_types.select(["at_us"]), use_deprecated_int96_timestamps=True, corpus=True)
    write("old-version", all_types.select(["i32", "word", "truth"]), version="1.0",
          write_page_checksum=True, corpus=True)
    table = long_table(60)
    delta = {"n": "DELTA_BINARY_PACKED", "big": "DELTA_BINARY_PACKED", "x": "BYTE_STREAM_SPLIT",
             "f": "BYTE_STREAM_SPLIT", "yes": "RLE", "word": "DELTA_LENGTH_BYTE_ARRAY",
             "text": "DELTA_BYTE_ARRAY", "code": "DELTA_BYTE_ARRAY"}
    split = {"n": "BYTE_STREAM_SPLIT", "big": "BYTE_STREAM_SPLIT", "code": "BYTE_STREAM_SPLIT",
             "text": "DELTA_LENGTH_BYTE_ARRAY", "word": "DELTA_BYTE_ARRAY"}
    for page in ("1.0", "2.0"):
        v = "-v" + page[0]
        write("dictionary" + v, table, data_page_version=page, row_group_size=25,
              data_page_size=64, write_batch_size=8, corpus=page == "2.0", compression="snappy")
        write("plain" + v, table, data_page_version=page, use_dictionary=False, row_group_size=40)
        write("delta" + v, table, data_page_version=page, use_dictionary=False,
              column_encoding=delta, data_page_size=200, write_batch_size=16)
        write("split" + v, table, data_page_version=page, use_dictionary=False,
              column_encoding=split, compression="zstd")
        write("nested" + v, nested(), data_page_version=page, corpus=page == "1.0")
        write("lists" + v, many_lists(40), data_page_version=page, row_group_size=15,
              data_page_size=64, write_batch_size=8, compression="gzip")
    few = table.slice(0, 9)
    write("delta-few", few, use_dictionary=False, column_encoding=delta, corpus=True)
    for codec in ("gzip", "zstd", "lz4"):
        write("few-" + codec, few.select(["text", "word"]), compression=codec, corpus=True)
    write("long-deltas", pa.table({"n": pa.array([i * 977 % 1009 for i in range(400)])}),
          use_dictionary=False, column_encoding={"n": "DELTA_BINARY_PACKED"})
    write("falls-back", table.select(["text", "n"]), dictionary_pagesize_limit=100,
          write_batch_size=8, data_page_size=64)
    write("classes", classes(), corpus=True)
    named(cases[-1]["rows"])
    write("required", required(table.select(["f", "text", "code"])))
    write("other-names", nested().select(["labels", "messages"]),
          use_compliant_nested_type=False)
    write("chat", chat(12), compression="snappy", corpus=True)
    versions = {"pyarrow": pa.__version__, "numpy": numpy.__version__}
    text = json.dumps({"made_by": "tools/golden/parquet.py", **versions, "case": cases})
    (OUT / "cells.json").write_text(text + "\n")
    bad()
    same()


def bad():
    """Files that are refused by name, or hold more than there is memory for: tests/hardness."""
    one = pa.table({"x": [1.5, 2.5], "y": ["a", "b"]})
    pq.write_table(one, OUT / "refused-brotli.parquet", compression="brotli")
    picture = pa.table({"image": pa.array([b"\x89PNG\xff"] * 2), "y": ["a", "b"]})
    pq.write_table(picture, OUT / "refused-bytes.parquet", compression="none")
    pq.write_table(one.slice(0, 0), OUT / "no-rows.parquet", compression="none")
    many = pa.table({"x": pa.nulls(100_000_000, pa.int32())})
    pq.write_table(many, OUT / "bomb-of-rows.parquet", row_group_size=100_000_000,
                   compression="zstd", max_rows_per_page=100_000_000)
    pq.write_table(pa.table({"x": ["a" * 300_000_000]}), OUT / "bomb-of-text.parquet",
                   compression="zstd", use_dictionary=False, write_statistics=False)
    words = pa.DictionaryArray.from_arrays(pa.array([0] * 100_000, pa.int32()), ["a" * 100_000])
    lists = pa.ListArray.from_arrays(pa.array([0, 100_000], pa.int32()), words)
    pq.write_table(pa.table({"x": lists}), OUT / "bomb-of-lists.parquet", compression="zstd",
                   write_statistics=False)


def same():
    """The same rows as Parquet and as CSV or JSON lines: tests/cli/parquet.sh."""
    folder = OUT / "same"
    folder.mkdir()
    draw = random.Random(3)
    x = [draw.randint(-50, 50) / 10 for _ in range(300)]
    colour = [draw.choice(["red", "green", "blue, dark"]) for _ in x]
    table = pa.table({
        "x": pa.array(gaps(x, 19)), "colour": pa.array(gaps(colour, 31)),
        "day": pa.array([datetime.date(2024, 1 + i % 12, 1 + i % 28) for i in range(len(x))]),
        "when": pa.array([1700000000 + 4321 * i for i in range(len(x))], pa.timestamp("s")),
        "price": pa.array([decimal.Decimal(draw.randint(0, 9999)) / 100 for _ in x],
                          pa.decimal128(8, 2)),
        "member": pa.array([draw.random() < 0.5 for _ in x]),
        "count": pa.array(gaps([draw.randint(0, 9) for _ in x], 23), pa.int16()),
        "y": pa.array(["high" if a + 2 * (c == "red") > 0.5 else "low"
                       for a, c in zip(x, colour)]).dictionary_encode()})
    pq.write_table(table, folder / "table.parquet", row_group_size=120)
    pyarrow.csv.write_csv(table, folder / "table.csv")
    said = {"good": ["fine", "lovely", "brilliant"], "bad": ["dull", "awful", "tedious"]}
    texts, talks, tagged = [], [], []
    for i in range(240):
        label = draw.choice(["good", "bad"])
        what = draw.choice(["film", "story", "book", "song"])
        words = "number %d was a \"%s\" %s" % (i, draw.choice(said[label]), what)
        texts.append({"text": words, "label": label})
        tagged.append({"text": words, "labels": sorted({label, what})})
        talks.append({"messages": [{"role": "user", "content": "What is number %d?" % (i % 9)},
                                   {"role": "assistant", "content": "A %s." % what}]})
    for name, rows in (("texts", texts), ("tagged", tagged), ("talks", talks)):
        pq.write_table(pa.Table.from_pylist(rows), folder / (name + ".parquet"),
                       row_group_size=100, compression="zstd")
        (folder / (name + ".jsonl")).write_text("".join(json.dumps(r) + "\n" for r in rows))


if __name__ == "__main__":
    main()
