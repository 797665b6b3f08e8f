"""Makes the small weight files that tests/fuzz/corpus keeps.  Needs torch and safetensors.

    python tools/golden/weight_corpus.py tests/fuzz/corpus
"""
import collections
import pickle
import struct
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

top = Path(sys.argv[1])
torch.manual_seed(0)
square = torch.arange(12.0).reshape(3, 4)
tensors = collections.OrderedDict(
    a=square, b=square.t(), c=torch.arange(3), d=torch.ones(2).half(),
    e=torch.ones(2).bfloat16(), s=torch.tensor(2.5), z=torch.zeros(0, 3))

plain = {k: v.contiguous() for k, v in tensors.items()}
save_file(plain, top / "safetensors" / "dtypes.safetensors", metadata={"format": "pt"})
save_file({"one": torch.ones(1)}, top / "safetensors" / "one.safetensors")
save_file({"layers.0.weight": torch.ones(2, 3), "layers.0.bias": torch.ones(2),
           "head.weight": torch.ones(2, 2), "head.bias": torch.ones(2)},
          top / "safetensors" / "mlp.safetensors")

linear = torch.nn.Linear(2, 2)
torch.save({"epoch": 1, "state_dict": tensors}, top / "pytorch" / "zip.pt")
torch.save({"epoch": 1, "state_dict": tensors}, top / "pytorch" / "legacy.th",
           _use_new_zipfile_serialization=False)
torch.save(linear.state_dict(), top / "pytorch" / "protocol5.pt", pickle_protocol=5,
           _use_new_zipfile_serialization=False)
torch.save(linear, top / "pytorch" / "module.pt")          # must be refused
for protocol in (2, 4, 5):
    value = {"a": [1, -2, 2**40, 2**90, 1.5, "text", None, True], "b": ((1,), (1, 2), (1, 2, 3, 4)),
             "c": collections.OrderedDict(x=1)}
    (top / "pickle" / f"values{protocol}.pkl").write_bytes(pickle.dumps(value, protocol))
(top / "pickle" / "system.pkl").write_bytes(b"\x80\x02cos\nsystem\nX\x04\x00\x00\x00true\x85R.")
(top / "pickle" / "storage.pkl").write_bytes(
    b"\x80\x02}(X\x01\x00\x00\x00wctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storage"
    b"ctorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x04tQK\x00K\x02K\x02\x86"
    b"K\x02K\x01\x86\x89ccollections\nOrderedDict\n)RtRu.")


def llama2c(width, inner, layers, heads, kv, words, places):
    """A checkpoint of llama2.c, version 0."""
    count, head = abs(words), width // heads
    floats = (count * width * (1 if words > 0 else 2) + width + places * head +
              layers * (2 * width + 2 * width * width + 2 * width * kv * head + 3 * width * inner))
    return struct.pack("<7i", width, inner, layers, heads, kv, words, places) + b"".join(
        struct.pack("<f", (i * 7 % 17 - 8) / 16) for i in range(floats))


(top / "llama2c_weights").mkdir(exist_ok=True)
(top / "llama2c_weights" / "shared.bin").write_bytes(llama2c(8, 6, 2, 2, 1, 9, 48))
(top / "llama2c_weights" / "apart.bin").write_bytes(llama2c(4, 3, 1, 1, 1, -3, 2))
(top / "llama2c_weights" / "later.bin").write_bytes(struct.pack("<2i", 0x616b3432, 1) + bytes(32))
