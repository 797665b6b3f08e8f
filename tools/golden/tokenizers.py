#!/usr/bin/env python3
"""Makes tests/golden/tokenizers.json: small tokenizers of every kind, trained on a few lines by
the package `tokenizers`, and what it makes of a few texts (spans in bytes).

  python3 tools/golden/tokenizers.py
"""
import json
import pathlib
import sys

sys.path.pop(0)     # this file has the package's name
import tokenizers
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers as N, \
    pre_tokenizers as P, processors, trainers

TOP = pathlib.Path(__file__).resolve().parents[2] / "tests/golden"
CORPUS = ["The quick brown fox jumps over the lazy dog, again and again.", "Training a model: scratch, probe, full or lora?",
          "hello world hello there, the other day they thanked her", "naïve café résumé Straße 中文 模型 مرحبا Привет",
          "numbers 1 22 333 4444 55555 and 3.14159", "x = f(a, b) + g[i] * 2; // the end"] * 4
TEXTS = ["The quick brown fox", "hello  world,\tagain\n\nand again!", "Café naïve e\u0301 ﬁne ½", "中文模型 mixed 文", "مرحبا Привет 😀👩‍👧",
         " leading and trailing ", "12345 x=f(a,b)", "", "[MASK] the <mask>  <s>", "they'll don't I'm"]
PAIRS = [("hello world", "the lazy dog"), ("", "again")]
BYTES = P.ByteLevel.alphabet()
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
          r"|\s*[\r\n]+|\s+(?!\S)|\s+")


def make(model, trainer, normalizer=None, pre=None, decoder=None, post=None, change=None):
    t = Tokenizer(model)
    for name, part in (("normalizer", normalizer), ("pre_tokenizer", pre), ("decoder", decoder)):
        if part is not None:
            setattr(t, name, part)
    t.train_from_iterator(CORPUS, trainer)
    if post is not None:
        t.post_processor = post
    if change:
        spec = json.loads(t.to_str())
        change(spec)
        t = Tokenizer.from_str(json.dumps(spec))
    return t


def bpe(size=360, **kw):
    return trainers.BpeTrainer(vocab_size=size, show_progress=False, **kw)


def fallback(spec):
    m = spec["model"]
    if m["type"] == "BPE":
        for i in range(256):
            m["vocab"].setdefault("<0x%02X>" % i, len(m["vocab"]))
    else:
        m["vocab"] += [["<0x%02X>" % i, 0.0] for i in range(256)]
    m["byte_fallback"] = True


names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
template = processors.TemplateProcessing(single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1",
                                         special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
wp = lambda **kw: make(models.WordPiece(unk_token="[UNK]"), trainers.WordPieceTrainer(vocab_size=200, special_tokens=names, show_progress=False),
                       N.BertNormalizer(**kw), P.BertPreTokenizer(), decoders.WordPiece(), template)
uni = lambda **kw: make(models.Unigram(), trainers.UnigramTrainer(vocab_size=150, special_tokens=["<s>", "</s>", "<unk>"], unk_token="<unk>",
                                                                  show_progress=False),
                        N.Sequence([N.Nmt(), N.NFKC(), N.Replace(Regex(" {2,}"), " ")]), P.Metaspace(), decoders.Metaspace(), **kw)
bytelevel = lambda pre, change=None, normalizer=None, post=None: make(
    models.BPE(), bpe(initial_alphabet=BYTES, special_tokens=["<s>", "</s>"]), normalizer, pre, decoders.ByteLevel(),
    post or processors.ByteLevel(trim_offsets=True), change)
tokens = lambda t, *a: (t.add_tokens(list(a)), t)[1]


def cut(t, **kw):
    t.enable_truncation(**kw)
    return t


SET = {
    "wordpiece uncased": wp(),
    "wordpiece cased, accents kept": wp(lowercase=False, strip_accents=False, handle_chinese_chars=False),
    "wordpiece, cut to 8": cut(wp(), max_length=8),
    "wordpiece, cut to 7 from the left, only second": cut(wp(), max_length=12, direction="left", strategy="longest_first"),
    "gpt2": bytelevel(P.ByteLevel(add_prefix_space=False)),
    "roberta": tokens(bytelevel(P.ByteLevel(add_prefix_space=True), post=processors.RobertaProcessing(("</s>", 1), ("<s>", 0))),
                      AddedToken("<mask>", lstrip=True, special=True, normalized=False), AddedToken("the", single_word=True),
                      AddedToken("lazy", rstrip=True)),
    "llama3": bytelevel(P.Sequence([P.Split(Regex(LLAMA3), "isolated"), P.ByteLevel(add_prefix_space=False, use_regex=False)]),
                        lambda s: s["model"].update(ignore_merges=True)),
    "falcon": bytelevel(P.Sequence([P.Punctuation("contiguous"), P.ByteLevel(add_prefix_space=False), P.Digits(), P.Split(Regex("[0-9][0-9]"), "isolated")]),
                        normalizer=N.NFC()),
    "metaspace bpe, bytes": make(models.BPE(unk_token="<unk>", fuse_unk=True), bpe(220, special_tokens=["<unk>"], limit_alphabet=40),
                                 N.Sequence([N.Prepend("▁"), N.Replace(" ", "▁")]), None,
                                 decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]),
                                 change=fallback),
    "bpe, suffix, unknown fused": make(models.BPE(unk_token="<unk>", fuse_unk=True, end_of_word_suffix="</w>"),
                                       bpe(200, special_tokens=["<unk>"], limit_alphabet=20, end_of_word_suffix="</w>"),
                                       N.Sequence([N.NFKD(), N.StripAccents(), N.Lowercase(), N.Strip()]), P.Whitespace(), decoders.BPEDecoder()),
    "unigram": uni(post=processors.TemplateProcessing(single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", 1)])),
    "unigram, bytes, first": uni(change=lambda s: (fallback(s), s["pre_tokenizer"].update(prepend_scheme="first"))),
    "wordlevel": make(models.WordLevel(unk_token="<unk>"), trainers.WordLevelTrainer(special_tokens=["<unk>"], show_progress=False), N.NFD(),
                      P.Sequence([P.WhitespaceSplit(), P.Punctuation("merged_with_previous"), P.Digits(individual_digits=True)])),
    "delimiters": make(models.WordLevel(unk_token="<unk>"), trainers.WordLevelTrainer(special_tokens=["<unk>"], show_progress=False), None,
                       P.Sequence([P.CharDelimiterSplit("x"), P.Split(" ", "merged_with_next"), P.FixedLength(4)])),
}


def to_bytes(text, span):
    return [len(text[:span[0]].encode()), len(text[:span[1]].encode())]


def case(t, text, pair=None):
    e = t.encode(text, pair) if pair is not None else t.encode(text)
    spans = []
    for i, s in enumerate(e.offsets):
        spans += to_bytes(pair if e.sequence_ids[i] == 1 else text, s)
    row = {"text": text, "ids": e.ids, "spans": spans, "types": e.type_ids, "decoded": t.decode(e.ids, skip_special_tokens=True)}
    if pair is not None:
        row["pair"] = pair
    return row


rows = [{"name": name, "tokenizer": json.loads(t.to_str()),
         "cases": [case(t, x) for x in TEXTS] + ([case(t, *p) for p in PAIRS])} for name, t in SET.items()]
value = {"made_by": f"tools/golden/tokenizers.py, tokenizers {tokenizers.__version__}", "tokenizers": rows}
(TOP / "tokenizers.json").write_text(json.dumps(value, ensure_ascii=True, separators=(",", ":")) + "\n")
print(len(rows), (TOP / "tokenizers.json").stat().st_size)
