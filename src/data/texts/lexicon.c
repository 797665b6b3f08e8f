/* lexicon.c -- see lexicon.h.  Floor 2, data. */
#include "data/texts/lexicon.h"
#include "core/text.h"
#include "data/tokenizer/unicode.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LONGEST_WORD = 256, MOST_WORDS = 1 << 22 };

/* The next word from *at on, in lower case; 0 bytes: there is none.  Longer ones are cut. */
static size_t next_word(const char **at, const char *end, char out[LONGEST_WORD])
{
    size_t bytes = 0, characters = 0, bad;

    while (*at < end) {
        const size_t left = (size_t)(end - *at), valid = tl_utf8_valid(*at, TL_MIN(left, 4), &bad);
        uint32_t     c    = ' ';
        size_t       n    = 1;
        if (valid >= tl_utf8_bytes(**at)) n = tl_utf8_next(*at, &c);
        *at += n;
        if (tl_is_in_word(c)) {
            if (bytes + 4 <= LONGEST_WORD) bytes += tl_utf8_put(tl_lower(c), out + bytes);
            characters++;
        } else if (characters >= 2) {
            return bytes;
        } else {
            bytes = characters = 0;
        }
    }
    return characters >= 2 ? bytes : 0;
}

/* Counts the texts that each word is in. */
static tl_status see(tl_ctx *ctx, tl_lexicon *w, tl_string s, int64_t text, int64_t **last,
                     int64_t **seen, int64_t *room)
{
    const char *at = s.text, *end = s.text + s.bytes;
    char        word[LONGEST_WORD];
    size_t      bytes;
    tl_status   rc = TL_OK;

    while (at && (bytes = next_word(&at, end, word)) > 0) {
        int32_t id = tl_vocab_find(&w->vocab, word, bytes);
        if (id < 0 && w->vocab.size >= MOST_WORDS) continue;
        if (id < 0) {
            id = w->vocab.size;
            TL_TRY(tl_vocab_add(ctx, "words", &w->vocab, word, bytes, id));
        }
        if (id >= *room) {
            const int64_t more = 2 * *room + 1024;
            TL_TRY(tl_realloc(ctx, (size_t)more * sizeof **last, last));
            TL_TRY(tl_realloc(ctx, (size_t)more * sizeof **seen, seen));
            *room = more;
        }
        (*seen)[id] += (*last)[id] != text + 1;
        (*last)[id] = text + 1;
    }
done:
    return rc;
}

static int by_seen(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x < y) - (x > y);
}

/* Only words that more texts have than the one that is too many; their counts move up. */
static tl_status keep_most(tl_ctx *ctx, tl_lexicon *w, int64_t most, int64_t *seen)
{
    const int32_t size   = w->vocab.size;
    tl_vocab      kept   = { 0 };
    int64_t      *sorted = NULL;
    tl_status     rc     = TL_OK;

    if (size <= most) return TL_OK;
    TL_TRY(tl_alloc_array(ctx, (size_t)size, sizeof *sorted, &sorted));
    memcpy(sorted, seen, (size_t)size * sizeof *sorted);
    qsort(sorted, (size_t)size, sizeof *sorted, by_seen);
    for (int32_t i = 0; i < size; i++) {
        const tl_string s = tl_vocab_text(&w->vocab, i);
        if (seen[i] <= sorted[most]) continue;
        seen[kept.size] = seen[i];
        TL_TRY(tl_vocab_add(ctx, "words", &kept, s.text, s.bytes, kept.size));
    }
    if (kept.size == 0) goto done; /* all are in as many texts: they stay */
    tl_vocab_free(ctx, &w->vocab);
    w->vocab = kept;
    kept     = (tl_vocab){ 0 };
done:
    tl_vocab_free(ctx, &kept);
    tl_free(ctx, sorted);
    return rc;
}

tl_status tl_lexicon_learn(tl_ctx *ctx, const tl_string *text, const tl_string *pair,
                         int64_t count, int64_t most, tl_lexicon *out)
{
    tl_lexicon  w    = { 0 };
    int64_t  *last = NULL, *seen = NULL, room = 0;
    tl_status rc   = TL_OK;

    *out = w;
    for (int64_t i = 0; i < count; i++) {
        TL_TRY(see(ctx, &w, text[i], i, &last, &seen, &room));
        if (pair) TL_TRY(see(ctx, &w, pair[i], i, &last, &seen, &room));
    }
    if (w.vocab.size == 0)
        TL_FAIL(TL_EDATA, "words", "no word of two letters is in the training texts (is --text "
                "the right column?)");
    TL_TRY(keep_most(ctx, &w, most, seen));
    TL_TRY(tl_alloc_array(ctx, (size_t)w.vocab.size, sizeof *w.weight, &w.weight));
    for (int32_t i = 0; i < w.vocab.size; i++)
        w.weight[i] =
            (float)(log((1.0 + (double)count) / (1.0 + (double)seen[i])) + 1.0);
    *out = w;
    w    = (tl_lexicon){ 0 };
done:
    tl_free(ctx, last);
    tl_free(ctx, seen);
    tl_lexicon_free(ctx, &w);
    return rc;
}

void tl_lexicon_free(tl_ctx *ctx, tl_lexicon *w)
{
    tl_vocab_free(ctx, &w->vocab);
    tl_free(ctx, w->weight);
    w->weight = NULL;
}

static int by_id(const void *a, const void *b)
{
    const int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;

    return (x > y) - (x < y);
}

static tl_status add_ids(tl_ctx *ctx, const tl_lexicon *w, tl_string s, tl_weighed *to)
{
    const char *at = s.text, *end = s.text + s.bytes;
    char        word[LONGEST_WORD];
    size_t      bytes;
    tl_status   rc = TL_OK;

    while (at && (bytes = next_word(&at, end, word)) > 0) {
        const int32_t id = tl_vocab_find(&w->vocab, word, bytes);
        if (id < 0) continue;
        if (to->count == to->room) {
            const int64_t room = 2 * to->room + 256;
            TL_TRY(tl_realloc(ctx, (size_t)room * sizeof *to->id, &to->id));
            TL_TRY(tl_realloc(ctx, (size_t)room * sizeof *to->value, &to->value));
            to->room = room;
        }
        to->id[to->count++] = id;
    }
done:
    return rc;
}

/* Equal ids become one with their number as value; returns how many are left. */
static int64_t join_equal(int32_t *id, float *value, int64_t count)
{
    int64_t kept = 0;

    for (int64_t i = 0; i < count; i++) {
        if (kept && id[kept - 1] == id[i]) {
            value[kept - 1] += 1.0f;
        } else {
            id[kept]      = id[i];
            value[kept++] = 1.0f;
        }
    }
    return kept;
}

tl_status tl_lexicon_weigh(tl_ctx *ctx, const tl_lexicon *w, tl_string text, tl_string pair,
                         tl_weighed *to)
{
    const int64_t from   = to->count;
    double        square = 0.0;
    tl_status     rc;

    TL_TRY(add_ids(ctx, w, text, to));
    TL_TRY(add_ids(ctx, w, pair, to));
    if (to->count == from) goto done;
    qsort(to->id + from, (size_t)(to->count - from), sizeof *to->id, by_id);
    to->count = from + join_equal(to->id + from, to->value + from, to->count - from);
    for (int64_t i = from; i < to->count; i++) {
        to->value[i] *= w->weight[to->id[i]];
        square += (double)to->value[i] * (double)to->value[i];
    }
    for (int64_t i = from; i < to->count; i++)
        to->value[i] = (float)((double)to->value[i] / sqrt(square));
done:
    return rc;
}

void tl_weighed_free(tl_ctx *ctx, tl_weighed *w)
{
    tl_free(ctx, w->id);
    tl_free(ctx, w->value);
    *w = (tl_weighed){ 0 };
}

json_t *tl_lexicon_to_json(const tl_lexicon *w)
{
    json_t *words = json_array(), *weights = json_array();

    for (int32_t i = 0; i < w->vocab.size; i++) {
        const tl_string s = tl_vocab_text(&w->vocab, i);
        json_array_append_new(words, json_stringn(s.text, s.bytes));
        json_array_append_new(weights, json_real((double)w->weight[i]));
    }
    return json_pack("{s:o, s:o}", "words", words, "weights", weights);
}

tl_status tl_lexicon_from_json(tl_ctx *ctx, const char *where, const json_t *value, tl_lexicon *out)
{
    const json_t *words   = json_object_get(value, "words"),
                 *weights = json_object_get(value, "weights");
    const size_t  count   = json_array_size(words);
    tl_lexicon      w       = { 0 };
    tl_status     rc;

    *out = w;
    if (count == 0 || count > MOST_WORDS || json_array_size(weights) != count)
        TL_FAIL(TL_EDATA, where, "\"words\" and \"weights\" are not lists of one length (copy "
                "the model again)");
    TL_TRY(tl_alloc_array(ctx, count, sizeof *w.weight, &w.weight));
    for (size_t i = 0; i < count; i++) {
        const json_t *word = json_array_get(words, i);
        const double  v    = json_number_value(json_array_get(weights, i));
        if (!json_is_string(word) || !(v > 0.0) || !isfinite(v) ||
            tl_vocab_find(&w.vocab, json_string_value(word), json_string_length(word)) >= 0)
            TL_FAIL(TL_EDATA, where, "word %zu is none, stands twice or has no weight (copy the "
                    "model again)", i);
        TL_TRY(tl_vocab_add(ctx, where, &w.vocab, json_string_value(word),
                            json_string_length(word), (int64_t)i));
        w.weight[i] = (float)v;
    }
    *out = w;
    w    = (tl_lexicon){ 0 };
done:
    tl_lexicon_free(ctx, &w);
    return rc;
}
