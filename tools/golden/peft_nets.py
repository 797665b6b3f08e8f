#!/usr/bin/env python3
"""Golden numbers of adapted transformers, as PEFT computes them in double precision ->
tests/golden/peft.json.

The networks, weights, inputs and kept numbers of transformers_nets.py; beside the frozen weights
LoRA, rsLoRA, DoRA, (IA)3 or a prefix of PEFT, their parameters by the same formula under the names that
Tailor gives them (PEFT's, on the name the product has in the model's file).  Gradients and ten
AdamW steps are those of the adapter and the head.  No dropout.

    python tools/golden/peft_nets.py        (needs torch, transformers, peft, safetensors, numpy)
"""
import json
import pathlib
import re
import sys

here = sys.path.pop(0)  # where a tokenizers.py lies, which is not the package
import peft
import torch
import transformers

sys.path.append(here)
import transformers_nets as nets

# Transformers 5 calls the layers of a ViT otherwise in memory than in its files.
RENAMES = [(r"^vit\.layers\.", "vit.encoder.layer."),
           (r"\.attention\.(q|k|v)_proj\.", lambda m: ".attention.attention." +
            dict(q="query", k="key", v="value")[m[1]] + "."),
           (r"\.attention\.o_proj\.", ".attention.output.dense."),
           (r"\.mlp\.fc1\.", ".intermediate.dense."), (r"\.mlp\.fc2\.", ".output.dense.")]


def ours(name):
    """The name Tailor has for a parameter of the wrapped model."""
    name = name.replace("base_model.model.", "", 1).replace("base_model.", "", 1)
    name = name.replace(".base_layer.", ".")
    name = name.replace(".modules_to_save.default.", ".")
    name = name.replace(".lora_magnitude_vector.default.weight", ".lora_magnitude_vector")
    name = name.replace(".default.weight", ".weight").replace(".ia3_l.default", ".ia3_l")
    if "vit." in name:
        for pattern, to in RENAMES:
            name = re.sub(pattern, to, name)
    return name


def special(name):
    return name.endswith(("lora_magnitude_vector", "ia3_l"))


def value(name, t):
    """Lengths and scales near 1, the rest as in transformers_nets.py."""
    if special(name):
        u = nets.uniform(name, t.numel())
        return torch.tensor((1.0 + 0.5 * u).reshape(tuple(t.shape)))
    return nets.value(name, t).double()


# Where each family's layers are that a prefix's keys and values stand in front of.
LAYERS = dict(bert="bert.encoder.layer.{}.", roberta="roberta.encoder.layer.{}.",
              gpt2="transformer.h.{}.")


def parts(model, name, t):
    """What learns, under our names: all keys and values of a prefix are one tensor of PEFT's."""
    if "prompt_encoder" not in name:
        return {ours(name): t}
    layer = LAYERS.get(model.config.model_type, "model.layers.{}.self_attn.")
    tables = t.chunk(2 * model.active_peft_config.num_layers, dim=1)
    return {layer.format(i // 2) + ("prefix_values" if i % 2 else "prefix_keys"): table
            for i, table in enumerate(tables)}


def learning(model, of=lambda p: p):
    """{our name: what `of` gives of the parameter, or of its part}"""
    made = {}
    for name, p in model.named_parameters():
        if p.requires_grad:
            made.update(parts(model, name, of(p)))
    return made


def adapted(model, config):
    """The filled model with an adapter, all that learns filled as well."""
    wrapped = peft.get_peft_model(nets.filled(model), config).double().eval()
    with torch.no_grad():
        for name, p in learning(wrapped).items():
            p.copy_(value(name, p))
    return wrapped


def train(model, loss):
    learn = [(ours(n), p) for n, p in model.named_parameters() if p.requires_grad]
    groups = [{"params": [p for n, p in learn if (p.dim() >= 2 and not special(n)) == wide],
               "weight_decay": nets.DECAY * wide} for wide in (True, False)]
    optimizer = torch.optim.AdamW(groups, lr=nets.LR)
    losses = []
    for _ in range(nets.STEPS):
        optimizer.zero_grad()
        at = loss()
        losses.append(at.item())
        at.backward()
        optimizer.step()
    return losses


def case_of(how, more):
    """What transformers_nets.run does, on the adapted model."""
    def run(model, logits_of, labels):
        tensors, config = nets.saved(model)
        kind = config["architectures"][0]
        config = {k: v for k, v in config.items() if k not in nets.DROPPED}
        config["architectures"], config["num_labels"] = [kind], model.config.num_labels
        wrapped = adapted(model, more)
        target = torch.tensor(labels)

        def loss():
            return torch.nn.functional.cross_entropy(logits_of(wrapped), target)

        logits = logits_of(wrapped).detach()
        loss().backward()
        learn = learning(wrapped)
        grads = {n: nets.probe(n, t) for n, t in learning(wrapped, lambda p: p.grad).items()}
        shapes = {k: list(t.shape) for k, t in tensors.items()}
        shapes.update({n: [p.numel()] if special(n) else list(p.shape) for n, p in learn.items()})
        losses = train(wrapped, loss)
        print(kind, how["kind"], len(learn), "that learn, losses", losses[0], losses[-1])
        return dict(kind=f"{kind}, {how['kind']}", config=config, adapt=how, labels=labels,
                    losses=losses, gradients=grads, shapes=shapes,
                    logits=logits.reshape(-1).tolist())
    return run


def lora(head, dora=False, rs=False, targets="all-linear", **more):
    how = dict(kind="dora" if dora else "lora", r=3, alpha=6.0, rs=rs,
               targets="all" if targets == "all-linear" else ",".join(targets))
    return how, peft.LoraConfig(r=3, lora_alpha=6, use_dora=dora, use_rslora=rs,
                                target_modules=targets, modules_to_save=[head], **more)


def ia3(head, **more):
    return dict(kind="ia3"), peft.IA3Config(modules_to_save=[head], **more)


def prefix(tokens=5):
    return dict(kind="prefix", r=tokens), peft.PrefixTuningConfig(task_type="SEQ_CLS",
                                                                  num_virtual_tokens=tokens)


def cases():
    t = transformers

    def text(kind, settings, how):
        nets.run = case_of(*how)
        return nets.text(kind, **settings)

    bert, gpt2, llama = "BertForSequenceClassification", "GPT2ForSequenceClassification", \
        "LlamaForSequenceClassification"
    seq = dict(task_type="SEQ_CLS")
    yield text(bert, nets.BERT, lora("classifier", **seq))
    yield text(bert, nets.BERT, lora("classifier", targets=["query", "value"], rs=True, **seq))
    yield text(bert, nets.BERT, lora("classifier", dora=True, **seq))
    yield text(bert, nets.BERT, ia3("classifier", **seq))
    # Conv1D's weights lie the other way round
    yield text(gpt2, nets.GPT2, lora("score", fan_in_fan_out=True, **seq))
    yield text(gpt2, nets.GPT2, lora("score", dora=True, fan_in_fan_out=True, **seq))
    yield text(gpt2, nets.GPT2, ia3("score", fan_in_fan_out=True, **seq))
    yield text(llama, nets.LLAMA, lora("score", **seq))
    yield text(llama, nets.LLAMA, lora("score", dora=True, rs=True, **seq))
    yield text(llama, nets.LLAMA, ia3("score", **seq))
    yield text(bert, nets.BERT, prefix())
    yield text("RobertaForSequenceClassification", dict(
        nets.BERT, max_position_embeddings=18, type_vocab_size=1, pad_token_id=1), prefix())
    yield text(gpt2, nets.GPT2, prefix(7))
    yield text(llama, nets.LLAMA, prefix())
    yield text("Gemma3TextForSequenceClassification", dict(
        nets.GEMMA, sliding_window=6, query_pre_attn_scalar=12, num_hidden_layers=3,
        sliding_window_pattern=3), prefix())
    for how in (lora("classifier"), lora("classifier", dora=True)):
        nets.run = case_of(*how)
        yield nets.picture_case(nets.vit(t.ViTForImageClassification, t.ViTConfig), 20, [3, 0, 4])


def main():
    made = [nets.rounded(c) for c in cases()]
    out = dict(made_with={"torch": torch.__version__.split("+")[0], "peft": peft.__version__,
                          "transformers": transformers.__version__},
               lr=nets.LR, decay=nets.DECAY, cases=made)
    path = pathlib.Path(__file__).resolve().parents[2] / "tests/golden/peft.json"
    path.write_text(json.dumps(out, separators=(",", ":")).replace('{"kind"', '\n{"kind"') + "\n")
    print(path, path.stat().st_size, "bytes")


main()
