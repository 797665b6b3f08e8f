/* set.c -- see set.h.  Floor 2, data. */
#include "data/chat/set.h"
#include "core/io.h"
#include "core/machine.h"
#include "core/rand.h"
#include "data/cache.h"
#include "data/part.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SHARE = 10, FEW = 20 };

typedef struct {
    tl_talks part[3]; /* the files' */
    size_t   limit;
} talks_set;

static void close_set(tl_ctx *ctx, tl_dataset *d)
{
    talks_set *s = d->hold;

    for (int k = 0; s && k < 3; k++) tl_talks_free(ctx, &s->part[k]);
    tl_free(ctx, s);
    json_decref(d->bad);
    tl_free(ctx, d->label);
    tl_free(ctx, d->split);
    tl_free(ctx, d->path);
    tl_free(ctx, d);
}

bool tl_talks_is(const tl_dataset *d)
{
    return d->close == close_set;
}

const char *tl_talks_form(const tl_dataset *d)
{
    return ((const talks_set *)d->hold)->part[TL_SPLIT_TRAIN].form;
}

/* Of all parts, one after another. */
static const json_t *talk_of(const tl_dataset *d, int64_t row, int64_t *line)
{
    const talks_set *s = d->hold;
    int              k = 0;

    while (row >= s->part[k].count) row -= s->part[k++].count;
    if (line) *line = s->part[k].line[row];
    return s->part[k].talk[row];
}

/* A file beside train.jsonl: valid.jsonl, dev.jsonl, test.jsonl. */
static tl_status find_beside(tl_ctx *ctx, const char *train, tl_split wanted, char **out)
{
    const char *name   = tl_path_name(train), *dot = strchr(name, '.');
    char       *folder = NULL;
    tl_names    names  = { 0 };
    tl_status   rc     = TL_OK;

    *out = NULL;
    if (tl_split_of_name(name) != TL_SPLIT_TRAIN || !dot) return TL_OK;
    TL_TRY(tl_strdup(ctx, train, &folder));
    folder[name - train] = 0;
    TL_TRY(tl_folder_list(ctx, *folder ? folder : ".", &names));
    for (size_t i = 0; i < names.count && !*out; i++)
        if (tl_split_of_name(names.name[i]) == wanted && tl_ends_with(names.name[i], dot))
            TL_TRY(tl_path_join(ctx, *folder ? folder : ".", names.name[i], out));
done:
    tl_names_free(ctx, &names);
    tl_free(ctx, folder);
    return rc;
}

static tl_status read_part(tl_ctx *ctx, const char *path, bool skip, tl_dataset *d, tl_split k)
{
    talks_set *s   = d->hold;
    tl_bad     bad = { 0 };
    char       said[400];
    tl_status  rc;

    TL_TRY(tl_talks_read(ctx, path, s->limit, &bad, &s->part[k]));
    if (bad.rows && !skip) TL_TRY(tl_bad_fail(ctx, &bad, path, s->part[k].count + bad.rows));
    if (bad.rows) {
        tl_bad_say(&bad, said, sizeof said);
        tl_log(ctx, TL_LOG_INFO, "%s: %" PRId64 " rows left out (%s)", path, bad.rows, said);
        d->bad_rows += bad.rows;
    }
    if (s->part[k].count == 0)
        TL_FAIL(TL_EDATA, path, "holds no conversation (messages, conversations, prompt with "
                "completion, or instruction with output)");
done:
    tl_bad_free(&bad);
    return rc;
}

static tl_status read_all(tl_ctx *ctx, const tl_talks_source *source, tl_dataset *d)
{
    const char *said[3] = { source->train, source->valid, source->test };
    tl_status   rc      = TL_OK;

    for (int k = 0; k < 3; k++) {
        char *beside = NULL;
        if (!said[k]) TL_TRY(find_beside(ctx, source->train, (tl_split)k, &beside));
        if (said[k] || beside)
            rc = read_part(ctx, said[k] ? said[k] : beside, source->skip_bad, d, (tl_split)k);
        tl_free(ctx, beside);
        TL_TRY(rc);
    }
done:
    return rc;
}

/* A text that stands for the conversation: equal ones have equal ones. */
static tl_status text_of(tl_ctx *ctx, const json_t *talk, char **out)
{
    *out = json_dumps(talk, JSON_COMPACT | JSON_SORT_KEYS);
    return *out ? TL_OK : tl_fail(ctx, TL_ENOMEM, "chat", "no room (free memory)");
}

typedef struct { uint64_t key; int64_t row; } drawn;

static int by_key(const void *a, const void *b)
{
    const drawn *x = a, *y = b;

    if (x->key != y->key) return x->key < y->key ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

/* A tenth of `count` rows, from `at` of the order drawn; equal ones together. */
static int64_t draw(const drawn *order, int64_t count, int64_t at, uint8_t *split, tl_split part)
{
    int64_t n = 0;

    while (at < count && (n < TL_MAX(count / SHARE, (int64_t)1) ||
                          order[at].key == order[at - 1].key)) {
        split[order[at++].row] = (uint8_t)part;
        n++;
    }
    return at;
}

static tl_status draw_parts(tl_ctx *ctx, tl_dataset *d, uint64_t seed, bool valid, bool test)
{
    const int64_t count = ((const talks_set *)d->hold)->part[TL_SPLIT_TRAIN].count;
    drawn        *order = NULL;
    int64_t       at    = 0;
    tl_status     rc;

    TL_TRY(tl_alloc_array(ctx, (size_t)count, sizeof *order, &order));
    for (int64_t i = 0; i < count; i++) {
        char    *text;
        TL_TRY(text_of(ctx, talk_of(d, i, NULL), &text));
        const uint64_t h = tl_fnv(TL_FNV, text, strlen(text));
        free(text);
        order[i] = (drawn){ tl_rand_u64(seed, TL_STREAM(TL_STREAM_SPLIT, 1), h), i };
    }
    qsort(order, (size_t)count, sizeof *order, by_key);
    if (test) at = draw(order, count, at, d->split, TL_SPLIT_TEST);
    if (valid) at = draw(order, count, at, d->split, TL_SPLIT_VALID);
    if (at >= count)
        TL_FAIL(TL_EDATA, d->path, "too few conversations to train and validate (%" PRId64
                "; give more, or --valid)", count);
done:
    tl_free(ctx, order);
    return rc;
}

tl_status tl_talks_open(tl_ctx *ctx, const tl_talks_source *source, tl_dataset **out)
{
    tl_dataset *d = NULL;
    talks_set  *s;
    int64_t     at = 0;
    tl_status   rc;

    *out = NULL;
    TL_TRY(tl_alloc(ctx, sizeof *d, &d));
    d->close = close_set;
    TL_TRY(tl_alloc(ctx, sizeof *s, &s));
    d->hold  = s;
    s->limit = source->limit_bytes ? source->limit_bytes : tl_machine_memory_bytes() / 2;
    d->task   = &tl_task_language_modelling;
    d->format = "conversations";
    TL_TRY(tl_strdup(ctx, source->train, &d->path));
    TL_TRY(read_all(ctx, source, d));
    for (int k = 0; k < 3; k++) d->rows += s->part[k].count;
    d->classes = 1;
    TL_TRY(tl_alloc_array(ctx, (size_t)d->rows, sizeof *d->label, &d->label));
    TL_TRY(tl_alloc(ctx, (size_t)d->rows, &d->split));
    for (int k = 0; k < 3; k++)
        for (int64_t i = 0; i < s->part[k].count; i++) d->split[at++] = (uint8_t)k;
    const bool valid = !s->part[TL_SPLIT_VALID].count, test = !s->part[TL_SPLIT_TEST].count;
    if (valid || test)
        TL_TRY(draw_parts(ctx, d, source->seed, valid,
                          test && valid && s->part[TL_SPLIT_TRAIN].count >= FEW));
    *out = d;
    d    = NULL;
done:
    tl_dataset_close(ctx, d);
    return rc;
}

tl_status tl_talks_hash(tl_ctx *ctx, const tl_dataset *d, char hex[65])
{
    tl_hash  *hash = NULL;
    tl_status rc   = tl_hash_new(ctx, &hash);

    hex[0] = 0;
    if (rc != TL_OK) return rc;
    for (int64_t i = 0; i < d->rows && rc == TL_OK; i++) {
        char *text;
        rc = text_of(ctx, talk_of(d, i, NULL), &text);
        if (rc != TL_OK) break;
        tl_hash_add(hash, &d->split[i], 1);
        tl_hash_add(hash, text, strlen(text) + 1);
        free(text);
    }
    tl_hash_end(ctx, hash, hex);
    return rc;
}

/* One conversation at the cache's end, marked. */
static tl_status put_talk(tl_ctx *ctx, tl_text_rows *t, const tl_talk_tokens *k, int64_t *room)
{
    const int64_t need = t->tokens + k->count;
    tl_status     rc   = TL_OK;

    if (need > *room) {
        *room = TL_MAX(2 * *room, need + 1024);
        TL_TRY(tl_realloc(ctx, (size_t)*room * sizeof *t->id, &t->id));
        TL_TRY(tl_realloc(ctx, (size_t)*room, &t->mark));
    }
    for (int64_t i = 0; i < k->count; i++) {
        t->id[t->tokens + i] = k->id[i];
        t->mark[t->tokens + i] =
            (uint8_t)((i == 0 ? TL_TEXT_BEGINS : 0) | (k->answer[i] ? 0 : TL_NOT_ASKED));
    }
    t->tokens             = need;
    t->start[++t->rows]   = need;
done:
    return rc;
}

static tl_status take_talk(tl_ctx *ctx, const tl_dataset *d, const tl_chat_form *form,
                           tl_encoder *e, int64_t i, int64_t most, tl_talk_tokens *out)
{
    char      text[600];
    int64_t   line;
    tl_status rc = tl_talk_encode(ctx, form, e, talk_of(d, i, &line), most, out);

    if (rc != TL_EDATA) return rc;
    snprintf(text, sizeof text, "%.590s", ctx->message); /* whose template it was stands in it */
    return tl_fail(ctx, TL_EDATA, d->path, "conversation of line %" PRId64 ": %s", line, text);
}

tl_status tl_talks_rows(tl_ctx *ctx, const tl_dataset *d, const tl_prep *prep,
                        const tl_chat_form *form, int64_t most, tl_cache **out, tl_rows part[3],
                        tl_talks_count *count)
{
    tl_cache      *c    = NULL;
    tl_encoder    *e    = NULL;
    tl_talk_tokens k    = { 0 };
    int64_t        room = 0;
    tl_status      rc;

    *out   = NULL;
    *count = (tl_talks_count){ 0 };
    for (int p = 0; p < 3; p++) part[p] = (tl_rows){ 0 };
    TL_TRY(tl_alloc(ctx, sizeof *c, &c));
    c->prep = *prep;
    tl_prep_hold(prep);
    TL_TRY(tl_encoder_open(ctx, prep->text->tokenizer, &e));
    TL_TRY(tl_alloc_array(ctx, (size_t)d->rows + 1, sizeof *c->text.start, &c->text.start));
    for (int p = 0; p < 3; p++)
        TL_TRY(tl_alloc_array(ctx, (size_t)d->rows, sizeof *part[p].row, &part[p].row));
    for (int64_t i = 0; i < d->rows; i++) {
        if (tl_cancelled(ctx)) TL_FAIL(TL_ECANCEL, d->path, "interrupted");
        tl_talk_tokens_free(ctx, &k);
        TL_TRY(take_talk(ctx, d, form, e, i, most, &k));
        TL_TRY(put_talk(ctx, &c->text, &k, &room));
        count->cut += k.cut > 0;
        count->cut_tokens += k.cut;
        count->left += k.answers == 0;
        if (k.answers == 0) continue;
        part[d->split[i]].row[part[d->split[i]].count++] = i;
        count->rows++;
        count->tokens += k.count;
        count->answers += k.answers;
    }
    c->text.cut_rows   = count->cut;
    c->text.cut_tokens = count->cut_tokens;
    for (int p = 0; p < 2; p++)
        if (!part[p].count)
            TL_FAIL(TL_EDATA, d->path, "no conversation of its %s part has an answer within %"
                    PRId64 " tokens (raise --block, or give shorter ones)",
                    p ? "validation" : "training", most);
    *out = c;
    c    = NULL;
done:
    for (int p = 0; p < 3 && rc != TL_OK; p++) {
        tl_free(ctx, part[p].row);
        part[p] = (tl_rows){ 0 };
    }
    tl_talk_tokens_free(ctx, &k);
    tl_encoder_close(ctx, e);
    tl_cache_free(ctx, c);
    return rc;
}
