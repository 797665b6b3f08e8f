/* writer.c -- see writer.h.  One plan reads a token, another a longer piece; both are bound to the
 * same tables of keys and values.  Source: Pope et al. 2022, arXiv:2211.05102.  Floor 3,
 * bundle. */
#include "bundle/writer.h"
#include "data/texts/pack.h"

#include <stdio.h>
#include <string.h>

enum { MOST_PIECE = 1024 }; /* tokens of one run */

/* A plan for so many tokens at once, and what it is bound to. */
typedef struct {
    int64_t   tokens;
    tl_graph *graph;
    tl_plan  *plan;
    tl_built  built;
    int32_t  *id, *position; /* [tokens]; owned */
} reader;

struct tl_writer {
    tl_net            net;
    tl_arch           arch; /* borrowed */
    const char       *where;
    const tl_backend *backend;
    tl_slab          *slab;
    reader            one, many; /* many: of the size that was wanted last */
    int64_t           places, length, words;
    int32_t          *had;   /* [places] the tokens read; owned */
    void            **table; /* [tables] keys and values by layer; owned */
    int               tables;
    int32_t           at, last, offsets[2], seen[2];
};

static void reader_end(tl_ctx *ctx, reader *r)
{
    tl_plan_free(ctx, r->plan);
    tl_graph_free(ctx, r->graph);
    tl_free(ctx, r->id);
    tl_free(ctx, r->position);
    *r = (reader){ 0 };
}

static tl_tensor numbered(const reader *r, const char *what, int i)
{
    char name[24];

    snprintf(name, sizeof name, "%s.%d", what, i);
    return tl_graph_find(r->graph, name);
}

/* The tables are made by the first reader that asks for them. */
static tl_status bind_tables(tl_ctx *ctx, tl_writer *w, reader *r)
{
    tl_status rc = TL_OK;
    int       n  = 0;

    while (numbered(r, "past", n)) n++;
    if (!w->table) {
        TL_TRY(tl_alloc_array(ctx, (size_t)TL_MAX(n, 1), sizeof *w->table, &w->table));
        w->tables = n;
    }
    for (int i = 0; i < n; i++) {
        const tl_tensor       past = numbered(r, "past", i);
        const tl_tensor_info *info = tl_graph_info(r->graph, past);
        const size_t bytes = (size_t)tl_shape_count(&info->shape) * tl_dtype_bytes(info->dtype);
        if (!w->table[i]) TL_TRY(tl_alloc(ctx, bytes, &w->table[i]));
        TL_TRY(tl_plan_bind(ctx, r->plan, past, w->table[i]));
        TL_TRY(tl_plan_bind(ctx, r->plan, numbered(r, "kept", i), w->table[i]));
    }
done:
    return rc;
}

static tl_status bind_params(tl_ctx *ctx, const tl_writer *w, const reader *r)
{
    const tl_params *params = w->net.params;
    tl_status        rc     = TL_OK;

    for (tl_tensor t = 1; t <= tl_graph_tensors(r->graph); t++) {
        const tl_tensor_info *info = tl_graph_info(r->graph, t);
        const tl_param       *p;
        if (info->kind != TL_PARAM && info->kind != TL_STATE) continue;
        p = tl_params_find(params, info->name);
        if (!p) TL_FAIL(TL_EUSAGE, info->name, "is not among the model's parameters");
        TL_TRY(tl_plan_bind(ctx, r->plan, t, tl_params_place(params, p)));
    }
done:
    return rc;
}

static tl_status bind_inputs(tl_ctx *ctx, tl_writer *w, reader *r)
{
    const tl_text_inputs *in = &r->built.text;
    tl_status             rc;

    TL_TRY(tl_plan_bind(ctx, r->plan, r->built.x, r->id));
    TL_TRY(tl_plan_bind(ctx, r->plan, in->positions, r->position));
    TL_TRY(tl_plan_bind(ctx, r->plan, in->offsets, w->offsets));
    TL_TRY(tl_plan_bind(ctx, r->plan, in->seen, w->seen));
    TL_TRY(tl_plan_bind(ctx, r->plan, in->at, &w->at));
    TL_TRY(tl_plan_bind(ctx, r->plan, in->last, &w->last));
done:
    return rc;
}

static tl_status reader_start(tl_ctx *ctx, tl_writer *w, int64_t tokens, reader *out)
{
    reader    r   = { .tokens = tokens };
    tl_net    net = w->net;
    tl_status rc;

    TL_TRY(tl_graph_new(ctx, &r.graph));
    net.ctx       = ctx;
    net.g         = r.graph;
    net.sequences = 1;
    net.past      = w->places;
    TL_TRY(tl_arch_build(&net, &w->arch, tokens, TL_PART_WHOLE, &r.built));
    TL_TRY(tl_plan_new(ctx, r.graph, w->backend, w->slab, &r.plan));
    TL_TRY(tl_alloc_array(ctx, (size_t)tokens, sizeof *r.id, &r.id));
    TL_TRY(tl_alloc_array(ctx, (size_t)tokens, sizeof *r.position, &r.position));
    TL_TRY(bind_params(ctx, w, &r));
    TL_TRY(bind_tables(ctx, w, &r));
    TL_TRY(bind_inputs(ctx, w, &r));
    *out = r;
    r    = (reader){ 0 };
done:
    reader_end(ctx, &r);
    return rc;
}

tl_status tl_writer_new(tl_ctx *ctx, const tl_model *model, int64_t places,
                        const tl_backend *backend, tl_dtype dtype, tl_writer **out)
{
    const char *where = model->path ? model->path : model->arch.name;
    tl_writer  *w     = NULL;
    tl_status   rc;

    *out = NULL;
    if (model->arch.ask != TL_ASK_NEXT)
        TL_FAIL(TL_EDATA, where,
                "predicts no next token (give a causal language model, as gpt2 or llama)");
    if (!backend->host_memory)
        TL_FAIL(TL_EUSAGE, backend->name, "does not write texts yet (take the cpu)");
    TL_TRY(tl_alloc(ctx, sizeof *w, &w));
    w->net     = (tl_net){ .params = model->params, .dtype = dtype };
    w->arch    = model->arch;
    w->where   = where;
    w->backend = backend;
    w->words   = model->arch.outputs;
    w->places  = model->arch.row.dim[0] - tl_adapt_places(&model->arch.adapt);
    if (places > 0) w->places = TL_MIN(w->places, places);
    TL_TRY(tl_alloc_array(ctx, (size_t)w->places, sizeof *w->had, &w->had));
    TL_TRY(tl_slab_new(ctx, backend, &w->slab));
    TL_TRY(reader_start(ctx, w, 1, &w->one));
    *out = w;
    w    = NULL;
done:
    tl_writer_free(ctx, w);
    return rc;
}

void tl_writer_free(tl_ctx *ctx, tl_writer *w)
{
    if (!w) return;
    reader_end(ctx, &w->one);
    reader_end(ctx, &w->many);
    tl_slab_free(ctx, w->slab);
    for (int i = 0; i < w->tables; i++) tl_free(ctx, w->table[i]);
    tl_free(ctx, w->table);
    tl_free(ctx, w->had);
    tl_free(ctx, w);
}

/* The reader for so many tokens; the one before for another size goes. */
static tl_status reader_for(tl_ctx *ctx, tl_writer *w, int64_t tokens, reader **out)
{
    const int64_t room = TL_MIN(tl_tokens_room(tokens), (int64_t)MOST_PIECE);
    tl_status     rc   = TL_OK;

    *out = tokens == 1 ? &w->one : &w->many;
    if (tokens == 1 || w->many.tokens == room) return TL_OK;
    reader_end(ctx, &w->many);
    TL_TRY(reader_start(ctx, w, room, &w->many));
done:
    return rc;
}

static tl_status read_piece(tl_ctx *ctx, tl_writer *w, const int32_t *id, int64_t count,
                            const float **logits)
{
    reader   *r;
    tl_status rc;

    TL_TRY(reader_for(ctx, w, count, &r));
    for (int64_t i = 0; i < r->tokens; i++) {
        r->id[i]       = i < count ? id[i] : 0;
        r->position[i] = i < count ? (int32_t)(w->length + i) : 0;
    }
    w->at         = (int32_t)w->length;
    w->last       = (int32_t)count - 1;
    w->offsets[1] = (int32_t)count;
    w->seen[1]    = (int32_t)(w->length + count);
    TL_TRY(tl_plan_run(ctx, r->plan, (tl_tick){ 0 }));
    memcpy(w->had + w->length, id, (size_t)count * sizeof *id);
    w->length += count;
    *logits = tl_plan_data(r->plan, r->built.logits);
done:
    return rc;
}

tl_status tl_writer_read(tl_ctx *ctx, tl_writer *w, const int32_t *id, int64_t count,
                         const float **logits)
{
    tl_status rc = TL_OK;

    *logits = NULL;
    if (count > w->places - w->length)
        TL_FAIL(TL_ELIMIT, w->where,
                "%" PRId64 " tokens and %" PRId64 " read before are over the %" PRId64
                " it can keep (give a shorter text)",
                count, w->length, w->places);
    for (int64_t at = 0; at < count; at += MOST_PIECE) {
        if (tl_cancelled(ctx)) TL_FAIL(TL_ECANCEL, "chat", "interrupted");
        TL_TRY(read_piece(ctx, w, id + at, TL_MIN(count - at, (int64_t)MOST_PIECE), logits));
    }
done:
    return rc;
}

tl_status tl_writer_turn(tl_ctx *ctx, tl_writer *w, const int32_t *id, int64_t count,
                         const float **logits)
{
    int64_t same = 0;

    while (same < TL_MIN(w->length, count - 1) && w->had[same] == id[same]) same++;
    w->length = same;
    return tl_writer_read(ctx, w, id + same, count - same, logits);
}

const int32_t *tl_writer_tokens(const tl_writer *w)
{
    return w->had;
}

int64_t tl_writer_length(const tl_writer *w)
{
    return w->length;
}

int64_t tl_writer_places(const tl_writer *w)
{
    return w->places;
}

int64_t tl_writer_words(const tl_writer *w)
{
    return w->words;
}
