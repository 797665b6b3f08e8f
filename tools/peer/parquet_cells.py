#!/usr/bin/env python3
"""Every cell of Parquet files as Tailor reads them beside pyarrow, which reads them too:
    ninja -C build peer-parquet-cells
    parquet_cells.py build/peer-parquet-cells FILE.parquet...
e.g. the files of github.com/apache/parquet-testing.  A file that pyarrow cannot read must end in
an error of one line; one that Tailor does not read is named with its reason."""
import json
import pathlib
import subprocess
import sys

import pyarrow.parquet as pq

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "golden"))
import parquet  # noqa: E402  (what a cell's text is)

same = different = refused = broken = 0
for path in sys.argv[2:]:
    name = pathlib.Path(path).name
    run = subprocess.run([sys.argv[1], path], capture_output=True, text=True)
    try:
        table = pq.ParquetFile(path).read()
    except Exception as error:  # noqa: BLE001  (pyarrow has many)
        table = None
        why = str(error).split("\n")[0]
    if run.returncode not in (0, 3) or (run.returncode and run.stderr.count("\n") != 1):
        print("DIED ", name, run.returncode, run.stderr[-300:])
        broken += 1
    elif run.returncode:
        print("not  ", name, run.stderr.strip(), "" if table is not None else "(nor pyarrow: %s)" % why)
        refused += 1
    elif table is None:
        print("only ", name, "(pyarrow: %s)" % why)
        refused += 1
    else:
        have = json.loads(run.stdout)
        try:
            want = {"columns": table.column_names,
                    "rows": [[parquet.of(c[i]) for c in table.columns]
                             for i in range(table.num_rows)]}
        except Exception as error:  # noqa: BLE001
            print("?    ", name, repr(error)[:150])
            continue
        if have == want:
            same += 1
            continue
        different += 1
        print("OTHER", name)
        if have["columns"] != want["columns"] or len(have["rows"]) != len(want["rows"]):
            print("      ", have["columns"], len(have["rows"]), want["columns"], len(want["rows"]))
            continue
        shown = 0
        for i, (a, b) in enumerate(zip(have["rows"], want["rows"])):
            for c, x, y in zip(have["columns"], a, b):
                if x != y and shown < 3:
                    print("      ", i, c, x, "and not", y)
                    shown += 1
print("%d files the same, %d different, %d not read, %d died" % (same, different, refused, broken))
sys.exit(bool(different or broken))
