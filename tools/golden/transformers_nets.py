#!/usr/bin/env python3
"""Golden numbers of whole transformers, as Transformers computes them in double precision ->
tests/golden/transformers.json.

Tiny networks.  Weights and inputs are a formula of (tensor name, element), names and shapes those
of the file that save_pretrained writes: tests/golden/transformers.c has the same formula.  Kept
are config.json, names and shapes, logits, of every gradient two numbers (its norm, and its product
with a formula vector), and the losses of ten AdamW steps.  No dropout.

    python tools/golden/transformers_nets.py        (needs torch, transformers, safetensors, numpy)
"""
import copy
import json
import os
import pathlib
import sys
import tempfile

import numpy as np
import torch
import transformers
from safetensors.torch import load_file, save_file

sys.path.insert(0, os.path.dirname(__file__))
torch.manual_seed(0)
LR, DECAY, STEPS = 1e-3, 0.01, 10
DROPPED = {"architectures", "transformers_version", "id2label", "label2id", "dtype"}


def uniform(name, count):
    """[-1, 1), exact in f32: FNV-1a of the name, then splitmix64 of hash + element."""
    h = 0xCBF29CE484222325
    for c in name.encode():
        h = ((h ^ c) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    with np.errstate(over="ignore"):
        z = np.uint64(h) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return (z >> np.uint64(40)).astype(np.float64) / 2.0**23 - 1.0


def value(name, t):
    """Norms near 1, biases small, everything else of a middle size."""
    u = uniform(name, t.numel())
    if t.dim() == 1 and name.endswith("weight"):
        v = 1.0 + 0.5 * u
    elif t.dim() == 1:
        v = 0.125 * u
    else:
        v = 0.25 * u
    return torch.tensor(v.astype(np.float32).reshape(tuple(t.shape)))


def saved(model):
    """Tensors under the names of the file."""
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        config = json.loads(pathlib.Path(folder, "config.json").read_text())
        return load_file(folder + "/model.safetensors"), config


def filled(model):
    """The model with formula weights, by way of its own files."""
    tensors, _ = saved(model)
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        save_file({k: value(k, t) for k, t in tensors.items()}, folder + "/model.safetensors",
                  metadata={"format": "pt"})
        return type(model).from_pretrained(folder, attn_implementation="eager").double().eval()


def probe(name, t):
    flat = t.detach().double().reshape(-1).numpy()
    return [float(np.linalg.norm(flat)), float(flat @ uniform("probe:" + name, flat.size))]


def gradients(model):
    """Probes of gradients, under the names of the file."""
    copy = type(model)(model.config).double()
    with torch.no_grad():
        for (_, p), (_, q) in zip(copy.named_parameters(), model.named_parameters()):
            p.copy_(q.grad if q.grad is not None else torch.zeros_like(q))
    return {k: probe(k, t) for k, t in saved(copy)[0].items()}


def bf16_error(model, logits_of, logits):
    """How far PyTorch's own bf16 is from its double, of the largest logit."""
    half = copy.deepcopy(model).to(torch.bfloat16)
    with torch.no_grad():
        return float((logits_of(half).double() - logits).abs().max() / logits.abs().max())


def train(model, loss):
    groups = [{"params": [p for p in model.parameters() if (p.dim() >= 2) == wide],
               "weight_decay": DECAY * wide} for wide in (True, False)]  # not norms and biases
    optimizer = torch.optim.AdamW(groups, lr=LR)
    losses = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        at = loss()
        losses.append(at.item())
        at.backward()
        optimizer.step()
    return losses


def rounded(v):
    if isinstance(v, float):
        return float(f"{v:.9g}")
    if isinstance(v, dict):
        return {k: rounded(w) for k, w in v.items()}
    return [rounded(w) for w in v] if isinstance(v, list) else v


def run(model, logits_of, labels):
    """logits_of(model): [rows classes]; a row with label -100 does not count."""
    model = filled(model)
    tensors, config = saved(model)
    kind = config["architectures"][0]
    config = {k: v for k, v in config.items() if k not in DROPPED}
    config["architectures"], config["num_labels"] = [kind], model.config.num_labels
    target = torch.tensor(labels)

    def loss():
        return torch.nn.functional.cross_entropy(logits_of(model), target)

    logits = logits_of(model).detach()
    loss().backward()
    grads = gradients(model)
    rough = bf16_error(model, logits_of, logits)
    losses = train(model, loss)
    print(kind, len(tensors), "tensors, losses", losses[0], losses[-1])
    return dict(kind=kind, config=config, labels=labels, bf16=rough, losses=losses, gradients=grads,
                shapes={k: list(t.shape) for k, t in tensors.items()},
                logits=logits.reshape(-1).tolist())


def picture_case(model, size, labels):
    x = torch.tensor(uniform("picture", len(labels) * size * size * 3))
    x = x.reshape(len(labels), size, size, 3).permute(0, 3, 1, 2).contiguous()
    return dict(run(model, lambda m: m(x.to(m.dtype)).logits, labels), size=size)


def vit(kind, config, **more):
    settings = dict(hidden_size=24, num_hidden_layers=2, num_attention_heads=3,
                    intermediate_size=40, image_size=20, patch_size=5, num_labels=5,
                    hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    return kind(config(**{**settings, **more}))


def pictures():
    t = transformers
    yield picture_case(vit(t.ViTForImageClassification, t.ViTConfig), 20, [3, 0, 4])
    yield picture_case(vit(t.ViTForImageClassification, t.ViTConfig, qkv_bias=False,
                           hidden_act="gelu_new", layer_norm_eps=1e-5), 20, [1, 2, 2])
    yield picture_case(vit(t.DeiTForImageClassification, t.DeiTConfig), 20, [3, 0, 4])
    yield picture_case(vit(t.DeiTForImageClassificationWithTeacher, t.DeiTConfig), 20, [3, 0, 4])


def text_case(model, lengths, labels, segments=False):
    """Each text alone: what packed rows must equal."""
    vocab = model.config.vocab_size
    ids = 3 + ((uniform("ids", sum(lengths)) + 1.0) / 2.0 * (vocab - 3)).astype(np.int64)
    at = np.cumsum([0] + lengths)
    texts = [torch.tensor(ids[a:b])[None] for a, b in zip(at, at[1:])]
    kinds = [torch.tensor([int(i >= n // 2) for i in range(n)])[None] for n in lengths]

    def logits(m):
        out = [m(t, token_type_ids=k) if segments else m(t) for t, k in zip(texts, kinds)]
        return torch.cat([o.logits.flatten(0, -2) for o in out])

    return dict(run(model, logits, labels), lengths=lengths)


LENGTHS = [4, 1, 9, 3]


def labels_for(kind, classes):
    """One a text, or one a token, some of which do not count."""
    if "Sequence" in kind:
        return [i % classes for i in range(len(LENGTHS))]
    return [-100 if i % 3 == 1 else (5 * i + 2) % classes for i in range(sum(LENGTHS))]


def text(kind, **settings):
    """kind: the class in Transformers; its config is the class's own."""
    made = getattr(transformers, kind)
    config = made.config_class(**dict(dict(bos_token_id=1, eos_token_id=2, pad_token_id=None),
                                      **settings), num_labels=3)
    model = made(config)
    classes = 3 if "Classification" in kind else config.vocab_size
    return text_case(model, LENGTHS, labels_for(kind, classes), segments=kind.startswith("Bert"))


BERT = dict(vocab_size=37, hidden_size=24, num_hidden_layers=2, num_attention_heads=3,
            intermediate_size=40, max_position_embeddings=16, hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0, pad_token_id=0)
DISTIL = dict(vocab_size=37, dim=24, n_layers=2, n_heads=3, hidden_dim=40, dropout=0.0,
              max_position_embeddings=16, attention_dropout=0.0, seq_classif_dropout=0.0,
              pad_token_id=0)
GPT2 = dict(vocab_size=37, n_embd=24, n_layer=2, n_head=3, n_positions=16, resid_pdrop=0.0,
            embd_pdrop=0.0, attn_pdrop=0.0, summary_first_dropout=0.0)
MODERN = dict(vocab_size=37, hidden_size=24, num_hidden_layers=4, num_attention_heads=3,
              intermediate_size=40, max_position_embeddings=16, local_attention=4, pad_token_id=0)
LLAMA = dict(vocab_size=37, hidden_size=24, num_hidden_layers=2, num_attention_heads=4,
             num_key_value_heads=2, intermediate_size=40, max_position_embeddings=16)
GEMMA = dict(LLAMA, head_dim=10)


def rope(kind, **more):
    return dict(LLAMA, rope_parameters=dict(rope_type=kind, rope_theta=1000.0, **more))


def texts():
    for kind in ("SequenceClassification", "TokenClassification", "MaskedLM"):
        yield text("BertFor" + kind, **BERT)
        yield text("RobertaFor" + kind, **dict(BERT, max_position_embeddings=18, type_vocab_size=1,
                                               pad_token_id=1))
        yield text("DistilBertFor" + kind, **DISTIL)
    yield text("ModernBertForSequenceClassification", **MODERN, classifier_pooling="mean")
    yield text("ModernBertForMaskedLM", **MODERN, norm_bias=True, mlp_bias=True,
               attention_bias=True, classifier_bias=True)
    yield text("GPT2ForSequenceClassification", **GPT2)
    yield text("GPT2LMHeadModel", **GPT2)
    yield text("ModernBertForTokenClassification", **MODERN)
    yield text("GPT2ForTokenClassification", **GPT2)
    yield text("LlamaForTokenClassification", **LLAMA)
    yield text("Qwen3ForTokenClassification", **dict(LLAMA, head_dim=8))
    yield text("LlamaForSequenceClassification", **LLAMA)
    yield text("LlamaForCausalLM", **rope("llama3", factor=8.0, low_freq_factor=1.0,
                                          high_freq_factor=4.0,
                                          original_max_position_embeddings=8))
    yield text("LlamaForCausalLM", **dict(rope("linear", factor=2.0), attention_bias=True,
                                          mlp_bias=True, tie_word_embeddings=True))
    yield text("LlamaForCausalLM", **rope("yarn", factor=4.0, original_max_position_embeddings=8))
    yield text("MistralForCausalLM", **dict(LLAMA, sliding_window=4))
    yield text("Qwen2ForCausalLM", **LLAMA)
    yield text("Qwen3ForCausalLM", **dict(LLAMA, head_dim=8))
    yield text("GemmaForCausalLM", **GEMMA)
    yield text("Gemma2ForCausalLM", **dict(GEMMA, sliding_window=3, query_pre_attn_scalar=12))
    yield text("Gemma3ForCausalLM", **dict(GEMMA, sliding_window=3, query_pre_attn_scalar=12,
                                           num_hidden_layers=3, sliding_window_pattern=3))


def main():
    cases = [rounded(c) for group in (pictures, texts) for c in group()]
    out = dict(made_with={"torch": torch.__version__.split("+")[0],
                          "transformers": transformers.__version__},
               lr=LR, decay=DECAY, cases=cases)
    path = pathlib.Path(__file__).resolve().parents[2] / "tests/golden/transformers.json"
    path.write_text(json.dumps(out, separators=(",", ":")).replace('{"kind"', '\n{"kind"') + "\n")
    print(path, path.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
