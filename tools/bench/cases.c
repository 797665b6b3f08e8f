/* cases.c -- the benchmark's cases: shapes, optimisers and losses of the peer's script. */
#include "bench.h"

#define SGD .optimizer = "sgd", .lr = 0.01, .momentum = 0.9, .weight_decay = 5e-4
#define PICTURES(size, n) \
    .row = { 3, { size, size, 3 } }, .batch = (n), .classes = 10, .unit = "images", SGD
#define SAMPLES(n)                                                                    \
    .arch = "mlp:64x32", .row = { 1, { 784 } }, .batch = (n), .classes = 10,          \
    .unit = "samples", .items = 60000, .optimizer = "adam", .lr = 1e-3

#define BERT(layers, width, heads, inner)                                             \
    "{\"model_type\": \"bert\", \"architectures\": [\"BertForSequenceClassification\"]," \
    " \"num_hidden_layers\": " #layers ", \"hidden_size\": " #width                   \
    ", \"num_attention_heads\": " #heads ", \"intermediate_size\": " #inner           \
    ", \"vocab_size\": 30522, \"max_position_embeddings\": 512, \"num_labels\": 2,"  \
    " \"hidden_dropout_prob\": 0.0, \"attention_probs_dropout_prob\": 0.0}"
#define TEXTS(n, tokens)                                                              \
    .row = { 1, { tokens } }, .batch = (n), .length = (tokens), .classes = 2,         \
    .unit = "tokens", .optimizer = "adamw", .lr = 1e-4, .weight_decay = 0.01
/* A new head and, beside some products of each layer, LoRA of rank 8. */
#define LORA(names)                                                                   \
    .trains = TL_TRAIN_ADAPTERS,                                                      \
    .adapt  = { .kind = TL_ADAPT_LORA, .r = 8, .alpha = 16.0, .targets = names }
/* A language model: every next word of a row, but for the last. */
#define WORDS(n, tokens)                                                              \
    .row = { 1, { tokens } }, .batch = (n), .length = (tokens), .words = true,        \
    .unit = "tokens", .optimizer = "adamw", .lr = 1e-4, .weight_decay = 0.01
#define GPT2                                                                          \
    "{\"model_type\": \"gpt2\", \"architectures\": [\"GPT2LMHeadModel\"]," \
    " \"resid_pdrop\": 0.0, \"embd_pdrop\": 0.0, \"attn_pdrop\": 0.0}"
#define LLAMA                                                                         \
    "{\"model_type\": \"llama\", \"architectures\": [\"LlamaForCausalLM\"],"    \
    " \"hidden_size\": 576, \"num_hidden_layers\": 30, \"num_attention_heads\": 9," \
    " \"num_key_value_heads\": 3, \"intermediate_size\": 1536, \"vocab_size\": 49152," \
    " \"max_position_embeddings\": 2048, \"tie_word_embeddings\": true}"
#define BERT_CASES(name, size)                                                        \
    { "bert-" name "-full-8x128", TEXTS(8, 128), .config = (size) },                  \
    { "bert-" name "-head-8x128", TEXTS(8, 128), .config = (size), .trains = TL_TRAIN_HEAD }, \
    { "bert-" name "-lora-8x128", TEXTS(8, 128), .config = (size), LORA("query,value") }

static const bench_case cases[] = {
    { "mlp-b32", SAMPLES(32) },
    { "mlp-b256", SAMPLES(256) },
    { "head-768-b32", .arch = "relu", .row = { 1, { 768 } }, .batch = 32, .classes = 77,
      .unit = "samples", .items = 10016, .optimizer = "adamw", .lr = 1e-3 },
    { "resnet18-32-b128", PICTURES(32, 128), .arch = "resnet18" },
    { "resnet18-cifar-32-b128", PICTURES(32, 128), .arch = "resnet18-cifar" },
    { "resnet18-224-b16", PICTURES(224, 16), .arch = "resnet18" },
    { "mobilenetv2-224-b16", PICTURES(224, 16), .arch = "mobilenet_v2" },
    BERT_CASES("base", BERT(12, 768, 12, 3072)),
    BERT_CASES("distil", BERT(6, 768, 12, 3072)),
    BERT_CASES("mini", BERT(4, 256, 4, 1024)),
    { "gpt2-124m-full-4x256", WORDS(4, 256), .config = GPT2 },
    { "gpt2-124m-full-4x64", WORDS(4, 64), .config = GPT2 },
    { "llama-135m-full-2x256", WORDS(2, 256), .config = LLAMA },
    { "llama-135m-lora-2x256", WORDS(2, 256), .config = LLAMA,
      LORA("q_proj,k_proj,v_proj,o_proj") },
};

const bench_case *bench_case_at(size_t i)
{
    return i < TL_COUNT(cases) ? &cases[i] : NULL;
}
