/* columns.c -- see columns.h.  The names are those of the data sets that people load by the
 * package `datasets`: GLUE, SNLI, IMDB, tweets, intents.  Floor 2, data. */
#include "data/texts/columns.h"
#include "data/several.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { LOOKS_AT = 2000, MOST_TEXT_CLASSES = 1000, FEW_COLUMNS = 3 };

static const char *const text_names[] = {
    "text",    "sentence", "utterance", "review",  "content", "comment",  "message",
    "question", "query",   "tweet",     "body",    "document", "headline", "article",
    "input",   "prompt",   "sms",       "post",    "phrase",  "summary",  "title",
    "description", "text_a", "sentence1", "premise", "question1", "text1", "review_text",
    "reviewtext", "tweet_text", "comment_text", NULL
};
static const char *const pair_names[][2] = {
    { "sentence1", "sentence2" }, { "text_a", "text_b" },     { "text1", "text2" },
    { "premise", "hypothesis" },  { "question1", "question2" }, { "text", "text_b" },
    { "text", "text_pair" },      { "question", "sentence" },
};
static const char *const label_names[] = {
    "label",  "labels", "class",      "intent",     "sentiment", "category", "topic",
    "target", "output", "class_name", "label_text", "polarity",  "stars",    "rating",
    "y",      NULL
};
static const char *const number_names[] = { "score", "similarity", "value", "target", "label",
                                            "labels", "rating", "y", NULL };

/* What a column looks like, from its first rows. */
typedef struct {
    int64_t there, distinct, words, bytes, numbers, fractions;
} look;

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int64_t count_words(const char *text)
{
    int64_t words = 0;

    for (bool in = false; *text; text++) {
        const bool blank = isspace((unsigned char)*text) != 0;
        words += !blank && !in;
        in = !blank;
    }
    return words;
}

static look look_at(const tl_sheet *g, int64_t column, const char **room)
{
    look   l = { 0 };
    double value;

    for (int64_t r = 0; r < TL_MIN(g->rows, (int64_t)LOOKS_AT); r++) {
        const char *text = tl_sheet_cell(g, r, column);
        if (!*text) continue;
        room[l.there++] = text;
        l.words += count_words(text);
        l.bytes += (int64_t)strlen(text);
        if (!tl_cell_number(text, &value)) continue;
        l.numbers++;
        l.fractions += value != floor(value);
    }
    qsort(room, (size_t)l.there, sizeof *room, by_text);
    for (int64_t i = 0; i < l.there; i++)
        l.distinct += i == 0 || strcmp(room[i], room[i - 1]) != 0;
    return l;
}

/* Several words each, mostly different, and not numbers. */
static bool is_prose(const look *l)
{
    return l->there > 0 && 10 * l->numbers < l->there && l->words >= 3 * l->there &&
           l->bytes >= 12 * l->there && 2 * l->distinct > l->there;
}

static bool is_classes(const look *l)
{
    return l->there > 0 && l->distinct <= MOST_TEXT_CLASSES &&
           (2 * l->distinct <= l->there || l->distinct <= 3);
}

static int64_t named(const tl_sheet *g, const char *name)
{
    for (int64_t c = 0; c < g->columns; c++)
        if (strcasecmp(g->name[c], name) == 0) return c;
    return -1;
}

typedef struct {
    const tl_sheet *g;
    look           *look;    /* [columns] */
    int64_t         text[2], label;
    const char     *asked;   /* --label or --target */
    const tl_task  *task;
    bool            by_name; /* the text's name says what it is */
} choice;

static void choose_by_name(choice *k)
{
    for (size_t i = 0; i < TL_COUNT(pair_names); i++) {
        const int64_t a = named(k->g, pair_names[i][0]), b = named(k->g, pair_names[i][1]);
        if (a < 0 || b < 0 || k->look[a].numbers || k->look[b].numbers) continue;
        k->text[0] = a;
        k->text[1] = b;
        k->by_name = true;
        return;
    }
    for (size_t i = 0; text_names[i]; i++) {
        const int64_t a = named(k->g, text_names[i]);
        if (a < 0 || !is_prose(&k->look[a])) continue;
        k->text[0] = a;
        k->by_name = true;
        return;
    }
}

/* The one column of prose of a narrow table, or the two of one without names. */
static void choose_by_look(choice *k)
{
    for (int64_t c = 0; c < k->g->columns && k->g->columns <= FEW_COLUMNS; c++) {
        if (!is_prose(&k->look[c])) continue;
        if (k->text[0] < 0) k->text[0] = c;
        else if (k->text[1] < 0 && !k->g->header) k->text[1] = c;
    }
}

static bool is_numbers(const look *l)
{
    return l->there > 0 && l->numbers == l->there && l->distinct > 2;
}

static bool is_text(const choice *k, int64_t c)
{
    return c == k->text[0] || c == k->text[1];
}

static bool may_be_label(const choice *k, int64_t c)
{
    if (is_text(k, c)) return false;
    if (k->task && k->task->numbers) return is_numbers(&k->look[c]);
    return is_classes(&k->look[c]) || tl_column_names_several(k->g, c);
}

/* A column of numbers with fractions, where its name says that it is meant. */
static void choose_number(choice *k)
{
    for (size_t i = 0; number_names[i] && k->label < 0; i++) {
        const int64_t c = named(k->g, number_names[i]);
        if (c < 0 || is_text(k, c) || !is_numbers(&k->look[c])) continue;
        if (k->look[c].fractions > 0 || (k->task && k->task->numbers)) k->label = c;
    }
}

/* By name, else the last column of classes. */
static void choose_label(choice *k)
{
    if (!k->task || k->task->numbers) choose_number(k);
    for (size_t i = 0; label_names[i] && k->label < 0; i++) {
        const int64_t c = named(k->g, label_names[i]);
        if (c >= 0 && may_be_label(k, c)) k->label = c;
    }
    for (int64_t c = k->g->columns - 1; c >= 0 && k->label < 0; c--)
        if (may_be_label(k, c)) k->label = c;
}

/* Of the label's column, or columns: what is asked where --task does not say it. */
static tl_status choose_task(tl_ctx *ctx, choice *k)
{
    const look *l = &k->look[k->label];
    const bool several = k->asked && tl_sheet_column(k->g, k->asked) < 0;

    if (!k->task)
        k->task = several || tl_column_names_several(k->g, k->label)
                      ? &tl_task_text_several
                  : is_numbers(l) && l->fractions > 0 ? &tl_task_text_regression
                                                      : &tl_task_text_classification;
    if (several && !k->task->several)
        return tl_fail(ctx, TL_EUSAGE, "--task", "several columns are several labels (leave "
                       "--task out, or name one --label)");
    if (k->task->numbers && l->numbers == 0)
        return tl_fail(ctx, TL_EDATA, "--task", "the label \"%.80s\" is no column of numbers "
                       "(leave out --task, or name another --label)", k->g->name[k->label]);
    return TL_OK;
}

static tl_status asked_column(tl_ctx *ctx, const tl_sheet *g, const char *option,
                              const char *name, int64_t *out)
{
    *out = tl_sheet_column(g, name);
    if (*out >= 0) return TL_OK;
    return tl_fail(ctx, TL_EUSAGE, option, "%.200s has no column \"%.80s\" (it has %.80s%s%.80s)",
                   g->path, name, g->name[0], g->columns > 1 ? ", " : "",
                   g->columns > 1 ? g->name[1] : "");
}

/* "text,text_b" names a pair. */
static tl_status take_asked(tl_ctx *ctx, const tl_table_ask *ask, choice *k)
{
    const char *comma = ask->text ? strchr(ask->text, ',') : NULL;
    const char *label = ask->label ? ask->label : ask->target;
    int64_t    *column = NULL;
    char        first[256];
    tl_status   rc = TL_OK;

    if (comma) {
        snprintf(first, sizeof first, "%.*s", (int)(comma - ask->text), ask->text);
        TL_TRY(asked_column(ctx, k->g, "--text", first, &k->text[0]));
        TL_TRY(asked_column(ctx, k->g, "--text", comma + 1, &k->text[1]));
    } else if (ask->text) {
        TL_TRY(asked_column(ctx, k->g, "--text", ask->text, &k->text[0]));
    }
    if (!label) goto done;
    TL_TRY(tl_alloc_array(ctx, (size_t)k->g->columns, sizeof *column, &column));
    if (tl_target_columns(k->g, label, column) > 0) k->label = column[0];
    else TL_TRY(asked_column(ctx, k->g, ask->label ? "--label" : "--target", label, &k->label));
    k->asked = label;
done:
    tl_free(ctx, column);
    return rc;
}

static tl_status take_names(tl_ctx *ctx, const choice *k, const tl_table_ask *ask,
                            tl_text_columns *out)
{
    tl_text_columns c = { 0 };
    tl_status       rc;

    for (int i = 0; i < 2; i++)
        if (k->text[i] >= 0) TL_TRY(tl_strdup(ctx, k->g->name[k->text[i]], &c.name[i]));
    c.task = k->task;
    TL_TRY(tl_strdup(ctx, k->asked ? k->asked : k->g->name[k->label], &c.label));
    TL_TRY(tl_strdup(ctx,
                     ask->text    ? "as asked"
                     : k->by_name ? "by their names"
                                  : "by what stands in them",
                     &c.why));
    *out = c;
    c    = (tl_text_columns){ 0 };
done:
    tl_text_columns_free(ctx, &c);
    return rc;
}

tl_status tl_text_columns_find(tl_ctx *ctx, const tl_sheet *g, const tl_table_ask *ask,
                               tl_text_columns *out, bool *found)
{
    choice       k    = { .g = g, .text = { -1, -1 }, .label = -1 };
    const char **room = NULL;
    tl_status    rc;

    *out   = (tl_text_columns){ 0 };
    *found = false;
    if (ask->task && !(k.task = tl_task_asked(&tl_task_text_classification, ask->task)))
        TL_FAIL(TL_EUSAGE, "--task", "\"%.40s\" is not known (classification, multi-label, "
                "ordinal or regression)", ask->task);
    TL_TRY(tl_alloc_array(ctx, (size_t)g->columns, sizeof *k.look, &k.look));
    TL_TRY(tl_alloc_array(ctx, LOOKS_AT, sizeof *room, &room));
    for (int64_t c = 0; c < g->columns; c++) k.look[c] = look_at(g, c, room);
    TL_TRY(ask->text || ask->label ? take_asked(ctx, ask, &k) : TL_OK);
    if (k.text[0] < 0) choose_by_name(&k);
    if (k.text[0] < 0) choose_by_look(&k);
    if (k.text[0] < 0) goto done;
    if (ask->target && k.label < 0) TL_TRY(take_asked(ctx, ask, &k));
    if (k.label < 0) choose_label(&k);
    if (k.label < 0 && ask->text)
        TL_FAIL(TL_EDATA, g->path, "has no column of classes beside \"%.80s\" (name it with "
                "--label)", g->name[k.text[0]]);
    if (k.label < 0 || is_text(&k, k.label)) goto done;
    TL_TRY(choose_task(ctx, &k));
    TL_TRY(take_names(ctx, &k, ask, out));
    *found = true;
done:
    tl_free(ctx, k.look);
    tl_free(ctx, room);
    return rc;
}

tl_status tl_text_columns_copy(tl_ctx *ctx, const tl_text_columns *from, tl_text_columns *out)
{
    tl_text_columns c = { 0 };
    tl_status       rc = TL_OK;

    *out = c;
    c.task = from->task;
    for (int i = 0; i < 2; i++)
        if (from->name[i]) TL_TRY(tl_strdup(ctx, from->name[i], &c.name[i]));
    if (from->label) TL_TRY(tl_strdup(ctx, from->label, &c.label));
    if (from->why) TL_TRY(tl_strdup(ctx, from->why, &c.why));
    *out = c;
    c    = (tl_text_columns){ 0 };
done:
    tl_text_columns_free(ctx, &c);
    return rc;
}

void tl_text_columns_free(tl_ctx *ctx, tl_text_columns *c)
{
    tl_free(ctx, c->name[0]);
    tl_free(ctx, c->name[1]);
    tl_free(ctx, c->label);
    tl_free(ctx, c->why);
    *c = (tl_text_columns){ 0 };
}

tl_status tl_text_columns_map(tl_ctx *ctx, const tl_text_columns *c, const tl_sheet *g,
                              int32_t text[2])
{
    for (int i = 0; i < 2; i++) {
        text[i] = c->name[i] ? (int32_t)tl_sheet_column(g, c->name[i]) : -1;
        if (c->name[i] && text[i] < 0)
            return tl_fail(ctx, TL_EDATA, g->path,
                           "has no column \"%.80s\", which the texts stand in elsewhere "
                           "(rename its column, or say --text)",
                           c->name[i]);
    }
    return TL_OK;
}
