/* batch.c -- many texts at once, every thread with its own encoder.  Floor 2, data. */
#include "core/par.h"
#include "data/tokenizer/inside.h"

#include <string.h>

typedef struct {
    tl_ctx    ctx; /* of this thread                                                   */
    int64_t   low, high;
    tl_tokens all; /* of texts [low, high)                                             */
    tl_status status;
} share;
typedef struct {
    const tl_tokenizer *t;
    const tl_string     *text, *pair;
    tl_encode_options   options;
    int64_t *length; /* tokens by text                                          */
    share   *share;
} job;

static tl_status append(tl_ctx *ctx, tl_tokens *to, const tl_tokens *from)
{
    const int64_t need = to->count + from->count;
    tl_status     rc   = TL_OK;

    if (need > to->room) {
        const size_t room = (size_t)TL_MAX(need, 2 * to->room);
        TL_TRY(tl_realloc(ctx, room * sizeof *to->id, &to->id));
        TL_TRY(tl_realloc(ctx, room * sizeof *to->span, &to->span));
        TL_TRY(tl_realloc(ctx, room, &to->special));
        TL_TRY(tl_realloc(ctx, room, &to->part));
        to->room = (int64_t)room;
    }
    if (from->count) {
        memcpy(to->id + to->count, from->id, (size_t)from->count * sizeof *to->id);
        memcpy(to->span + to->count, from->span, (size_t)from->count * sizeof *to->span);
        memcpy(to->special + to->count, from->special, (size_t)from->count);
        memcpy(to->part + to->count, from->part, (size_t)from->count);
    }
    to->count = need;
    to->cut += from->cut;
done:
    return rc;
}

static tl_status encode_share(const job *j, share *s)
{
    tl_ctx     *ctx = &s->ctx;
    tl_encoder *e   = NULL;
    tl_tokens   one = { 0 };
    tl_status   rc;

    TL_TRY(tl_encoder_open(ctx, j->t, &e));
    for (int64_t i = s->low; i < s->high; i++) {
        const tl_string none = { NULL, 0 };
        TL_TRY(
            tl_encode(ctx, e, j->text[i], j->pair ? j->pair[i] : none, j->options, &one));
        TL_TRY(append(ctx, &s->all, &one));
        j->length[i] = one.count;
    }
done:
    tl_tokens_free(ctx, &one);
    tl_encoder_close(ctx, e);
    return rc;
}

static void body(void *arg, int64_t low, int64_t high)
{
    job *j = arg;

    for (int64_t i = low; i < high; i++)
        j->share[i].status = encode_share(j, &j->share[i]);
}

/* Shares of about the same number of bytes. */
static void divide(const job *j, int64_t count, int threads)
{
    size_t  all = 0, sum = 0;
    int64_t at = 0;

    for (int64_t i = 0; i < count; i++) all += j->text[i].bytes + 16;
    for (int k = 0; k < threads; k++) {
        j->share[k].low = at;
        while (at < count &&
               (k + 1 == threads || sum < all / (size_t)threads * (size_t)(k + 1)))
            sum += j->text[at++].bytes + 16;
        j->share[k].high = at;
    }
}

static tl_status gather(tl_ctx *ctx, const job *j, int threads, tl_token_batch *out)
{
    tl_status rc = TL_OK;

    for (int k = 0; k < threads; k++) {
        share *s = &j->share[k];
        if (s->status != TL_OK) TL_FAIL(s->status, "tokenizer", "%s", s->ctx.message);
        if (k == 0)
            out->all = s->all, s->all = (tl_tokens){ 0 };
        else
            TL_TRY(append(ctx, &out->all, &s->all));
        tl_tokens_free(ctx, &s->all);
    }
    for (int64_t i = 0; i < out->count; i++)
        out->start[i + 1] = out->start[i] + j->length[i];
done:
    return rc;
}

tl_status tl_encode_batch(tl_ctx *ctx, const tl_tokenizer *t, const tl_string *text,
                          const tl_string *pair, int64_t count, tl_encode_options options,
                          tl_token_batch *out)
{
    enum { SHARE_LEAST = 4096 }; /* bytes worth a thread */
    job       j       = { .t = t, .text = text, .pair = pair, .options = options };
    int       threads = ctx->world->threads;
    size_t    bytes   = 0;
    tl_status rc;

    *out = (tl_token_batch){ .count = count };
    for (int64_t i = 0; i < count; i++) bytes += text[i].bytes;
    threads =
        (int)TL_MAX((size_t)1, TL_MIN((size_t)TL_MAX(threads, 1), bytes / SHARE_LEAST));
    TL_TRY(tl_alloc_array(ctx, (size_t)count + 1, sizeof *j.length, &j.length));
    TL_TRY(tl_alloc_array(ctx, (size_t)count + 1, sizeof *out->start, &out->start));
    TL_TRY(tl_alloc_array(ctx, (size_t)threads, sizeof *j.share, &j.share));
    for (int k = 0; k < threads; k++) j.share[k].ctx = tl_ctx_make(ctx->world);
    divide(&j, count, threads);
    tl_par_for(threads, threads, 1, body, &j);
    TL_TRY(gather(ctx, &j, threads, out));
done:
    for (int k = 0; j.share && k < threads; k++) tl_tokens_free(ctx, &j.share[k].all);
    tl_free(ctx, j.share);
    tl_free(ctx, j.length);
    if (rc != TL_OK) tl_token_batch_free(ctx, out);
    return rc;
}

void tl_token_batch_free(tl_ctx *ctx, tl_token_batch *batch)
{
    tl_free(ctx, batch->start);
    tl_tokens_free(ctx, &batch->all);
    *batch = (tl_token_batch){ 0 };
}
