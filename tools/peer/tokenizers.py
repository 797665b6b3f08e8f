#!/usr/bin/env python3
"""Holds Tailor's tokenizers against the package `tokenizers`: ids, spans and decoded texts of
10,000 lines of mixed text for every kind, and both throughputs on two threads.

  TAILOR_DATA=... python3 tools/peer/tokenizers.py BUILD [KIND-PATTERN]

BUILD/peer-tokenize is built by `ninja -C BUILD peer-tokenize`.  Kinds are real vocabularies of
the data folder, and tokenizers trained here on its texts.  Prints a line a kind; exit status 1
when any id, span or text differs.
"""
import json
import os
import pathlib
import random
import re
import struct
import subprocess
import sys
import tempfile
import time

os.environ["RAYON_NUM_THREADS"] = "2"
sys.path.pop(0)     # this file has the package's name
import tokenizers
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, \
    pre_tokenizers, processors, trainers

BUILD = pathlib.Path(sys.argv[1])
PATTERN = sys.argv[2] if len(sys.argv) > 2 else ""
DATA = pathlib.Path(os.environ["TAILOR_DATA"])
LINES = int(os.environ.get("LINES", 10_000))
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
          r"|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")


def english():
    out = []
    for name in ("text/banking77/train.csv", "text/sst2/train.tsv", "text/ag-news/test.csv",
                 "text/wikitext-2/valid.txt", "text/tinyshakespeare.txt"):
        out += (DATA / name).read_text("utf-8", "replace").splitlines()
    return [line for line in out if line.strip()]


WORLD = ["مرحبا بالعالم، كيف حالك اليوم؟ ١٢٣ طائرة", "我喜欢学习机器学习，今天天气很好。２０２４年", "สวัสดีชาวโลก วันนี้อากาศดีมาก ภาษาไทยไม่มีช่องว่าง",
         "Привет, мир! Как дела сегодня? Ёлка №5", "こんにちは世界、カタカナとひらがな。ｶﾞｷﾞ", "안녕하세요 세계 한국어 띄어쓰기", "שלום עולם מה שלומך",
         "नमस्ते दुनिया क्षत्रिय १२३", "Ünïcödé naïve café résumé Straße İstanbul ﬁne ①②½ K Å", "e\u0301 a\u0316\u0301 o\u0301\u0316 q\u0307\u0323 \u1e0b\u0323",
         "😀😃👨‍👩‍👧‍👦🏳️‍🌈🇫🇷 👍🏽 emoji 🤷‍♀️", "\u200b\u200d\u2060\ufeff zero\u00adwidth\u00a0nbsp\u2003em\u3000ideographic",
         "Tiếng Việt có dấu, phở bò ngon", "Ελληνικά σας ΣΑΣ ὀδυσσεύς", "ᠮᠣᠩᠭᠣᠯ\u180eᠪᠢᠴᠢᠭ", "\u0300\u0301\u0302 marks first",
         "control\x01\x02\x1b[0m\x7f\x85 chars\ttab\r\nbreak", "[MASK] [CLS] <s> </s> <unk> <|endoftext|> <mask>  <pad>"]
CODE = ['for (int i = 0; i < n; i++) { sum += x[i] * y[i]; }', 'def f(x):\n    return {"a": [1, 2.5e-3], \'b\': None}',
        "    if x != y and not (z >= 10):\t# comment", "SELECT * FROM t WHERE a='b''c' AND n%2=0;", "https://example.com/a/b?c=d&e=%20f#g",
        "\t\tmov\teax, DWORD PTR [rbp-0x14]", "x86_64-linux-gnu__v1.2.3-rc4+build.567", "<div class=\"a b\">&nbsp;</div>", "I'm you're we'll they'd IT'S o'clock"]


def mixed_lines():
    """10,000 lines: real text, code, scripts of the world, odd bytes, very long words."""
    rng = random.Random(7)
    base = english()
    code = [l for p in ("src/core/text.c", "tools/run-tests", "CMakeLists.txt")
            for l in (pathlib.Path(__file__).resolve().parents[2] / p).read_text().split("\n")]
    out = []
    while len(out) < LINES:
        kind = rng.random()
        if kind < .4:
            line = rng.choice(base)
        elif kind < .55:
            line = rng.choice(CODE + code)
        elif kind < .75:
            line = " ".join(rng.choice(WORLD) for _ in range(rng.randint(1, 3)))
        elif kind < .85:
            line = "".join(rng.choice(rng.choice(WORLD) + "  a") for _ in range(rng.randint(1, 60)))
        elif kind < .9:
            line = bytes(rng.choice(b"abc \xc3\xa9\xff\xe4\xb8\xad\xf0\x9f\x98\x80\x80 ") for _ in range(rng.randint(1, 50)))
            line = line.decode("utf-8", "surrogateescape")
        elif kind < .93:
            line = "".join(rng.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(rng.randint(80, 3000)))
        elif kind < .95:
            line = rng.choice(["a", "ab", "é", "中", " ", "\n", "▁", "-", "0"]) * rng.randint(1, 700)
        elif kind < .98:
            line = "".join(chr(rng.choice([rng.randint(32, 0x2ff), rng.randint(0x300, 0xd7ff), rng.randint(0x1f300, 0x1faff)]))
                           for _ in range(rng.randint(1, 40)))
            line = "".join(c for c in line if known(c))
        else:
            line = rng.choice(["", " ", "  ", "\t", "   x", "x   ", "  x  y  "]) + rng.choice(base + [""])
        out.append(line.replace("\0", ""))
    return [l.encode("utf-8", "surrogateescape") for l in out]


def known(c):
    """Characters of Unicode 3.2: the package's tables are of several versions, the oldest 8."""
    import unicodedata
    return unicodedata.category(c) not in ("Cn", "Cf", "Co") and \
        (unicodedata.ucd_3_2_0.category(c) != "Cn" or 0x1f300 <= ord(c) <= 0x1f5ff)


def trained(model, trainer, normalizer=None, pre=None, decoder=None, post=None, added=()):
    t = Tokenizer(model)
    if normalizer is not None:
        t.normalizer = normalizer
    if pre is not None:
        t.pre_tokenizer = pre
    if decoder is not None:
        t.decoder = decoder
    t.train_from_iterator(english()[:12000] + WORLD * 3 + CODE * 3, trainer)
    if post is not None:
        t.post_processor = post(t)
    for a in added:
        t.add_tokens([a])
    return t


def bytelevel_bpe(pre, normalizer=None, ignore_merges=False, added=(), post=None, **bpe):
    tr = trainers.BpeTrainer(vocab_size=6000, special_tokens=["<|endoftext|>"], show_progress=False,
                             initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    return trained(models.BPE(ignore_merges=ignore_merges, **bpe), tr, normalizer, pre, decoders.ByteLevel(),
                   post or (lambda t: processors.ByteLevel(trim_offsets=True, add_prefix_space=False)), added)


def bert(lower):
    names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tr = trainers.WordPieceTrainer(vocab_size=6000, special_tokens=names, show_progress=False)
    return trained(models.WordPiece(unk_token="[UNK]"), tr, normalizers.BertNormalizer(lowercase=lower),
                   pre_tokenizers.BertPreTokenizer(), decoders.WordPiece(),
                   lambda t: processors.TemplateProcessing("[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1",
                                                           [("[CLS]", 2), ("[SEP]", 3)]))


def unigram(fallback=False, charsmap=None, scheme="always", pre=None):
    names = ["<s>", "<pad>", "</s>", "<unk>"]
    if fallback:
        names += ["<0x%02X>" % i for i in range(256)]
    norm = [normalizers.Precompiled(charsmap)] if charsmap else [normalizers.Nmt(), normalizers.NFKC()]
    tr = trainers.UnigramTrainer(vocab_size=5000, special_tokens=names, unk_token="<unk>", show_progress=False)
    t = trained(models.Unigram(), tr, normalizers.Sequence(norm + [normalizers.Replace(Regex(" {2,}"), " ")]),
                pre or pre_tokenizers.Metaspace(prepend_scheme=scheme), decoders.Metaspace(prepend_scheme=scheme),
                lambda t: processors.TemplateProcessing("<s> $A </s>", "<s> $A </s> </s> $B </s>", [("<s>", 0), ("</s>", 2)]),
                [AddedToken("<mask>", lstrip=True, special=True)])
    if fallback:
        spec = json.loads(t.to_str())
        spec["model"]["byte_fallback"] = True
        t = Tokenizer.from_str(json.dumps(spec))
    return t


def charsmap():
    """A SentencePiece model's nmt_nfkc map, from one trained here."""
    import io
    import sentencepiece as spm
    from sentencepiece import sentencepiece_model_pb2 as pb
    out = io.BytesIO()
    spm.SentencePieceTrainer.train(sentence_iterator=iter(english()[:2000]), model_writer=out, vocab_size=500,
                                   minloglevel=2)
    m = pb.ModelProto()
    m.ParseFromString(out.getvalue())
    return m.normalizer_spec.precompiled_charsmap


def llama2():
    """Llama 2's SentencePiece model as Transformers converts it, both ways of its blanks."""
    from sentencepiece import sentencepiece_model_pb2 as pb
    m = pb.ModelProto()
    m.ParseFromString((DATA / "tokenizers/llama2/tokenizer.model").read_bytes())
    vocab = {p.piece: i for i, p in enumerate(m.pieces)}
    merges = []
    for p in m.pieces:
        local = [(p.piece[:i], p.piece[i:]) for i in range(1, len(p.piece)) if p.piece[:i] in vocab and p.piece[i:] in vocab]
        merges += [(l, r, p.score) for l, r in sorted(local, key=lambda x: (vocab[x[0]], vocab[x[1]]))]
    merges = [(l, r) for l, r, s in sorted(merges, key=lambda v: v[2], reverse=True)]
    for modern in (False, True):
        t = Tokenizer(models.BPE(vocab, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
        if modern:
            t.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
        else:
            t.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
        t.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(),
                                       decoders.Strip(" ", 1, 0)])
        t.add_special_tokens([AddedToken(s, normalized=False, special=True) for s in ("<unk>", "<s>", "</s>")])
        t.post_processor = processors.TemplateProcessing("<s> $A", "<s> $A <s>:1 $B:1", [("<s>", 1)])
        yield t


def gpt2():
    folder = DATA / "tokenizers/gpt2"
    t = Tokenizer(models.BPE.from_file(str(folder / "encoder.json"), str(folder / "vocab.bpe")))
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    t.decoder = decoders.ByteLevel()
    t.post_processor = processors.ByteLevel(trim_offsets=False)
    t.add_special_tokens(["<|endoftext|>"])
    return t


def bert_base():
    t = Tokenizer(models.WordPiece.from_file(str(DATA / "tokenizers/bert-base-uncased/vocab.txt"), unk_token="[UNK]"))
    t.normalizer = normalizers.BertNormalizer()
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    t.decoder = decoders.WordPiece()
    t.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])
    t.post_processor = processors.BertProcessing(("[SEP]", 102), ("[CLS]", 101))
    return t


def kinds():
    split = lambda p: pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(p), "isolated"),
                                               pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    extra = [AddedToken("wordy", single_word=True), AddedToken("  tab", lstrip=True), AddedToken("right", rstrip=True),
             AddedToken("The", normalized=True), AddedToken("ing", normalized=False)]
    yield "bert-base-uncased", bert_base
    yield "gpt2", gpt2
    yield "wordpiece cased", lambda: bert(False)
    yield "wordpiece uncased", lambda: bert(True)
    yield "roberta", lambda: bytelevel_bpe(pre_tokenizers.ByteLevel(add_prefix_space=True), added=extra,
                                           post=lambda t: processors.RobertaProcessing(("<|endoftext|>", 0), ("<|endoftext|>", 0)))
    yield "llama3", lambda: bytelevel_bpe(split(LLAMA3), ignore_merges=True)
    yield "qwen2", lambda: bytelevel_bpe(split(QWEN2), normalizers.NFC())
    yield "falcon", lambda: bytelevel_bpe(pre_tokenizers.Sequence([
        pre_tokenizers.Punctuation("contiguous"), pre_tokenizers.ByteLevel(add_prefix_space=False),
        pre_tokenizers.Digits(individual_digits=False), pre_tokenizers.Split(Regex("[0-9][0-9][0-9]"), "isolated")]))
    yield "starcoder", lambda: bytelevel_bpe(pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True),
                                                                      pre_tokenizers.ByteLevel(add_prefix_space=False)]))
    yield "clip", lambda: trained(
        models.BPE(unk_token="<unk>", end_of_word_suffix="</w>", continuing_subword_prefix=""),
        trainers.BpeTrainer(vocab_size=6000, special_tokens=["<unk>"], end_of_word_suffix="</w>", show_progress=False,
                            initial_alphabet=pre_tokenizers.ByteLevel.alphabet()),
        normalizers.Sequence([normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]),
        pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"), "removed", True),
                                 pre_tokenizers.ByteLevel(add_prefix_space=False)]), decoders.BPEDecoder("</w>"))
    yield "bpe whitespace, unknown fused", lambda: trained(
        models.BPE(unk_token="<unk>", fuse_unk=True), trainers.BpeTrainer(vocab_size=3000, special_tokens=["<unk>"], limit_alphabet=60,
        show_progress=False), normalizers.Sequence([normalizers.NFKD(), normalizers.StripAccents(), normalizers.Strip()]),
        pre_tokenizers.Whitespace(), decoders.BPEDecoder())
    yield "wordlevel", lambda: trained(models.WordLevel(unk_token="<unk>"), trainers.WordLevelTrainer(
        vocab_size=5000, special_tokens=["<unk>"], show_progress=False), normalizers.NFD(),
        pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation("merged_with_previous")]))
    yield "unigram", unigram
    yield "unigram byte fallback", lambda: unigram(True, scheme="first")
    yield "xlm-roberta", lambda: unigram(False, charsmap())
    yield "t5", lambda: unigram(True, charsmap(), pre=pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()]))
    two = []

    def llama(i):
        two.extend([] if two else llama2())
        return two[i]
    yield "llama2 legacy", lambda: llama(0)
    yield "llama2 metaspace", lambda: llama(1)
    yield "gemma", gemma


def gemma():
    spec = json.loads(next(iter(llama2())).to_str())
    spec["normalizer"] = {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}
    spec["pre_tokenizer"] = {"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious", "invert": False}
    return Tokenizer.from_str(json.dumps(spec))


def read(path):
    data, at = path.read_bytes(), 0
    while at < len(data):
        n, = struct.unpack_from("<q", data, at)
        ids = struct.unpack_from("<%di" % n, data, at + 8)
        spans = struct.unpack_from("<%dI" % (2 * n), data, at + 8 + 4 * n)
        at += 8 + 12 * n
        size, = struct.unpack_from("<q", data, at)
        yield ids, list(zip(spans[::2], spans[1::2])), data[at + 8:at + 8 + size]
        at += 8 + size


def to_bytes(raw, offsets):
    """Character spans of the text that Python decodes from `raw`, as bytes of `raw`."""
    if raw.isascii():
        return offsets
    starts, at = [], 0
    text = raw.decode("utf-8", "replace")
    if text.encode() == raw:
        for c in text:
            starts.append(at)
            at += len(c.encode())
    else:   # a broken character is as long as decoding it alone is one U+FFFD
        while at < len(raw):
            starts.append(at)
            for n in (1, 2, 3, 4):
                try:
                    raw[at:at + n].decode()
                    break
                except UnicodeDecodeError as e:
                    if e.reason != "unexpected end of data" or at + n >= len(raw):
                        n = max(e.end - e.start, 1)
                        break
            at += n
    starts.append(len(raw))
    return [(starts[a], starts[b]) for a, b in offsets]


def main():
    lines = mixed_lines()
    prose = [l.encode() for l in english()[::3]]
    failed = 0
    print(f"tokenizers {tokenizers.__version__}")
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "mixed").write_bytes(b"\0".join(lines) + b"\0")
        (folder / "prose").write_bytes(b"\0".join(prose) + b"\0")
        for name, make in kinds():
            if not re.search(PATTERN, name):
                continue
            t = make()
            path = folder / re.sub(r"\W", "-", name)
            path.mkdir()
            t.save(str(path / "tokenizer.json"))
            if os.environ.get("KEEP"):
                keep = pathlib.Path(os.environ["KEEP"]) / path.name
                keep.mkdir(parents=True, exist_ok=True)
                t.save(str(keep / "tokenizer.json"))
            run = lambda *a: subprocess.run([BUILD / "peer-tokenize", path, *a], capture_output=True, text=True)
            got = run(folder / "mixed", "ids", folder / "out")
            if got.returncode:
                print(f"{name}: {got.stderr.strip()}")
                failed += 1
                continue
            bad = {"ids": [], "spans": [], "text": []}
            for raw, (ids, spans, text) in zip(lines, read(folder / "out")):
                e = t.encode(raw.decode("utf-8", "replace"))
                if tuple(e.ids) != ids:
                    bad["ids"].append((raw, e.tokens, [t.id_to_token(i) for i in ids]))
                elif to_bytes(raw, e.offsets) != spans:
                    bad["spans"].append((raw, to_bytes(raw, e.offsets), spans))
                elif t.decode(e.ids, skip_special_tokens=False).encode() != text:
                    bad["text"].append((raw, t.decode(e.ids, skip_special_tokens=False), text.decode()))
            texts = [l.decode() for l in prose]
            best = 1e30
            for _ in range(3):
                start = time.perf_counter()
                t.encode_batch(texts)
                best = min(best, time.perf_counter() - start)
            ours = float(run(folder / "prose", "time", "5", "2").stdout.split()[0])
            size = sum(map(len, prose)) / 1e6
            failed += any(bad.values())
            print(f"{name}: of {len(lines)} lines other ids {len(bad['ids'])}, spans {len(bad['spans'])}, decoded text {len(bad['text'])}; "
                  f"{size / ours:.1f} MB/s, tokenizers {size / best:.1f}, ratio {best / ours:.1f}", flush=True)
            for what in bad:
                for row in bad[what][:2]:
                    print("   ", what, *(repr(x)[:300] for x in row), sep="\n      ")
    sys.exit(failed > 0)


main()
