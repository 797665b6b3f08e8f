/* tagged.c -- see tagged.h.  Source of the windows: Devlin et al. 2019's code for SQuAD
 * (doc_stride, the window of most context).  Floor 2, data. */
#include "data/texts/tagged.h"
#include "data/cache.h"
#include "data/tokenizer/unicode.h"

#include <ctype.h>
#include <string.h>

void tl_joined_free(tl_ctx *ctx, tl_joined *j)
{
    tl_text_free(&j->text);
    tl_free(ctx, j->word);
    *j = (tl_joined){ 0 };
}

tl_status tl_tags_join(tl_ctx *ctx, const tl_dataset *d, int64_t low, int64_t high, size_t *at,
                       tl_joined *out)
{
    const int64_t from = d->tags->first[low], to = d->tags->first[high];
    tl_joined     j    = { .text = tl_text_make(ctx) };
    tl_string     word[2];
    tl_status     rc;

    *out = (tl_joined){ 0 };
    TL_TRY(tl_alloc_array(ctx, (size_t)TL_MAX(to - from, (int64_t)1), sizeof *j.word, &j.word));
    for (int64_t t = low; t < high; t++) {
        at[t - low] = j.text.bytes;
        for (int64_t r = d->tags->first[t]; r < d->tags->first[t + 1]; r++) {
            const size_t begin = j.text.bytes - at[t - low] + (r > d->tags->first[t]);
            if (r > d->tags->first[t]) tl_text_add_bytes(&j.text, " ", 1);
            tl_dataset_text(d, r, word);
            tl_text_add_bytes(&j.text, word[0].text, word[0].bytes);
            if (begin + word[0].bytes > UINT32_MAX)
                TL_FAIL(TL_ELIMIT, d->path, "a text is over 4 GB (part it)");
            j.word[r - from] =
                (tl_extent){ (uint32_t)begin, (uint32_t)(begin + word[0].bytes) };
        }
        tl_text_add_bytes(&j.text, "", 1);
    }
    at[high - low] = j.text.bytes;
    TL_TRY(j.text.status);
    *out = j;
    j    = (tl_joined){ 0 };
done:
    tl_joined_free(ctx, &j);
    return rc;
}

/* Bytes of a blank at `at`; 0: there is none. */
static size_t blank_at(const char *at, const char *end)
{
    uint32_t c;
    size_t   bad;

    if ((uint8_t)*at < 0x80) return isspace((unsigned char)*at) != 0;
    const size_t n = tl_utf8_bytes(*at);
    if (n == 0 || n > (size_t)(end - at) || tl_utf8_valid(at, n, &bad) < n) return 0;
    tl_utf8_next(at, &c);
    return c == 0xa0 || c == 0x3000 || (c >= 0x2000 && c <= 0x200a) ? n : 0;
}

static bool is_point(char c)
{
    return (uint8_t)c < 0x80 && ispunct((unsigned char)c);
}

/* A chunk without blanks: its points at both ends stand alone. */
static tl_status part_chunk(tl_ctx *ctx, const char *text, size_t low, size_t high,
                            tl_extent **word, int64_t *count, int64_t *room)
{
    size_t    end = high, begin = low;
    tl_status rc = TL_OK;

    if (*count + (int64_t)(high - low) > *room) {
        *room = 2 * *room + (int64_t)(high - low);
        TL_TRY(tl_realloc(ctx, (size_t)*room * sizeof **word, word));
    }
    while (begin < high && is_point(text[begin])) {
        (*word)[(*count)++] = (tl_extent){ (uint32_t)begin, (uint32_t)begin + 1 };
        begin++;
    }
    while (end > begin && is_point(text[end - 1])) end--;
    if (end > begin) (*word)[(*count)++] = (tl_extent){ (uint32_t)begin, (uint32_t)end };
    for (; end < high; end++)
        (*word)[(*count)++] = (tl_extent){ (uint32_t)end, (uint32_t)end + 1 };
done:
    return rc;
}

tl_status tl_words_part(tl_ctx *ctx, tl_string text, tl_extent **word, int64_t *count)
{
    const char *end  = text.text + text.bytes;
    int64_t     room = 64;
    size_t      n;
    tl_status   rc;

    *count = 0;
    *word  = NULL;
    TL_TRY(tl_alloc_array(ctx, (size_t)room, sizeof **word, word));
    if (text.bytes > UINT32_MAX / 2)
        TL_FAIL(TL_ELIMIT, "predict", "a text is over 2 GB (part it)");
    for (size_t at = 0; at < text.bytes;) {
        if ((n = blank_at(text.text + at, end)) > 0) {
            at += n;
            continue;
        }
        const size_t low = at;
        while (at < text.bytes && blank_at(text.text + at, end) == 0) at++;
        TL_TRY(part_chunk(ctx, text.text, low, at, word, count, &room));
    }
done:
    if (rc != TL_OK) {
        tl_free(ctx, *word);
        *word = NULL;
    }
    return rc;
}

tl_tag tl_tag_of(const char *name)
{
    if (name[0] && name[1] == '-' && strchr("BIESLU", name[0])) return (tl_tag){ *name, name + 2 };
    return (tl_tag){ strcmp(name, "O") == 0 ? 'O' : 0, name };
}

bool tl_tags_are_spans(const tl_dataset *d)
{
    for (int64_t c = 0; c < d->classes; c++) {
        const char prefix = tl_tag_of(d->class_name[c]).prefix;
        if (prefix == 'B' || prefix == 'I') return true;
    }
    return false;
}

/* Stretches of texts, each a sequence of its own: words [low, high) are seen, [from, to) are asked
 * there. */
typedef struct { int64_t text, low, high, from, to; } window;

typedef struct {
    const tl_prep   *prep;
    const tl_string *text;
    const tl_extent *word;
    const int64_t   *first;
    int64_t          texts, words;
    window          *all;
    int64_t          count, room;
} cutting;

static tl_status add_window(tl_ctx *ctx, cutting *k, window w)
{
    tl_status rc = TL_OK;

    if (k->count == k->room) {
        const int64_t room = 2 * k->room + 64;
        TL_TRY(tl_realloc(ctx, (size_t)room * sizeof *k->all, &k->all));
        k->room = room;
    }
    k->all[k->count++] = w;
done:
    return rc;
}

/* before[k]: tokens that begin before the end of word k, those at the very front among them. */
static void count_tokens(const tl_tokens *t, const tl_extent *word, int64_t words, int64_t *before)
{
    int64_t at = 0;

    for (int64_t k = 0; k < words; k++) {
        while (at < t->count && (t->special[at] || t->span[at].from < word[k].to)) at++;
        before[k] = at;
    }
}

/* Windows of about `most` tokens that begin half a window apart; what two of them see is parted in
 * its middle.  A word longer than a window stands in one of its own, cut by the encoder. */
static tl_status cut_text(tl_ctx *ctx, cutting *k, int64_t text, const int64_t *before,
                          int64_t special)
{
    const int64_t first = k->first[text], words = k->first[text + 1] - first;
    const int64_t most  = TL_MAX(k->prep->text->most - special, (int64_t)1);
    int64_t       asked = 0;
    tl_status     rc    = TL_OK;

    for (int64_t low = 0, next; asked < words; low = next) {
        const int64_t start = low ? before[low - 1] : 0;
        int64_t       high  = low + 1;
        while (high < words && before[high] - start <= most) high++;
        for (next = low + 1; next < high && 2 * (before[next - 1] - start) <= most;) next++;
        const int64_t to = high < words ? (next + high + 1) / 2 : words;
        TL_TRY(add_window(ctx, k, (window){ text, first + low, first + high, first + asked,
                                            first + to }));
        asked = to;
    }
done:
    return rc;
}

/* Of texts that are too long their windows, of others the whole. */
static tl_status find_windows(tl_ctx *ctx, cutting *k)
{
    const tl_encode_options whole  = { .most = TL_UNCUT };
    tl_token_batch          all    = { 0 };
    int64_t                *before = NULL, longest = 1;
    tl_status               rc;

    for (int64_t i = 0; i < k->texts; i++)
        longest = TL_MAX(longest, k->first[i + 1] - k->first[i]);
    TL_TRY(tl_alloc_array(ctx, (size_t)longest, sizeof *before, &before));
    TL_TRY(tl_encode_batch(ctx, k->prep->text->tokenizer, k->text, NULL, k->texts, whole, &all));
    for (int64_t i = 0; i < k->texts; i++) {
        const int64_t at = all.start[i], n = all.start[i + 1] - at;
        const int64_t first = k->first[i], words = k->first[i + 1] - first;
        if (n <= k->prep->text->most || words < 2) {
            TL_TRY(add_window(ctx, k, (window){ i, first, k->first[i + 1], first,
                                                k->first[i + 1] }));
            continue;
        }
        const tl_tokens one = { .span = all.all.span + at, .special = all.all.special + at,
                                .count = n };
        int64_t special = 0;
        for (int64_t t = 0; t < n; t++) special += one.special[t];
        count_tokens(&one, k->word + first, words, before);
        TL_TRY(cut_text(ctx, k, i, before, special));
    }
done:
    tl_token_batch_free(ctx, &all);
    tl_free(ctx, before);
    return rc;
}

/* The words that window w asks: the token where each begins; of a word without one the token
 * before it, marked by its complement. */
static void find_tokens(const cutting *k, const window *w, const tl_tokens *t, int32_t *token)
{
    const uint32_t base = k->word[w->low].from;
    int64_t        at   = 0;

    while (at < t->count && t->special[at]) at++;
    for (int64_t r = w->low; r < w->high; r++) {
        const uint32_t from = k->word[r].from - base, to = k->word[r].to - base;
        while (at < t->count && !t->special[at] && t->span[at].to <= from) at++;
        if (r < w->from || r >= w->to) continue;
        const bool has = at < t->count && !t->special[at] && t->span[at].from < to;
        token[r]       = has ? (int32_t)at : ~(int32_t)TL_MAX(at - 1, (int64_t)0);
    }
}

static tl_status encode_windows(tl_ctx *ctx, cutting *k, tl_text_rows *t)
{
    const tl_encode_options how  = { .most = k->prep->text->most };
    tl_string              *text = NULL;
    tl_token_batch          all  = { 0 };
    tl_status               rc;

    TL_TRY(tl_alloc_array(ctx, (size_t)TL_MAX(k->count, (int64_t)1), sizeof *text, &text));
    for (int64_t i = 0; i < k->count; i++) {
        const window  *w    = &k->all[i];
        const uint32_t from = w->high > w->low ? k->word[w->low].from : 0;
        const uint32_t to   = w->high > w->low ? k->word[w->high - 1].to : 0;
        text[i] = (tl_string){ k->text[w->text].text + from, to - from };
    }
    TL_TRY(tl_encode_batch(ctx, k->prep->text->tokenizer, text, NULL, k->count, how, &all));
    for (int64_t i = 0; i < k->count; i++) {
        const int64_t   at  = all.start[i];
        const tl_tokens one = { .span = all.all.span + at, .special = all.all.special + at,
                                .count = all.start[i + 1] - at };
        for (int64_t r = k->all[i].from; r < k->all[i].to; r++) t->of[r] = (int32_t)i;
        if (k->all[i].high > k->all[i].low) find_tokens(k, &k->all[i], &one, t->token);
        t->word_at[i] = k->all[i].from;
    }
    t->word_at[k->count] = k->words;
    t->start       = all.start;
    t->id          = all.all.id;
    t->part        = all.all.part;
    t->rows        = k->count;
    all.start      = NULL;
    all.all.id     = NULL;
    all.all.part   = NULL;
done:
    tl_token_batch_free(ctx, &all);
    tl_free(ctx, text);
    return rc;
}

/* A vocabulary is not there yet: about a token for four bytes. */
static tl_status estimate(tl_ctx *ctx, const cutting *k, tl_text_rows *t)
{
    enum { BYTES_A_TOKEN = 4 };
    tl_status rc;

    TL_TRY(tl_alloc_array(ctx, (size_t)k->texts + 1, sizeof *t->start, &t->start));
    for (int64_t i = 0; i < k->texts; i++) {
        const int64_t n = (int64_t)(k->text[i].bytes / BYTES_A_TOKEN) + 2;
        t->start[i + 1] = t->start[i] + TL_MIN(n, k->prep->text->most);
        t->word_at[i]   = k->first[i];
        for (int64_t r = k->first[i]; r < k->first[i + 1]; r++)
            t->of[r] = (int32_t)i, t->token[r] = ~0;
    }
    t->word_at[k->texts] = k->words;
    t->rows              = k->texts;
done:
    return rc;
}

/* Words that are weighed stand each for itself. */
static tl_status cache_of_single(tl_ctx *ctx, const tl_prep *prep, const cutting *k,
                                 tl_cache **out)
{
    tl_string *one = NULL;
    tl_status  rc;

    TL_TRY(tl_alloc_array(ctx, (size_t)TL_MAX(k->words, (int64_t)1), sizeof *one, &one));
    for (int64_t i = 0; i < k->texts; i++)
        for (int64_t r = k->first[i]; r < k->first[i + 1]; r++)
            one[r] = (tl_string){ k->text[i].text + k->word[r].from,
                                  k->word[r].to - k->word[r].from };
    rc = tl_cache_of_texts(ctx, prep, one, NULL, k->words, out);
done:
    tl_free(ctx, one);
    return rc;
}

tl_status tl_cache_of_words(tl_ctx *ctx, const tl_prep *prep, const tl_string *text,
                            const tl_extent *word, const int64_t *first, int64_t texts,
                            tl_cache **out)
{
    cutting   k = { .prep = prep, .text = text, .word = word, .first = first, .texts = texts,
                    .words = first[texts] };
    tl_cache *c = NULL;
    tl_status rc;

    *out = NULL;
    if (prep->text->weighs) return cache_of_single(ctx, prep, &k, out);
    if (k.words >= INT32_MAX)
        TL_FAIL(TL_ELIMIT, "data", "over two billion words (part the data)");
    TL_TRY(tl_alloc(ctx, sizeof *c, &c));
    c->prep = *prep;
    tl_prep_hold(prep);
    const size_t words = (size_t)TL_MAX(k.words, (int64_t)1);
    TL_TRY(tl_alloc_array(ctx, words, sizeof *c->text.of, &c->text.of));
    TL_TRY(tl_alloc_array(ctx, words, sizeof *c->text.token, &c->text.token));
    if (!prep->text->learns) TL_TRY(find_windows(ctx, &k));
    TL_TRY(tl_alloc_array(ctx, (size_t)TL_MAX(k.count, texts) + 1, sizeof *c->text.word_at,
                          &c->text.word_at));
    TL_TRY(prep->text->learns ? estimate(ctx, &k, &c->text) : encode_windows(ctx, &k, &c->text));
    *out = c;
    c    = NULL;
done:
    tl_free(ctx, k.all);
    tl_cache_free(ctx, c);
    return rc;
}
