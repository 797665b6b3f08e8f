#!/usr/bin/env python3
"""Reads the event files under a folder with TensorBoard's own reader and prints its scalars.
   tools/peer/events.py OUT/events"""
import sys

from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
import pathlib

for path in sorted(pathlib.Path(sys.argv[1]).rglob("*tfevents*")):
    for event in EventFileLoader(str(path)).Load():
        for value in event.summary.value:
            number = value.simple_value if value.HasField("simple_value") else value.tensor.float_val[0]
            print(path.parent.name, event.step, value.tag, number)
