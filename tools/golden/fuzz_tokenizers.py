#!/usr/bin/env python3
"""Makes small SentencePiece, GGUF and llama2.c vocabularies for tests/fuzz/corpus.

  python3 tools/golden/fuzz_tokenizers.py
"""
import pathlib
import struct

TOP = pathlib.Path(__file__).resolve().parents[2] / "tests/fuzz/corpus"
PIECES = [("<unk>", 0, 2), ("<s>", 0, 3), ("</s>", 0, 3), ("<0xC3>", 0, 6), ("\u2581", -1, 1), ("a", -2, 1), ("b", -3, 1),
          ("ab", -1.5, 1), ("\u2581ab", -1.2, 1), ("[MASK]", 0, 4)]


def varint(n):
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def part(number, body):
    return varint(number << 3 | 2) + varint(len(body)) + body


def value(number, n):
    return varint(number << 3) + varint(n)


def model(kind):
    charsmap = struct.pack("<I", 4) + struct.pack("<I", 1 << 10) + b"A\0"
    out = b"".join(part(1, part(1, p.encode()) + varint(2 << 3 | 5) + struct.pack("<f", s) + value(3, t)) for p, s, t in PIECES)
    return out + part(2, value(3, kind) + value(35, 1)) + part(3, part(2, charsmap) + value(3, 1) + value(4, 1))


def text(s):
    s = s.encode()
    return struct.pack("<Q", len(s)) + s


def gguf(kind, pre, merges):
    keys = [text("tokenizer.ggml.model") + struct.pack("<I", 8) + text(kind), text("tokenizer.ggml.pre") + struct.pack("<I", 8) + text(pre),
            text("tokenizer.ggml.tokens") + struct.pack("<IIQ", 9, 8, len(PIECES)) + b"".join(text(p) for p, _, _ in PIECES),
            text("tokenizer.ggml.scores") + struct.pack("<IIQ", 9, 6, len(PIECES)) + b"".join(struct.pack("<f", s) for _, s, _ in PIECES),
            text("tokenizer.ggml.token_type") + struct.pack("<IIQ", 9, 5, len(PIECES)) + b"".join(struct.pack("<i", t) for _, _, t in PIECES),
            text("tokenizer.ggml.merges") + struct.pack("<IIQ", 9, 8, len(merges)) + b"".join(text(m) for m in merges),
            text("tokenizer.ggml.bos_token_id") + struct.pack("<II", 4, 1), text("tokenizer.ggml.add_bos_token") + struct.pack("<IB", 7, 1),
            text("tokenizer.ggml.unknown_token_id") + struct.pack("<II", 4, 0)]
    return b"GGUF" + struct.pack("<IQQ", 3, 0, len(keys)) + b"".join(keys)


def write(folder, name, data):
    (TOP / folder).mkdir(exist_ok=True)
    (TOP / folder / name).write_bytes(data)


write("sentencepiece", "unigram.model", model(1))
write("sentencepiece", "bpe.model", model(2))
write("gguf_vocab", "llama.gguf", gguf("llama", "default", []))
write("gguf_vocab", "gpt2.gguf", gguf("gpt2", "deepseek-coder", ["a b", "\u2581 ab"]))
write("gguf_vocab", "bert.gguf", gguf("bert", "default", []))
write("llama2c", "small.bin", struct.pack("<I", 6) + b"".join(
    struct.pack("<fI", s, len(p.encode())) + p.encode() for p, s in [("<unk>", 0), ("\n<s>\n", 0), ("\n</s>\n", 0), ("<0xC3>", 0), (" ", -1),
                                                                     ("a", -2), ("b", -3), ("ab", -1), (" ab", -.5)]))
