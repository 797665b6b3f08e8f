/* attributes.c -- see attributes.h: which rows are looked at, and what stands in columns.
 * Floor 2, data. */
#include "data/attributes.h"
#include "core/rand.h"
#include "data/hold.h"
#include "data/tokenizer/vocab.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_ROWS = 5000, MOST_PICTURES = 2000, MOST_FACTS = 200 };

static int by_number(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return x < y ? -1 : x > y;
}

static int by_word(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

uint64_t tl_facts_hash(const char *text, size_t bytes)
{
    const uint64_t h = tl_bytes_hash(text, bytes);

    return h ? h : 1;
}

tl_status tl_facts_add(tl_ctx *ctx, tl_facts *f, const char *name, tl_fact_role role,
                       const char *todo, tl_fact **out)
{
    tl_fact  *fact;
    tl_status rc;

    *out = NULL;
    TL_TRY(tl_realloc(ctx, (size_t)(f->facts + 1) * sizeof *f->fact, &f->fact));
    fact = &f->fact[f->facts];
    *fact = (tl_fact){ .role = role, .todo = todo };
    snprintf(fact->name, sizeof fact->name, "%s", name);
    TL_TRY(tl_alloc_array(ctx, (size_t)f->rows.count, sizeof *fact->value, &fact->value));
    for (int64_t i = 0; i < f->rows.count; i++) fact->value[i] = (double)NAN;
    f->facts++;
    *out = fact;
done:
    return rc;
}

typedef struct {
    uint64_t word;
    int64_t  rows;
} counted;

static int commonest_first(const void *a, const void *b)
{
    const counted *x = a, *y = b;

    if (x->rows != y->rows) return x->rows > y->rows ? -1 : 1;
    return by_word(&x->word, &y->word);
}

static int counted_by_word(const void *a, const void *b)
{
    return by_word(&((const counted *)a)->word, &((const counted *)b)->word);
}

tl_status tl_facts_levels(tl_ctx *ctx, const uint64_t *word, int64_t rows, tl_fact *out)
{
    uint64_t *sorted = NULL;
    counted  *level  = NULL;
    int64_t   n = 0;
    tl_status rc;

    TL_TRY(tl_alloc_array(ctx, (size_t)rows, sizeof *sorted, &sorted));
    TL_TRY(tl_alloc_array(ctx, (size_t)rows, sizeof *level, &level));
    memcpy(sorted, word, (size_t)rows * sizeof *word);
    qsort(sorted, (size_t)rows, sizeof *sorted, by_word);
    for (int64_t i = 0; i < rows; i++) {
        if (n && level[n - 1].word == sorted[i]) level[n - 1].rows++;
        else if (sorted[i]) level[n++] = (counted){ sorted[i], 1 };
    }
    qsort(level, (size_t)n, sizeof *level, commonest_first);
    const int64_t known = TL_MIN(n, (int64_t)TL_MOST_LEVELS_SEEN - 1);
    for (int64_t k = 0; k < known; k++) level[k].rows = k;
    qsort(level, (size_t)known, sizeof *level, counted_by_word);
    out->category = true;
    out->levels   = n > known ? known + 1 : known;
    for (int64_t i = 0; i < rows; i++) {
        const counted want = { word[i], 0 };
        if (word[i] == 0) continue;
        const counted *at =
            bsearch(&want, level, (size_t)known, sizeof *level, counted_by_word);
        out->value[i] = (double)(at ? at->rows : known);
    }
done:
    tl_free(ctx, sorted);
    tl_free(ctx, level);
    return rc;
}

/* So many of each part, drawn; rows of one seed whatever else is asked. */
static tl_status draw_rows(tl_ctx *ctx, const tl_dataset *d, tl_rows *out)
{
    const int64_t most = d->schema || d->text ? MOST_ROWS : MOST_PICTURES;
    int64_t      *part = NULL, n;
    tl_status     rc;

    TL_TRY(tl_alloc_array(ctx, (size_t)d->rows, sizeof *part, &part));
    TL_TRY(tl_alloc_array(ctx, (size_t)d->rows, sizeof *out->row, &out->row));
    for (int split = 0; split < TL_SPLITS; split++) {
        n = 0;
        for (int64_t i = 0; i < d->rows; i++)
            if (d->split[i] == split) part[n++] = i;
        if (n > most)
            tl_rand_shuffle(1, TL_STREAM(TL_STREAM_SPLIT, 98 + (split << 8)), part, n);
        for (int64_t i = 0; i < TL_MIN(n, most); i++) out->row[out->count++] = part[i];
    }
    qsort(out->row, (size_t)out->count, sizeof *out->row, by_number);
done:
    tl_free(ctx, part);
    return rc;
}

/* The cell of a column of this name; NULL: the row has none. */
static const char *cell_of(const tl_dataset *d, int64_t i, const char *name)
{
    int64_t        local;
    const tl_part *part = tl_hold_part(d, i, &local);
    const int64_t  at   = tl_sheet_column(&part->sheet, name);
    const char    *text = at < 0 ? NULL : tl_sheet_cell(&part->sheet, local, at);

    return text && !tl_cell_missing(text) ? text : NULL;
}

static bool take_numbers(const tl_dataset *d, const tl_facts *f, const char *name, tl_fact *out)
{
    double date[TL_DATE_PARTS];

    for (int64_t i = 0; i < f->rows.count; i++) {
        const char *text = cell_of(d, f->rows.row[i], name);
        if (!text || tl_cell_number(text, &out->value[i])) continue;
        if (!tl_cell_date(text, false, date)) return false;
        out->value[i] = date[TL_DATE_DAYS];
    }
    return true;
}

static tl_status take_column(tl_ctx *ctx, const tl_dataset *d, tl_facts *f, const char *column,
                             tl_fact_role role)
{
    static const char *const todo[] = {
        [TL_FACT_INPUT] = "take the column out of the file if it is only known once the answer "
                          "is, or stands for a place in a list; else the task is this easy",
        [TL_FACT_UNSEEN] = "the model does not see this column, but may see what comes with it; "
                           "where it stands for a source (a person, a place, a day), keep its "
                           "values on one side with --group",
    };
    uint64_t *word = NULL;
    char      name[100];
    tl_fact  *fact;
    tl_status rc;

    snprintf(name, sizeof name, "the column \"%.80s\"", column);
    TL_TRY(tl_facts_add(ctx, f, name, role, todo[role], &fact));
    if (take_numbers(d, f, column, fact)) goto done;
    for (int64_t i = 0; i < f->rows.count; i++) fact->value[i] = (double)NAN;
    TL_TRY(tl_alloc_array(ctx, (size_t)f->rows.count, sizeof *word, &word));
    for (int64_t i = 0; i < f->rows.count; i++) {
        const char *text = cell_of(d, f->rows.row[i], column);
        if (text) word[i] = tl_facts_hash(text, strlen(text));
    }
    TL_TRY(tl_facts_levels(ctx, word, f->rows.count, fact));
done:
    tl_free(ctx, word);
    return rc;
}

/* Is the sheet's column one of those that are asked, or a text that is read? */
static bool is_asked(const tl_part *part, const tl_dataset *d, int64_t column)
{
    if (part->texts && (column == part->text[0] || column == part->text[1])) return true;
    for (int64_t k = 0; k < part->n_targets; k++)
        if (part->targets[k] == column) return true;
    return (d->text && d->text->label && strcmp(d->text->label, part->sheet.name[column]) == 0) ||
           (d->schema && d->schema->target &&
            strcmp(d->schema->target, part->sheet.name[column]) == 0);
}

static tl_fact_role role_of(const tl_dataset *d, const char *name)
{
    for (int64_t i = 0; d->schema && i < d->schema->columns; i++) {
        const tl_column *c = &d->schema->column[i];
        if (strcmp(c->name, name) == 0 && c->kind != TL_COLUMN_LEFT_OUT) return TL_FACT_INPUT;
    }
    return TL_FACT_UNSEEN;
}

static tl_status take_columns(tl_ctx *ctx, const tl_dataset *d, tl_facts *f)
{
    const tl_hold *h  = d->hold;
    tl_status      rc = TL_OK;

    if (!d->schema && !d->text) return TL_OK;
    for (int64_t c = 0; c < h->part[0].sheet.columns && f->facts < MOST_FACTS; c++) {
        const char *name = h->part[0].sheet.name[c];
        if (is_asked(&h->part[0], d, c)) continue;
        TL_TRY(take_column(ctx, d, f, name, role_of(d, name)));
    }
done:
    return rc;
}

tl_status tl_facts_take(tl_ctx *ctx, const tl_dataset *d, tl_facts *out)
{
    tl_status rc;

    *out = (tl_facts){ 0 };
    TL_TRY(draw_rows(ctx, d, &out->rows));
    if (d->text) TL_TRY(tl_facts_of_texts(ctx, d, out));
    else if (!d->schema) TL_TRY(tl_facts_of_pictures(ctx, d, out));
    TL_TRY(take_columns(ctx, d, out));
done:
    if (rc != TL_OK) tl_facts_free(ctx, out);
    return rc;
}

void tl_facts_free(tl_ctx *ctx, tl_facts *f)
{
    for (int64_t i = 0; i < f->facts; i++) tl_free(ctx, f->fact[i].value);
    tl_free(ctx, f->fact);
    tl_free(ctx, f->rows.row);
    tl_free(ctx, f->language);
    *f = (tl_facts){ 0 };
}
