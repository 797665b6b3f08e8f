/* words.c -- parsing layers in words:
 *
 *     conv N K [stride S] [valid] [groups G] [ACT]      pool K [stride S] [avg]      gpool
 *     dense N [ACT]    norm batch|group|layer    dropout P    residual( ... )    ACT
 *
 * with commas between.  Floor 2, model.  Fuzz target: tests/fuzz/words.c. */
#include "model/words.h"

#include "core/text.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { MOST_ITEMS = 1024, MOST_NESTING = 8, MOST_TEXT = 1 << 16, WORD_BYTES = 40 };
enum { MOST_UNITS = 1 << 16, MOST_WINDOW = 512 };

static const char *const layer_words[] = {
    [TL_WORD_CONV] = "conv",        [TL_WORD_POOL] = "pool",
    [TL_WORD_GPOOL] = "gpool",      [TL_WORD_DENSE] = "dense",
    [TL_WORD_NORM] = "norm",        [TL_WORD_DROPOUT] = "dropout",
    [TL_WORD_RESIDUAL] = "residual"
};

static const char *word_at(size_t i)
{
    const size_t layers = TL_COUNT(layer_words);

    if (i < layers) return layer_words[i];
    i -= layers - 1; /* activation 0 is none */
    return i < TL_ACTS ? tl_act_name((tl_activation)i) : NULL;
}

typedef struct {
    tl_ctx     *ctx;
    const char *where,
        *at; /* what is left of the text                                     */
    char        word[WORD_BYTES];
    int         number; /* of the word, from 1, for errors                              */
    tl_word_item *items;
    int         count, depth;
} parser;

/* The next word without taking it: letters and digits, or one of , ( ) or nothing. */
static size_t peek(parser *p)
{
    size_t bytes = 0;

    while (isspace((unsigned char)*p->at)) p->at++;
    if (*p->at && strchr(",()", *p->at)) bytes = 1;
    else bytes = strcspn(p->at, ",() \t\r\n\v\f");
    snprintf(p->word, sizeof p->word, "%.*s", (int)TL_MIN(bytes, sizeof p->word - 1),
             p->at);
    return bytes;
}

static void take(parser *p)
{
    p->at += peek(p);
    p->number++;
}

static tl_status complain(parser *p, const char *what)
{
    char where[160];

    snprintf(where, sizeof where, "%.120s, word %d", p->where, p->number + 1);
    if (!*p->word)
        return tl_fail(p->ctx, TL_EUSAGE, where, "the text ends where %s (add it)", what);
    return tl_fail(p->ctx, TL_EUSAGE, where,
                   "\"%s\" stands where %s (as in 'conv 8 3 relu, pool 2')", p->word,
                   what);
}

static tl_status number(parser *p, const char *what, int64_t most, int64_t *out)
{
    char say[96];

    peek(p);
    if (!tl_parse_int(p->word, out) || *out < 1 || *out > most) {
        snprintf(say, sizeof say, "%s should: 1 to %" PRId64, what, most);
        return complain(p, say);
    }
    take(p);
    return TL_OK;
}

static bool taken(parser *p, const char *word)
{
    peek(p);
    if (strcmp(p->word, word) != 0) return false;
    take(p);
    return true;
}

static bool activation(parser *p, tl_activation *act)
{
    peek(p);
    if (!tl_act_parse(p->word, act) || *act == TL_ACT_NONE) return false;
    take(p);
    return true;
}

/* What may follow the numbers of conv, pool and dense, in any order. */
static tl_status options(parser *p, tl_word_item *item)
{
    const bool conv = item->word == TL_WORD_CONV, pool = item->word == TL_WORD_POOL;
    tl_status  rc   = TL_OK;

    for (;;) {
        peek(p);
        if (!*p->word || strchr(",)", *p->word)) return TL_OK;
        if ((conv || pool) && taken(p, "stride")) {
            TL_TRY(number(p, "a stride", MOST_WINDOW, &item->stride));
        } else if (conv && taken(p, "groups")) {
            TL_TRY(number(p, "a number of groups", MOST_UNITS, &item->groups));
        } else if (conv && taken(p, "valid")) {
            item->valid = true;
        } else if (pool && taken(p, "avg")) {
            item->average = true;
        } else if (pool || !activation(p, &item->act)) {
            return complain(
                p, strcmp(p->word, "softmax") == 0
                       ? "a comma belongs (the output layer follows from the task)"
                       : "a comma, or an option of this layer, belongs");
        }
    }
done:
    return rc;
}

static tl_status norm_kind(parser *p, tl_word_item *item)
{
    if (taken(p, "batch")) item->norm = TL_NORM_BATCH;
    else if (taken(p, "group")) item->norm = TL_NORM_GROUP;
    else if (taken(p, "layer")) item->norm = TL_NORM_LAYER;
    else return complain(p, "batch, group or layer belongs");
    return TL_OK;
}

static tl_status probability(parser *p, tl_word_item *item)
{
    peek(p);
    if (!tl_parse_double(p->word, &item->p) || item->p < 0.0 || item->p > 0.95)
        return complain(p, "a probability should: 0 to 0.95");
    take(p);
    return TL_OK;
}

static tl_status sequence(parser *p);

static tl_status residual(parser *p, int at)
{
    tl_status rc;

    if (!taken(p, "(")) return complain(p, "( belongs");
    if (++p->depth > MOST_NESTING) return complain(p, "residuals nest too deep");
    TL_TRY(sequence(p));
    if (!taken(p, ")")) return complain(p, "a comma or ) belongs");
    p->depth--;
    if (p->count == at + 1) return complain(p, "the residual before it is empty");
    p->items[at].end = p->count;
done:
    return rc;
}

static tl_status which(parser *p, tl_word_item *item)
{
    const char *meant;
    char        say[128];

    if (activation(p, &item->act)) {
        item->word = TL_WORD_ACT;
        return TL_OK;
    }
    for (size_t i = 0; i < TL_COUNT(layer_words); i++)
        if (taken(p, layer_words[i])) {
            item->word = (tl_word)i;
            return TL_OK;
        }
    meant = tl_did_you_mean(p->word, word_at);
    if (!meant)
        meant = "conv, pool, gpool, dense, norm, dropout, residual or an activation";
    snprintf(say, sizeof say, "a layer belongs (did you mean %s?)", meant);
    return complain(p, say);
}

static tl_status item_of(parser *p)
{
    tl_status     rc;
    tl_word_item *item = &p->items[p->count];
    const int     at   = p->count;

    if (at == MOST_ITEMS) return complain(p, "there are too many layers");
    TL_TRY(which(p, item));
    p->count++;
    switch (item->word) {
    case TL_WORD_CONV:
        TL_TRY(number(p, "a number of filters", MOST_UNITS, &item->out));
        TL_TRY(number(p, "a window's size", MOST_WINDOW, &item->kernel));
        TL_TRY(options(p, item));
        break;
    case TL_WORD_POOL:
        TL_TRY(number(p, "a window's size", MOST_WINDOW, &item->kernel));
        TL_TRY(options(p, item));
        break;
    case TL_WORD_DENSE:
        TL_TRY(number(p, "a number of units", MOST_UNITS, &item->out));
        TL_TRY(options(p, item));
        break;
    case TL_WORD_NORM: TL_TRY(norm_kind(p, item)); break;
    case TL_WORD_DROPOUT: TL_TRY(probability(p, item)); break;
    case TL_WORD_RESIDUAL: TL_TRY(residual(p, at)); break;
    case TL_WORD_GPOOL:
    case TL_WORD_ACT: break;
    }
done:
    return rc;
}

/* Items up to the end of the text or a closing bracket.  After a bracket the comma may be
 * missing. */
static tl_status sequence(parser *p)
{
    tl_status rc = TL_OK;

    for (;;) {
        peek(p);
        if (!*p->word || *p->word == ')') return TL_OK;
        TL_TRY(item_of(p));
        const bool bracket = p->at[-1] == ')'; /* only a residual takes one */
        if (taken(p, ",") || bracket) continue;
        peek(p);
        if (*p->word && *p->word != ')') return complain(p, "a comma belongs");
    }
done:
    return rc;
}

bool tl_words_begin(const char *text)
{
    parser        p = { .at = text };
    tl_activation act;

    peek(&p);
    for (size_t i = 0; i < TL_COUNT(layer_words); i++)
        if (strcmp(p.word, layer_words[i]) == 0) return true;
    return strchr(text, ' ') || strchr(text, ',') || strchr(text, '(') ||
           tl_act_parse(p.word, &act);
}

tl_status tl_words_parse(tl_ctx *ctx, const char *where, const char *text,
                         tl_word_item **items, int *count)
{
    tl_status rc;
    parser    p = { .ctx = ctx, .where = where, .at = text };

    *items = NULL;
    *count = 0;
    if (strlen(text) > MOST_TEXT)
        TL_FAIL(TL_EUSAGE, where,
                "the text is too long (put the network in a config.json)");
    TL_TRY(tl_alloc_array(ctx, MOST_ITEMS, sizeof *p.items, &p.items));
    TL_TRY(sequence(&p));
    peek(&p);
    if (*p.word) TL_TRY(complain(&p, "the network should end"));
    if (!p.count) TL_TRY(complain(&p, "a layer belongs"));
    *items  = p.items;
    *count  = p.count;
    p.items = NULL;
done:
    tl_free(ctx, p.items);
    return rc;
}
