/* tell.c -- see tell.h.  Tokens become text by decoding a window that begins some tokens back, so
 * that what a tokenizer does at a text's beginning is not done in its middle; a piece that ends
 * inside a character waits.  Floor 3, bundle. */
#include "bundle/tell.h"
#include "core/io.h"

#include <math.h>
#include <string.h>

enum { MOST_ENDS = 16, MOST_WAIT = 16 };
static const char unfinished[] = "\xef\xbf\xbd"; /* U+FFFD: bytes that are no character yet */

typedef struct {
    tl_ctx             *ctx;
    const tl_model     *model;
    const tl_telling   *how;
    const tl_listener  *to;
    tl_writer          *w;
    tl_text             all;        /* what was written */
    size_t              given;      /* bytes of it the listener has */
    int64_t             from, done; /* tokens: the window begins; its text is in `all` up to */
    int32_t            *id;         /* [places] prompt and what follows; owned */
    int64_t             count;
    int32_t             end[MOST_ENDS];
    int                 ends;
    float              *score; /* [words]; owned */
    tl_ranked          *work;  /* [words]; owned */
    bool                stopped, deaf;
} telling;

static void add_end(telling *t, int64_t id)
{
    if (id >= 0 && id < tl_writer_words(t->w) && t->ends < MOST_ENDS)
        t->end[t->ends++] = (int32_t)id;
}

static void add_ends(telling *t, const json_t *config)
{
    const json_t *v = json_object_get(config, "eos_token_id");

    if (json_is_integer(v)) add_end(t, json_integer_value(v));
    for (size_t i = 0; i < json_array_size(v); i++)
        if (json_is_integer(json_array_get(v, i)))
            add_end(t, json_integer_value(json_array_get(v, i)));
}

/* What ends a text: by the tokenizer, the network's config, and generation_config.json. */
static tl_status find_ends(telling *t)
{
    const tl_texter *x  = t->model->prep.text;
    tl_status        rc = TL_OK;

    add_end(t, tl_tokenizer_special(x->tokenizer, "eos"));
    add_ends(t, t->model->arch.config);
    for (size_t i = 0; i < x->files && rc == TL_OK; i++) {
        json_t *value = NULL;
        if (strcmp(x->file[i].name, "generation_config.json") != 0) continue;
        rc = tl_json_parse(t->ctx, x->file[i].name, (const char *)x->file[i].data,
                           x->file[i].bytes, &value);
        add_ends(t, value);
        json_decref(value);
    }
    return rc;
}

static bool ends_here(const telling *t, int32_t id)
{
    for (int i = 0; i < t->ends; i++)
        if (t->end[i] == id) return true;
    return false;
}

/* The longest end of the text that a stop string may begin with. */
static size_t held_back(const telling *t)
{
    size_t most = 0;

    for (size_t k = 0; t->how->stop && t->how->stop[k]; k++) {
        const size_t bytes = strlen(t->how->stop[k]);
        for (size_t n = TL_MIN(bytes - (bytes > 0), t->all.bytes); n > most; n--)
            if (memcmp(t->all.text + t->all.bytes - n, t->how->stop[k], n) == 0) most = n;
    }
    return most;
}

/* Cuts the text before the first stop string in it. */
static void find_stop(telling *t)
{
    const char *first = NULL;

    for (size_t k = 0; t->how->stop && t->how->stop[k] && t->all.text; k++) {
        const char *at = *t->how->stop[k] ? strstr(t->all.text, t->how->stop[k]) : NULL;
        if (at && (!first || at < first)) first = at;
    }
    if (!first) return;
    t->all.bytes               = (size_t)(first - t->all.text);
    t->all.text[t->all.bytes]  = 0;
    t->stopped                 = true;
}

/* All that cannot become part of a stop string any more; at the end, all. */
static void give(telling *t, bool end)
{
    const size_t ready = t->all.bytes - (end || t->stopped ? 0 : held_back(t));
    char         keep;

    if (!t->to || !t->to->call || ready <= t->given || t->deaf) return;
    keep               = t->all.text[ready];
    t->all.text[ready] = 0;
    t->deaf            = t->to->call(t->to->user, t->all.text + t->given) != 0;
    t->all.text[ready] = keep;
    t->given           = ready;
}

static tl_status decode(telling *t, int64_t to, tl_text *out)
{
    *out = tl_text_make(t->ctx);
    return tl_decode(t->ctx, t->model->prep.text->tokenizer, t->id + t->from, to - t->from,
                     true, out);
}

/* Zero bytes, which a model may write, are no text. */
static void add_text_bytes(tl_text *to, const char *from, size_t bytes)
{
    for (const char *end = from + bytes; from < end;) {
        const size_t n = strnlen(from, (size_t)(end - from));
        tl_text_add_bytes(to, from, n);
        from += n + 1;
    }
}

/* What the tokens since the last time add, once it ends with a whole character. */
static tl_status add_text(telling *t, bool end)
{
    tl_text   before = { 0 }, now = { 0 };
    tl_status rc;

    TL_TRY(decode(t, t->done, &before));
    TL_TRY(decode(t, t->count, &now));
    TL_TRY(before.status);
    TL_TRY(now.status);
    if (now.bytes <= before.bytes) goto done;
    if (!end && t->count - t->done < MOST_WAIT && tl_ends_with(now.text, unfinished))
        goto done;
    add_text_bytes(&t->all, now.text + before.bytes, now.bytes - before.bytes);
    TL_TRY(t->all.status);
    t->from = t->done;
    t->done = t->count;
    find_stop(t);
done:
    tl_text_free(&before);
    tl_text_free(&now);
    return rc;
}

/* The prompt's tokens; of an empty one the token that begins a text. */
static tl_status read_prompt(telling *t, tl_string prompt)
{
    const tl_tokenizer *k    = t->model->prep.text->tokenizer;
    tl_ctx             *ctx  = t->ctx;
    const char         *what = t->model->path ? t->model->path : "model";
    tl_encoder         *e    = NULL;
    tl_tokens           ids  = { 0 };
    int32_t             bos  = tl_tokenizer_special(k, "bos");
    tl_status           rc;

    TL_TRY(tl_encoder_open(ctx, k, &e));
    TL_TRY(tl_encode(ctx, e, prompt, (tl_string){ 0 },
                     (tl_encode_options){ .plain = t->how->plain, .most = TL_UNCUT }, &ids));
    if (ids.count == 0 && bos < 0) bos = tl_tokenizer_special(k, "eos");
    if (ids.count == 0 && bos < 0)
        TL_FAIL(TL_EDATA, what, "has no token that begins a text (give it a prompt)");
    if (ids.count >= tl_writer_places(t->w))
        TL_FAIL(TL_ELIMIT, what,
                "the prompt's %" PRId64 " tokens leave no room to write: the model keeps %" PRId64
                " (shorten it)",
                ids.count, tl_writer_places(t->w));
    t->count = TL_MAX(ids.count, 1);
    if (ids.count == 0) t->id[0] = bos;
    else memcpy(t->id, ids.id, (size_t)ids.count * sizeof *t->id);
    for (int64_t i = 0; i < t->count; i++)
        if (t->id[i] >= tl_writer_words(t->w))
            TL_FAIL(TL_EDATA, what, "its tokenizer gives token %d, which the network does not "
                    "know (copy both again)", t->id[i]);
    t->done = t->count;
done:
    tl_tokens_free(ctx, &ids);
    tl_encoder_close(ctx, e);
    return rc;
}

/* Token by token; *finish "length" when there is no room or no leave for another. */
static tl_status write_on(telling *t, tl_told *out)
{
    const int64_t words = tl_writer_words(t->w), places = tl_writer_places(t->w);
    const int64_t most  = t->how->most > 0 ? t->how->most : places;
    const float  *logits;
    tl_ctx       *ctx = t->ctx;
    tl_status     rc;

    out->read   = t->count;
    out->finish = "length";
    TL_TRY(tl_writer_turn(ctx, t->w, t->id, t->count, &logits));
    while (out->written < most && t->count < places) {
        if (tl_cancelled(ctx)) TL_FAIL(TL_ECANCEL, "chat", "interrupted");
        memcpy(t->score, logits, (size_t)words * sizeof *t->score);
        const int32_t id = tl_sample_next(&t->how->sampling, t->id, t->count, out->written,
                                          t->score, words, t->work);
        if (!isfinite(t->score[id]))
            TL_FAIL(TL_ENAN, t->model->path ? t->model->path : "model",
                    "its scores are not numbers (train or fetch it again)");
        out->written++;
        if (ends_here(t, id)) {
            out->finish = "stop";
            break;
        }
        t->id[t->count++] = id;
        TL_TRY(add_text(t, false));
        give(t, false);
        if (t->stopped || t->deaf) {
            out->finish = "stop";
            break;
        }
        if (out->written < most && t->count < places)
            TL_TRY(tl_writer_read(ctx, t->w, &id, 1, &logits));
    }
    if (!t->stopped) TL_TRY(add_text(t, true));
    if (t->stopped) out->finish = "stop";
    give(t, true);
done:
    return rc;
}

tl_status tl_tell(tl_ctx *ctx, tl_writer *w, const tl_model *model, tl_string prompt,
                  const tl_telling *how, const tl_listener *to, tl_told *out)
{
    telling   t = { .ctx = ctx, .model = model, .how = how, .to = to, .w = w };
    tl_status rc;

    *out  = (tl_told){ 0 };
    t.all = tl_text_make(ctx);
    TL_TRY(tl_sampling_check(ctx, &how->sampling));
    TL_TRY(tl_alloc_array(ctx, (size_t)tl_writer_places(w), sizeof *t.id, &t.id));
    TL_TRY(tl_alloc_array(ctx, (size_t)tl_writer_words(w), sizeof *t.score, &t.score));
    TL_TRY(tl_alloc_array(ctx, (size_t)tl_writer_words(w), sizeof *t.work, &t.work));
    TL_TRY(find_ends(&t));
    TL_TRY(read_prompt(&t, prompt));
    TL_TRY(write_on(&t, out));
    tl_text_add(&t.all, "");
    TL_TRY(t.all.status);
    out->text  = t.all.text;
    t.all.text = NULL;
done:
    tl_free(ctx, t.id);
    tl_free(ctx, t.score);
    tl_free(ctx, t.work);
    tl_text_free(&t.all);
    if (rc != TL_OK) *out = (tl_told){ 0 };
    return rc;
}
