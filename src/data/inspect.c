/* inspect.c -- counting a dataset and saying what stands out.  Floor 2, data. */
#include "data/inspect.h"
#include "core/text.h"
#include "data/hold.h"
#include "data/near.h"
#include "data/workers.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    LISTED        = 10,
    TINY_CLASS    = 10,
    SMALL_TEST    = 500,
    MOST_RATIO    = 10,
    COLOUR_SAMPLE = 64
};

typedef struct {
    int64_t part[TL_SPLITS];
} class_count; /* rows by tl_split */

/* Rows that are (nearly) the same as another, and those of them that stand in two parts. */
typedef struct {
    bool    known;
    int64_t rows, groups, conflicting, leak[TL_SPLITS][TL_SPLITS];
    json_t *first, *leaked;
} pairs;

typedef struct {
    const tl_dataset *d;
    class_count      *count; /* [classes]         */
    int64_t           part[TL_SPLITS];
    int64_t          *height, *width; /* [rows]     */
    uint8_t          *coloured;       /* [rows]     */
    int64_t          *group;          /* [rows]; NULL: pictures are damaged */
    pairs             copy, near;     /* equal rows; nearly equal ones      */
    json_t           *problems, *warnings, *notes;
} survey;

/* File and class names need not be UTF-8; JSON must. */
static json_t *text_of(const char *name)
{
    return tl_json_name(name);
}

static void say(json_t *list, const char *level, const char *todo, const char *format,
                ...) __attribute__((format(printf, 4, 5)));

static void say(json_t *list, const char *level, const char *todo, const char *format,
                ...)
{
    char    text[700];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    json_array_append_new(list, json_pack("{s:s, s:o, s:s}", "level", level, "text",
                                          text_of(text), "todo", todo));
}

static void count_rows(survey *s)
{
    const tl_dataset *d = s->d;

    for (int64_t i = 0; i < d->rows; i++) {
        s->part[d->split[i]]++;
        for (int64_t c = 0; d->mark && c < d->classes; c++)
            s->count[c].part[d->split[i]] += d->mark[i * d->classes + c];
        if (!d->mark) s->count[d->label[i]].part[d->split[i]]++;
    }
}

static int64_t trained(const int64_t *part)
{
    return part[TL_SPLIT_TRAIN] + part[TL_SPLIT_NONE];
}

static int64_t total(const int64_t *part)
{
    return trained(part) + part[TL_SPLIT_VALID] + part[TL_SPLIT_TEST];
}

static tl_status measure(tl_ctx *ctx, void *arg, int64_t i)
{
    survey   *s = arg;
    tl_image  size;
    tl_status rc = TL_OK;

    if (!tl_hold_pixels(s->d, i, &size))
        rc = tl_image_peek(ctx, s->d->row_name[i], &size);
    if (rc != TL_OK) return rc;
    s->height[i] = size.height;
    s->width[i]  = size.width;
    return TL_OK;
}

/* Does a sampled picture have a pixel that is not grey? */
static tl_status look_for_colour(tl_ctx *ctx, void *arg, int64_t k)
{
    survey       *s = arg;
    const int64_t i = k * s->d->rows / TL_MIN(s->d->rows, COLOUR_SAMPLE);
    tl_image      image;
    tl_status     rc = s->d->read(ctx, s->d, i, 3, &image);

    if (rc == TL_EDATA) return TL_OK; /* found and told elsewhere */
    if (rc != TL_OK) return rc;
    for (int64_t p = 0; p < image.height * image.width && !s->coloured[i]; p++) {
        const uint8_t *v = image.data + 3 * p;
        s->coloured[i]   = abs(v[0] - v[1]) > 8 || abs(v[1] - v[2]) > 8;
    }
    tl_image_free(ctx, &image);
    return TL_OK;
}

static int by_number(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return x < y ? -1 : x > y;
}

static json_t *spread(int64_t *values, int64_t n)
{
    qsort(values, (size_t)n, sizeof *values, by_number);
    return json_pack("{s:I, s:I, s:I}", "min", (json_int_t)values[0], "median",
                     (json_int_t)values[n / 2], "max", (json_int_t)values[n - 1]);
}

static json_t *name_of(tl_ctx *ctx, const tl_dataset *d, int64_t i)
{
    char   *name = NULL;
    json_t *text;

    tl_dataset_row_name(ctx, d, i, &name);
    text = text_of(name ? name : "?");
    tl_free(ctx, name);
    return text;
}

/* Row i is like row g: counted and, among the first, named. */
static void note_pair(tl_ctx *ctx, const tl_dataset *d, pairs *p, int64_t g, int64_t i)
{
    const int a = d->split[g], b = d->split[i];
    const int low  = a == TL_SPLIT_NONE ? TL_SPLIT_TRAIN : a,
              high = b == TL_SPLIT_NONE ? TL_SPLIT_TRAIN : b;

    p->rows++;
    if (json_array_size(p->first) < LISTED)
        json_array_append_new(
            p->first, json_pack("[o, o]", name_of(ctx, d, g), name_of(ctx, d, i)));
    if (low == high) return;
    p->leak[TL_MIN(low, high)][TL_MAX(low, high)]++;
    if (json_array_size(p->leaked) < LISTED)
        json_array_append_new(
            p->leaked, json_pack("[o, o]", name_of(ctx, d, g), name_of(ctx, d, i)));
}

/* Pairs (g, i) that share their g are one group. */
static tl_status note_near(tl_ctx *ctx, survey *s)
{
    const tl_dataset *d    = s->d;
    tl_near_pair     *pair = NULL;
    uint8_t          *mark = NULL; /* of a group's first row: 1 is one, 2 labels differ */
    int64_t           count;
    tl_status         rc;

    TL_TRY(tl_alloc(ctx, (size_t)d->rows, &mark));
    TL_TRY(tl_dataset_near(ctx, d, &s->near.known, &pair, &count));
    for (int64_t k = 0; k < count; k++) {
        mark[pair[k].a] |= d->label[pair[k].a] == d->label[pair[k].b] ? 1 : 3;
        note_pair(ctx, d, &s->near, pair[k].a, pair[k].b);
    }
    for (int64_t i = 0; i < d->rows; i++) {
        s->near.groups += mark[i] & 1;
        s->near.conflicting += mark[i] >> 1;
    }
done:
    tl_free(ctx, pair);
    tl_free(ctx, mark);
    return rc;
}

static bool same_labels(const tl_dataset *d, int64_t a, int64_t b)
{
    if (d->mark)
        return memcmp(d->mark + a * d->classes, d->mark + b * d->classes,
                      (size_t)d->classes) == 0;
    return d->label[a] == d->label[b];
}

static tl_status find_copies(tl_ctx *ctx, survey *s)
{
    const tl_dataset *d = s->d;
    uint8_t  *mark = NULL; /* of a group's first row: 1 has copies, 2 labels differ */
    tl_status rc;

    TL_TRY(tl_alloc(ctx, (size_t)d->rows, &mark));
    TL_TRY(tl_alloc_array(ctx, (size_t)d->rows, sizeof *s->group, &s->group));
    rc = tl_dataset_duplicates(ctx, d, s->group);
    if (rc == TL_EDATA) {
        say(s->problems, "problem", "mend or remove them, or run with --skip-bad", "%s",
            ctx->message);
        tl_free(ctx, s->group);
        s->group = NULL;
        rc       = TL_OK;
        goto done;
    }
    TL_TRY(rc);
    for (int64_t i = 0; i < d->rows; i++) {
        const int64_t g = s->group[i];
        if (g == i) continue;
        mark[g] |= same_labels(d, g, i) ? 1 : 3;
        note_pair(ctx, d, &s->copy, g, i);
    }
    for (int64_t i = 0; i < d->rows; i++) {
        s->copy.groups += mark[i] & 1;
        s->copy.conflicting += mark[i] >> 1;
    }
    s->copy.known = true;
    TL_TRY(note_near(ctx, s));
done:
    tl_free(ctx, mark);
    return rc;
}

static void judge_copies(survey *s)
{
    const int64_t test  = s->copy.leak[TL_SPLIT_TRAIN][TL_SPLIT_TEST],
                  valid = s->copy.leak[TL_SPLIT_TRAIN][TL_SPLIT_VALID] +
                          s->copy.leak[TL_SPLIT_VALID][TL_SPLIT_TEST];

    if (test)
        say(s->problems, "problem",
            "remove them from the training part: with them the test score is "
            "too high",
            "%" PRId64 " test %s of training rows", test,
            tl_plural(test, "row is an exact copy", "rows are exact copies"));
    if (s->copy.conflicting)
        say(s->problems, "problem", "look at them and keep the right label",
            "%" PRId64 " %s with more than one label", s->copy.conflicting,
            tl_plural(s->copy.conflicting, "picture occurs", "pictures occur"));
    if (valid)
        say(s->warnings, "warning",
            "remove them from one side: what is chosen on them is chosen too "
            "well",
            "%" PRId64 " validation %s in the training or test part", valid,
            tl_plural(valid, "row also occurs", "rows also occur"));
    if (s->copy.rows)
        say(s->notes, "note",
            "nothing must be done: copies are kept on one side of every split; "
            "without them the counts would be honest",
            "%" PRId64 " %s (%" PRId64 " %s more than once)", s->copy.rows,
            tl_plural(s->copy.rows, "row is an exact copy of another",
                      "rows are exact copies of others"),
            s->copy.groups, tl_plural(s->copy.groups, "picture occurs", "pictures occur"));
}

static void judge_near(survey *s)
{
    const pairs   *p    = &s->near;
    const int64_t  test = p->leak[TL_SPLIT_TRAIN][TL_SPLIT_TEST];

    if (test)
        say(s->warnings, "warning",
            "look at the first of them; take them out of the training part if they are the same "
            "thing: with them the test score is too high",
            "%" PRId64 " test %s nearly the same as training rows", test,
            tl_plural(test, "row is", "rows are"));
    if (p->conflicting)
        say(s->warnings, "warning", "look at them and keep the right label",
            "%" PRId64 " %s of nearly equal rows with more than one label", p->conflicting,
            tl_plural(p->conflicting, "group", "groups"));
    if (p->rows)
        say(s->notes, "note",
            "if they are the same thing, give them one value of a column and name it with "
            "--group, or take them out",
            "%" PRId64 " %s nearly the same as another", p->rows,
            tl_plural(p->rows, "row is", "rows are"));
}

static void judge_classes(survey *s, int64_t largest, int64_t smallest)
{
    const tl_dataset *d    = s->d;
    const int64_t     most = total(s->count[largest].part),
                  least    = total(s->count[smallest].part);
    int64_t tiny = 0, untested = 0, first_tiny = -1, first_untested = -1;

    if (d->classes < 2 && !d->target)
        say(s->problems, "problem", "add rows of a second class",
            "all rows are of one class");
    for (int64_t c = 0; c < d->classes; c++) {
        if (trained(s->count[c].part) < TINY_CLASS && tiny++ == 0) first_tiny = c;
        if (s->part[TL_SPLIT_TEST] && !s->count[c].part[TL_SPLIT_TEST] && untested++ == 0)
            first_untested = c;
    }
    if (d->target) return;
    if (tiny)
        say(s->warnings, "warning",
            "add rows to them, or leave the classes out: what is learned from so "
            "few is mostly luck",
            "%" PRId64 " %s fewer than %d training rows (\"%.80s\" has %" PRId64 ")",
            tiny, tl_plural(tiny, "class has", "classes have"), TINY_CLASS,
            d->class_name[first_tiny], trained(s->count[first_tiny].part));
    if (untested)
        say(s->warnings, "warning",
            "add test rows of them: how well they are told apart stays unknown",
            "%" PRId64 " %s no test row (\"%.80s\")", untested,
            tl_plural(untested, "class has", "classes have"),
            d->class_name[first_untested]);
    if (most >= MOST_RATIO * least)
        say(s->warnings, "warning",
            "judge by macro-F1 rather than accuracy (the default where the rarest "
            "class is under 10 %); add rows of the rare ones",
            "\"%.80s\" has %" PRId64 " rows, \"%.80s\" only %" PRId64,
            d->class_name[largest], most, d->class_name[smallest], least);
}

static void judge_parts(survey *s)
{
    const int64_t test = s->part[TL_SPLIT_TEST];

    if (!test)
        say(s->notes, "note",
            "give a test set by --test, a test/ folder or a t10k- or test file to decide "
            "yourself",
            "there is no test part: rows are kept aside for it by the seed; few rows "
            "are each tested once, in folds");
    else if (test < SMALL_TEST)
        say(s->notes, "note", "expect wide intervals, or add test rows",
            "the test part has %" PRId64 " %s: an accuracy of 0.9 is known to about %.0f "
            "points",
            test, tl_plural(test, "row", "rows"), 100.0 * 1.96 * 0.3 / sqrt((double)test));
}

static json_t *classes_json(const survey *s)
{
    json_t *list = json_array();

    for (int64_t c = 0; c < s->d->classes; c++) {
        const int64_t *part = s->count[c].part;
        json_array_append_new(list, json_pack("{s:o, s:I, s:I, s:I, s:I}", "name",
                                              text_of(s->d->class_name[c]), "rows",
                                              (json_int_t)total(part), "train",
                                              (json_int_t)trained(part), "valid",
                                              (json_int_t)part[TL_SPLIT_VALID], "test",
                                              (json_int_t)part[TL_SPLIT_TEST]));
    }
    return list;
}

static json_t *balance_json(survey *s)
{
    int64_t largest = 0, smallest = 0;

    for (int64_t c = 1; c < s->d->classes; c++) {
        if (total(s->count[c].part) > total(s->count[largest].part)) largest = c;
        if (total(s->count[c].part) < total(s->count[smallest].part)) smallest = c;
    }
    judge_classes(s, largest, smallest);
    const int64_t most  = total(s->count[largest].part),
                  least = total(s->count[smallest].part);
    return json_pack("{s:o, s:I, s:o, s:I, s:o}", "largest",
                     text_of(s->d->class_name[largest]), "largest_rows", (json_int_t)most,
                     "smallest", text_of(s->d->class_name[smallest]), "smallest_rows",
                     (json_int_t)least, "ratio",
                     tl_json_real(least ? (double)most / (double)least : (double)NAN));
}

static json_t *sizes_json(survey *s)
{
    const tl_dataset *d      = s->d;
    bool              colour = false;
    json_t           *height, *width;

    for (int64_t i = 0; i < d->rows; i++) colour = colour || s->coloured[i];
    if (!colour && d->channels == 3)
        say(s->notes, "note",
            "nothing must be done; a network for grey pictures would be a little faster",
            "the pictures are stored in colour, but are grey");
    height = spread(s->height, d->rows);
    width  = spread(s->width, d->rows);
    if (!d->one_size && s->width[d->rows - 1] > 4 * s->width[0])
        say(s->notes, "note", "make sure that the small ones still show what matters",
            "the widths go from %" PRId64 " to %" PRId64
            " pixels; all are resized to one size",
            s->width[0], s->width[d->rows - 1]);
    return json_pack("{s:o, s:o, s:b, s:s}", "height", height, "width", width, "one_size",
                     d->one_size, "colour",
                     d->channels == 1 ? "grey"
                     : colour         ? "colour"
                                      : "grey stored as colour");
}

static void judge_columns(survey *s)
{
    const tl_schema *schema = s->d->schema;

    for (int64_t i = 0; i < schema->columns; i++) {
        const tl_column *c = &schema->column[i];
        if (s->d->group_column && strcmp(c->name, s->d->group_column) == 0) continue;
        if (c->kind == TL_COLUMN_LEFT_OUT)
            say(s->warnings, "warning",
                "right if it says nothing of the target; else make its values numbers, dates "
                "or few categories",
                "column \"%.80s\" is left out: %s", c->name, c->why);
        else if (2 * c->missing > s->d->rows)
            say(s->warnings, "warning", "leave it out if it says little",
                "column \"%.80s\" is missing in %" PRId64 " of %" PRId64 " rows", c->name,
                c->missing, s->d->rows);
    }
}

static int64_t words_of(tl_string text)
{
    int64_t words = 0;
    bool    in    = false;

    for (size_t i = 0; i < text.bytes; i++) {
        const bool blank = strchr(" \t\r\n", text.text[i]) != NULL;
        words += !blank && !in;
        in = !blank;
    }
    return words;
}

/* Characters stand for the height of a text, words for its width. */
static void measure_texts(survey *s)
{
    const tl_tags *tags = s->d->tags; /* words and the blanks between them make a text */
    tl_string      text[2];

    for (int64_t i = 0; i < s->d->rows; i++) {
        const int64_t to = tags ? tags->text[i] : i;
        tl_dataset_text(s->d, i, text);
        for (int k = 0; k < 2; k++) {
            for (size_t b = 0; b < text[k].bytes; b++)
                s->height[to] += ((uint8_t)text[k].text[b] & 0xc0) != 0x80;
            if (!tags) s->width[to] += words_of(text[k]);
        }
        if (!tags) continue;
        s->height[to] += i > tags->first[to];
        s->width[to]++;
    }
}

static json_t *texts_json(survey *s)
{
    const tl_text_columns *t     = s->d->text;
    const int64_t          rows  = s->d->tags ? s->d->tags->texts : s->d->rows;
    json_t                *chars = spread(s->height, rows), *words = spread(s->width, rows);

    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "text", text_of(t->name[0]), "text_b",
                     t->name[1] ? text_of(t->name[1]) : json_null(), "label",
                     t->label ? text_of(t->label) : json_null(), "found",
                     t->why ? text_of(t->why) : json_null(), "characters", chars, "words", words);
}

static json_t *target_json(const tl_dataset *d)
{
    json_t *target = json_pack("{s:o, s:o}", "name", text_of(d->schema->target), "found",
                               d->schema->target_why ? text_of(d->schema->target_why)
                                                     : json_null());
    double  low = INFINITY, high = -INFINITY, mean = 0.0, square = 0.0;

    if (!d->target) return target;
    for (int64_t i = 0; i < d->rows; i++) {
        low  = fmin(low, d->target[i]);
        high = fmax(high, d->target[i]);
        mean += d->target[i] / (double)d->rows;
    }
    for (int64_t i = 0; i < d->rows; i++)
        square += (d->target[i] - mean) * (d->target[i] - mean) / (double)d->rows;
    json_object_set_new(target, "min", tl_json_real(low));
    json_object_set_new(target, "mean", tl_json_real(mean));
    json_object_set_new(target, "max", tl_json_real(high));
    json_object_set_new(target, "sd", tl_json_real(sqrt(square)));
    return target;
}

static json_t *copies_json(const pairs *p)
{
    if (!p->known) return json_null();
    return json_pack("{s:I, s:I, s:I, s:O}", "rows", (json_int_t)p->rows, "groups",
                     (json_int_t)p->groups, "conflicting", (json_int_t)p->conflicting,
                     "first", p->first);
}

static json_t *leaks_json(const pairs *p)
{
    if (!p->known) return json_null();
    return json_pack("{s:I, s:I, s:I, s:O}", "train_test",
                     (json_int_t)p->leak[TL_SPLIT_TRAIN][TL_SPLIT_TEST], "train_valid",
                     (json_int_t)p->leak[TL_SPLIT_TRAIN][TL_SPLIT_VALID], "valid_test",
                     (json_int_t)p->leak[TL_SPLIT_VALID][TL_SPLIT_TEST], "first", p->leaked);
}

static json_t *assemble(survey *s)
{
    const tl_dataset *d   = s->d;
    json_t           *out = json_object(), *found;

    if (d->bad_rows)
        say(s->problems, "problem",
            "mend or remove them; --skip-bad leaves them out",
            "%" PRId64 " %s cannot be used", d->bad_rows,
            tl_plural(d->bad_rows, "file", "files"));
    judge_copies(s);
    judge_near(s);
    if (d->schema) judge_columns(s);
    json_object_set_new(out, "task", json_string(d->task->name));
    json_object_set_new(out, "path", text_of(d->path));
    json_object_set_new(out, "format", json_string(d->format));
    json_object_set_new(out, "rows", json_integer(d->rows));
    json_object_set_new(out, "parts",
                        json_pack("{s:I, s:I, s:I, s:I}", "train",
                                  (json_int_t)s->part[TL_SPLIT_TRAIN], "valid",
                                  (json_int_t)s->part[TL_SPLIT_VALID], "test",
                                  (json_int_t)s->part[TL_SPLIT_TEST], "not_said",
                                  (json_int_t)s->part[TL_SPLIT_NONE]));
    json_object_set_new(out, "classes", classes_json(s));
    json_object_set_new(out, "balance", balance_json(s));
    json_object_set_new(out, "sizes", d->schema || d->text ? json_null() : sizes_json(s));
    json_object_set_new(out, "texts", d->text ? texts_json(s) : json_null());
    json_object_set_new(out, "columns", d->schema ? tl_schema_profile(d->schema) : json_null());
    json_object_set_new(out, "target", d->schema ? target_json(d) : json_null());
    json_object_set_new(
        out, "unreadable",
        json_pack("{s:I, s:O}", "rows", (json_int_t)d->bad_rows, "first", d->bad));
    json_object_set_new(out, "duplicates", copies_json(&s->copy));
    json_object_set_new(out, "leaks", leaks_json(&s->copy));
    json_object_set_new(out, "near_duplicates", copies_json(&s->near));
    json_object_set_new(out, "near_leaks", leaks_json(&s->near));
    judge_parts(s);
    found = json_array();
    json_array_extend(found, s->problems);
    json_array_extend(found, s->warnings);
    json_array_extend(found, s->notes);
    json_object_set_new(out, "labels", json_null());
    json_object_set_new(out, "shortcuts", json_null());
    json_object_set_new(out, "drift", json_null());
    json_object_set_new(out, "languages", json_null());
    json_object_set_new(out, "bases", json_null());
    json_object_set_new(out, "findings", found);
    return out;
}

tl_status tl_inspect(tl_ctx *ctx, const tl_dataset *d, json_t **out)
{
    const size_t rows = (size_t)d->rows;
    survey       s    = { .d        = d,
                          .copy     = { .first = json_array(), .leaked = json_array() },
                          .near     = { .first = json_array(), .leaked = json_array() },
                          .problems = json_array(),
                          .warnings = json_array(),
                          .notes    = json_array() };
    tl_status    rc;

    *out = NULL;
    TL_TRY(tl_alloc_array(ctx, (size_t)d->classes, sizeof *s.count, &s.count));
    TL_TRY(tl_alloc_array(ctx, rows, sizeof *s.height, &s.height));
    TL_TRY(tl_alloc_array(ctx, rows, sizeof *s.width, &s.width));
    TL_TRY(tl_alloc(ctx, rows, &s.coloured));
    count_rows(&s);
    if (d->text) measure_texts(&s);
    else if (!d->schema) TL_TRY(tl_each(ctx, d->rows, measure, &s));
    if (d->channels == 3)
        TL_TRY(tl_each(ctx, TL_MIN(d->rows, COLOUR_SAMPLE), look_for_colour, &s));
    TL_TRY(find_copies(ctx, &s));
    *out = assemble(&s);
done:
    json_decref(s.copy.first);
    json_decref(s.copy.leaked);
    json_decref(s.near.first);
    json_decref(s.near.leaked);
    json_decref(s.problems);
    json_decref(s.warnings);
    json_decref(s.notes);
    tl_free(ctx, s.count);
    tl_free(ctx, s.height);
    tl_free(ctx, s.width);
    tl_free(ctx, s.coloured);
    tl_free(ctx, s.group);
    return rc;
}
