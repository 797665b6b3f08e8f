/* llama2c.c -- llama2.c's checkpoints, version 0: seven int32 (width, inner width, layers, heads,
 * heads of keys, words, places; words negative: an output layer of its own), then f32 tensors
 * one kind behind the other, each of all layers.  The header is the config.  Queries and keys
 * lie with the two values that turn together side by side; here they are seen in the order of
 * Transformers, first halves before second ones.
 * Source: github.com/karpathy/llama2.c, run.c (memory_map_weights) and export.py.  Floor 2, model.
 * Fuzz target: tests/fuzz/llama2c_weights.c. */
#include "model/formats/formats.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HEADER_BYTES = 28, LATER_MAGIC = 0x616b3432 };

typedef struct { int64_t width, inner, layers, heads, kv, words, places; bool apart; } header;

static int64_t int_at(const tl_map *map, size_t i)
{
    int32_t v;

    memcpy(&v, map->data + 4 * i, sizeof v);
    return v;
}

static bool within(int64_t x, int64_t most)
{
    return x >= 1 && x <= most;
}

/* False where the numbers are those of no network. */
static bool read_header(const tl_map *map, header *h)
{
    if (map->bytes < HEADER_BYTES) return false;
    *h = (header){ .width  = int_at(map, 0),
                   .inner  = int_at(map, 1),
                   .layers = int_at(map, 2),
                   .heads  = int_at(map, 3),
                   .kv     = int_at(map, 4),
                   .words  = llabs(int_at(map, 5)),
                   .places = int_at(map, 6),
                   .apart  = int_at(map, 5) < 0 };
    return within(h->width, 1 << 16) && within(h->inner, 1 << 20) &&
           within(h->layers, 1000) && within(h->heads, 1024) && within(h->kv, h->heads) &&
           within(h->words, 1 << 24) && within(h->places, 1 << 24) &&
           h->heads % h->kv == 0 && h->width % (2 * h->heads) == 0;
}

static bool is_llama2c(const tl_map *map)
{
    header h;

    return read_header(map, &h) || (map->bytes >= 8 && int_at(map, 0) == LATER_MAGIC);
}

/* Where the next tensor begins, in bytes; what is left over is seen at the end. */
typedef struct {
    tl_ctx       *ctx;
    const char   *where;
    const tl_map *map;
    tl_weights   *out;
    size_t        at;
} reading;

static tl_status take(reading *r, const char *name, tl_shape shape, tl_weight **out)
{
    const size_t bytes = (size_t)tl_shape_count(&shape) * sizeof(float);
    tl_weight   *w;
    tl_place     place;
    tl_status    rc;

    if (bytes > r->map->bytes - r->at)
        return tl_fail(r->ctx, TL_EDATA, tl_place_at(&place, r->where, r->map->bytes),
                       "cut short inside %s (fetch the file again)", name);
    rc = tl_weights_add(r->ctx, r->out, name, strlen(name), &w);
    if (rc != TL_OK) return rc;
    snprintf(w->dtype, sizeof w->dtype, "F32");
    w->shape = shape;
    w->data  = r->map->data + r->at;
    w->bytes = bytes;
    tl_weight_plain(w);
    r->at += bytes;
    *out = w;
    return TL_OK;
}

/* [layers rows columns]; `heads` > 0: rows of so many heads, turned pairs side by side. */
static tl_status take_layers(reading *r, const header *h, const char *name, int64_t rows,
                             int64_t columns, int64_t heads)
{
    const int64_t half = heads ? rows / heads / 2 : 0;
    tl_status     rc   = TL_OK;

    for (int64_t i = 0; i < h->layers && rc == TL_OK; i++) {
        tl_weight *w;
        char       full[96];
        snprintf(full, sizeof full, "model.layers.%" PRId64 ".%s.weight", i, name);
        rc = take(r, full, columns ? TL_SHAPE(rows, columns) : TL_SHAPE(rows), &w);
        if (rc != TL_OK || !heads) continue;
        w->shape = TL_SHAPE(heads, 2, half, columns);
        w->stride[0] = 2 * half * columns;
        w->stride[1] = columns;
        w->stride[2] = 2 * columns;
        w->stride[3] = 1;
    }
    return rc;
}

static tl_status take_all(reading *r, const header *h)
{
    const int64_t head = h->width / h->heads, kv = h->kv * head;
    const size_t  angles = (size_t)h->places * (size_t)head * sizeof(float);
    tl_weight    *w;
    tl_place      place;
    tl_ctx       *ctx = r->ctx;
    tl_status     rc;

    TL_TRY(take(r, "model.embed_tokens.weight", TL_SHAPE(h->words, h->width), &w));
    TL_TRY(take_layers(r, h, "input_layernorm", h->width, 0, 0));
    TL_TRY(take_layers(r, h, "self_attn.q_proj", h->width, h->width, h->heads));
    TL_TRY(take_layers(r, h, "self_attn.k_proj", kv, h->width, h->kv));
    TL_TRY(take_layers(r, h, "self_attn.v_proj", kv, h->width, 0));
    TL_TRY(take_layers(r, h, "self_attn.o_proj", h->width, h->width, 0));
    TL_TRY(take_layers(r, h, "post_attention_layernorm", h->width, 0, 0));
    TL_TRY(take_layers(r, h, "mlp.gate_proj", h->inner, h->width, 0));
    TL_TRY(take_layers(r, h, "mlp.down_proj", h->width, h->inner, 0));
    TL_TRY(take_layers(r, h, "mlp.up_proj", h->inner, h->width, 0));
    TL_TRY(take(r, "model.norm.weight", TL_SHAPE(h->width), &w));
    if (angles > r->map->bytes - r->at)
        TL_FAIL(TL_EDATA, tl_place_at(&place, r->where, r->map->bytes),
                "cut short inside the angles (fetch the file again)");
    r->at += angles; /* of rotary positions, which follow from the header */
    if (h->apart) TL_TRY(take(r, "lm_head.weight", TL_SHAPE(h->words, h->width), &w));
    if (r->at != r->map->bytes)
        TL_FAIL(TL_EDATA, tl_place_at(&place, r->where, r->at),
                "%zu bytes belong to no tensor (fetch the file again)",
                r->map->bytes - r->at);
done:
    return rc;
}

/* As Transformers would write it.  Token 1 begins a text, and ends the one before. */
static json_t *config_of(const header *h)
{
    return json_pack("{s:s, s:[s], s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:f, s:s, s:b, "
                     "s:i, s:[i, i]}",
                     "model_type", "llama", "architectures", "LlamaForCausalLM",
                     "vocab_size", (json_int_t)h->words, "hidden_size",
                     (json_int_t)h->width, "intermediate_size", (json_int_t)h->inner,
                     "num_hidden_layers", (json_int_t)h->layers, "num_attention_heads",
                     (json_int_t)h->heads, "num_key_value_heads", (json_int_t)h->kv,
                     "max_position_embeddings", (json_int_t)h->places, "rms_norm_eps", 1e-5,
                     "rope_theta", 10000.0, "hidden_act", "silu", "tie_word_embeddings",
                     !h->apart, "bos_token_id", 1, "eos_token_id", 2, 1);
}

static tl_status read_llama2c(tl_ctx *ctx, const char *where, const tl_map *map,
                              tl_weights *out)
{
    reading   r = { ctx, where, map, out, HEADER_BYTES };
    header    h;
    tl_place  place;
    tl_status rc;

    if (!read_header(map, &h))
        TL_FAIL(TL_EDATA, tl_place_at(&place, where, 4),
                "is llama2.c's version %" PRId64 " (export it with --version 0)",
                int_at(map, 1));
    out->config = config_of(&h);
    if (!out->config) TL_FAIL(TL_ENOMEM, where, "no room for its config (free memory)");
    TL_TRY(take_all(&r, &h));
done:
    return rc;
}

const tl_weight_format tl_weight_format_llama2c = {
    .name   = "llama2.c",
    .doc    = "seven numbers and plain f32 tensors of a Llama",
    .source = "github.com/karpathy/llama2.c, run.c",
    .mine   = is_llama2c,
    .read   = read_llama2c,
};
