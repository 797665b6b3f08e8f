/* tags.c -- texts whose words have a tag each: CoNLL's columns, a word a line and a blank line
 * between texts; or JSONL and Parquet with a list of words and a list of tags a row.
 * Source: Tjong Kim Sang and De Meulder 2003 (CoNLL-2003); Hugging Face datasets' conll2003.
 * Floor 2, data.  Fuzz target: tests/fuzz/tags.c. */
#include "core/json.h"
#include "core/text.h"
#include "data/delimited.h"
#include "data/texts/tagged.h"
#include "data/part.h"
#include "data/several.h"
#include "data/tokenizer/unicode.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { LEAST_LIMIT = 1 << 20, SNIFFED = 1 << 16, MOST_FIELDS = 64, FEW_LINES = 3 };

static const char *const token_names[] = { "tokens", "words", "token", NULL };
static const char *const tag_names[]   = { "ner_tags", "tags", "labels", "ner", "tag", "ner_tag",
                                           "pos_tags", "chunk_tags", "pos", NULL };

/* Words with their tags as they are found, a sheet of two columns in the end. */
typedef struct {
    const char *path;
    tl_text     cells;
    uint32_t   *cell, *line;
    uint8_t    *begins;
    int64_t     rows, room;
    bool        open;    /* the text that is being read has words already */
    tl_bad     *bad;
} words;

static tl_status more_rows(tl_ctx *ctx, words *w)
{
    const int64_t room = 2 * w->room + 1024;
    tl_status     rc;

    TL_TRY(tl_realloc(ctx, (size_t)room * 2 * sizeof *w->cell, &w->cell));
    TL_TRY(tl_realloc(ctx, (size_t)room * sizeof *w->line, &w->line));
    TL_TRY(tl_realloc(ctx, (size_t)room, &w->begins));
    w->room = room;
done:
    return rc;
}

static tl_status add_word(tl_ctx *ctx, words *w, tl_string word, tl_string tag, int64_t line)
{
    const tl_string both[2] = { word, tag };
    tl_status       rc      = TL_OK;

    if (w->rows == w->room) TL_TRY(more_rows(ctx, w));
    if (w->cells.bytes + word.bytes + tag.bytes > UINT32_MAX - 2)
        TL_FAIL(TL_ELIMIT, w->path, "over 4 GB of words (part the file)");
    for (int i = 0; i < 2; i++) {
        w->cell[2 * w->rows + i] = (uint32_t)w->cells.bytes;
        tl_text_add_bytes(&w->cells, both[i].text, both[i].bytes);
        tl_text_add_bytes(&w->cells, "", 1);
    }
    w->line[w->rows]   = (uint32_t)TL_MIN(line, (int64_t)UINT32_MAX);
    w->begins[w->rows] = !w->open;
    w->open            = true;
    w->rows++;
    rc = w->cells.status;
done:
    return rc;
}

static void words_free(tl_ctx *ctx, words *w)
{
    tl_text_free(&w->cells);
    tl_free(ctx, w->cell);
    tl_free(ctx, w->line);
    tl_free(ctx, w->begins);
}

static tl_status bad_line(tl_ctx *ctx, words *w, int64_t line, const char *kind)
{
    char place[400];

    snprintf(place, sizeof place, "%.300s:%" PRId64, w->path, line);
    return tl_bad_add(ctx, w->bad, place, kind);
}

/* One line of columns: between tabs where it has one, else between blanks. */
static int fields_of(const char *line, size_t bytes, tl_string field[MOST_FIELDS])
{
    const bool tabs = memchr(line, '\t', bytes) != NULL;
    const char *end = line + bytes;
    int         n   = 0;

    while (line < end && n < MOST_FIELDS) {
        const char *at = line;
        while (at < end && !(tabs ? *at == '\t' : *at == ' ')) at++;
        if (tabs || at > line) field[n++] = (tl_string){ line, (size_t)(at - line) };
        line = at + 1;
    }
    return n;
}

static bool is_tag(tl_string s)
{
    return (s.bytes == 1 && *s.text == 'O') ||
           (s.bytes > 2 && s.text[1] == '-' && strchr("BIESLU", *s.text));
}

static bool is_mark(tl_string s)
{
    return s.bytes == 10 && memcmp(s.text, "-DOCSTART-", 10) == 0;
}

/* The line without its end; *next begins the one behind it. */
static size_t line_bytes(const char *at, const char *end, const char **next)
{
    const char *stop = memchr(at, '\n', (size_t)(end - at));
    size_t      n    = (size_t)((stop ? stop : end) - at);

    *next = stop ? stop + 1 : end;
    while (n > 0 && (at[n - 1] == '\r' || at[n - 1] == ' ')) n--;
    return n;
}

/* Comments stand at the head of a text and have not its columns. */
static bool is_comment(const char *at, size_t bytes, int fields, int columns, bool open)
{
    return bytes > 0 && *at == '#' && !open && fields != columns;
}

/* Columns of words and tags with blank lines between, by what its beginning says: the last of
 * equally many fields is always a tag, and one of them begins an entity. */
static bool looks_tagged(const char *text, size_t bytes, bool whole)
{
    const char *end = text + bytes, *next;
    int64_t     lines = 0, spans = 0, blanks = 0;
    int         columns = 0;

    for (const char *at = text; at < end; at = next) {
        tl_string    field[MOST_FIELDS];
        const size_t n = line_bytes(at, end, &next);
        const int    f = fields_of(at, n, field);
        if (next == end && !whole) break; /* cut off */
        if (f == 0) {
            blanks++;
            continue;
        }
        if (is_mark(field[0]) || is_comment(at, n, f, columns ? columns : f, false)) continue;
        if (f < 2 || (columns && f != columns)) return false;
        columns = f;
        if (!is_tag(field[f - 1])) return false;
        spans += field[f - 1].bytes > 1;
        lines++;
    }
    return lines >= FEW_LINES && spans > 0 && (blanks > 0 || bytes < SNIFFED);
}

static bool named_so(const char *path, const char *const *ends)
{
    const char *name = tl_path_name(path), *dot = strrchr(name, '.');

    for (; dot && *ends; ends++)
        if (strcasecmp(dot, *ends) == 0) return true;
    return false;
}

static bool may_be_columns(const char *path)
{
    static const char *const ends[] = { ".conll", ".conllu", ".bio",  ".iob",   ".iob2",
                                        ".ner",   ".tsv",    ".txt",  ".train", ".testa",
                                        ".testb", ".dev",    ".test", ".bioes", NULL };

    return named_so(path, ends);
}

static tl_status sniff(tl_ctx *ctx, const char *path, char *data, size_t *bytes, bool *whole)
{
    tl_input *in = NULL;
    size_t    got = 1;
    tl_status rc;

    *bytes = 0;
    TL_TRY(tl_input_open(ctx, path, &in));
    while (got > 0 && *bytes < SNIFFED) {
        TL_TRY(tl_read_some(ctx, in, data + *bytes, SNIFFED - *bytes, &got));
        *bytes += got;
    }
    *whole = got == 0;
done:
    tl_input_close(ctx, in);
    return rc;
}

/* Which of the fields is meant: by its number from 1, else `fallback`. */
static tl_status field_asked(tl_ctx *ctx, const char *option, const char *asked, int columns,
                             int fallback, int *out)
{
    int64_t n;

    *out = fallback;
    if (!asked) return TL_OK;
    if (!tl_parse_int(asked, &n) || n < 1 || n > columns)
        return tl_fail(ctx, TL_EUSAGE, option,
                       "\"%.40s\" is none of the file's %d columns, which have no names (give a "
                       "number from 1)",
                       asked, columns);
    *out = (int)n - 1;
    return TL_OK;
}

static tl_status read_columns(tl_ctx *ctx, const tl_opening *o, size_t limit, words *w)
{
    const char *tag_asked = o->ask.label ? o->ask.label : o->ask.target, *next;
    char       *text      = NULL;
    size_t      bytes, bad;
    int64_t     line    = 1;
    int         columns = 0, word = 0, tag = 0;
    tl_string   field[MOST_FIELDS];
    tl_status   rc;

    TL_TRY(tl_whole_text(ctx, w->path, limit, &text, &bytes));
    if (tl_utf8_valid(text, bytes, &bad) < bytes)
        TL_FAIL(TL_EDATA, w->path, "is no UTF-8 (save it as UTF-8)");
    for (const char *at = text, *end = text + bytes; at < end; at = next, line++) {
        const size_t n = line_bytes(at, end, &next);
        const int    f = fields_of(at, n, field);
        if (f == 0 || is_mark(field[0])) {
            w->open = false;
            continue;
        }
        if (is_comment(at, n, f, columns ? columns : -1, w->open)) continue;
        if (!columns) {
            columns = f;
            TL_TRY(field_asked(ctx, "--text", o->ask.text, f, 0, &word));
            TL_TRY(field_asked(ctx, "--label", tag_asked, f, f - 1, &tag));
        }
        if (f != columns || f < 2) TL_TRY(bad_line(ctx, w, line, "another number of columns"));
        else if (!field[word].bytes || !field[tag].bytes)
            TL_TRY(bad_line(ctx, w, line, "no word or no tag"));
        else TL_TRY(add_word(ctx, w, field[word], field[tag], line));
    }
done:
    tl_free(ctx, text);
    return rc;
}

static int64_t find_column(const tl_sheet *g, const char *asked, const char *const *names)
{
    if (asked) return tl_sheet_column(g, asked);
    for (; *names; names++)
        for (int64_t c = 0; c < g->columns; c++)
            if (strcasecmp(g->name[c], *names) == 0) return c;
    return -1;
}

static json_t *list_of(const tl_sheet *g, int64_t row, int64_t column)
{
    json_t *list = json_loads(tl_sheet_cell(g, row, column), 0, NULL);

    if (json_is_array(list)) return list;
    json_decref(list);
    return NULL;
}

static bool are_lists(const tl_sheet *g, int64_t column)
{
    for (int64_t r = 0; r < TL_MIN(g->rows, (int64_t)FEW_LINES); r++) {
        json_t    *list = list_of(g, r, column);
        const bool yes  = list != NULL;
        json_decref(list);
        if (!yes) return false;
    }
    return g->rows > 0;
}

/* A tag is a text, or the number of one that nobody named. */
static tl_string tag_text(const json_t *tag, char room[32])
{
    if (json_is_string(tag))
        return (tl_string){ json_string_value(tag), json_string_length(tag) };
    if (!json_is_integer(tag)) return (tl_string){ NULL, 0 };
    return (tl_string){ room, (size_t)snprintf(room, 32, "%" JSON_INTEGER_FORMAT,
                                               json_integer_value(tag)) };
}

static const char *list_fault(const json_t *tokens, const json_t *tags)
{
    char   room[32];
    size_t i;
    json_t *one;

    if (!tokens || !tags) return "no list of words or of tags";
    if (json_array_size(tokens) != json_array_size(tags)) return "words and tags are not as many";
    json_array_foreach(tokens, i, one)
        if (!json_is_string(one) || !json_string_length(one) ||
            strlen(json_string_value(one)) != json_string_length(one))
            return "a word that is no text";
    json_array_foreach(tags, i, one)
        if (!tag_text(one, room).bytes) return "a tag that is no text";
    return NULL;
}

static tl_status read_lists(tl_ctx *ctx, const tl_sheet *g, int64_t tokens, int64_t tags, words *w)
{
    tl_status rc = TL_OK;

    for (int64_t r = 0; r < g->rows && rc == TL_OK; r++) {
        json_t     *word = list_of(g, r, tokens), *tag = list_of(g, r, tags);
        const char *fault = list_fault(word, tag);
        w->open = false;
        if (fault) rc = bad_line(ctx, w, g->line[r], fault);
        for (size_t i = 0; !fault && i < json_array_size(word) && rc == TL_OK; i++) {
            const json_t   *one = json_array_get(word, i);
            const tl_string s   = { json_string_value(one), json_string_length(one) };
            char            room[32];
            rc = add_word(ctx, w, s, tag_text(json_array_get(tag, i), room), g->line[r]);
        }
        json_decref(word);
        json_decref(tag);
    }
    return rc;
}

/* The words become the sheet of a part. */
static tl_status take_words(tl_ctx *ctx, words *w, const char *path, tl_split split,
                            tl_opening *o)
{
    static const char *const names[] = { "word", "tag" };
    tl_part                 *p;
    tl_status                rc;

    if (split == TL_SPLIT_NONE) split = tl_split_of_name(tl_path_name(path));
    if (w->rows == 0 && o->bad.rows == 0)
        TL_FAIL(TL_EDATA, path, "holds no words (is it empty?)");
    TL_TRY(tl_part_add(ctx, o, "tags", path, split, &p));
    p->texts = true;
    tl_sheet *g = &p->sheet;
    TL_TRY(tl_strdup(ctx, path, &g->path));
    TL_TRY(tl_alloc_array(ctx, TL_COUNT(names), sizeof *g->name, &g->name));
    for (size_t i = 0; i < TL_COUNT(names); i++, g->columns++)
        TL_TRY(tl_strdup(ctx, names[i], &g->name[i]));
    g->header    = true;
    g->text      = w->cells.text;
    g->cell      = w->cell;
    g->line      = w->line;
    g->rows      = w->rows;
    g->room      = w->room;
    p->begins    = w->begins;
    p->rows      = w->rows;
    p->one_size  = true;
    p->text[0]   = 0;
    p->text[1]   = -1;
    *w           = (words){ 0 };
    TL_TRY(tl_alloc_array(ctx, 1, sizeof *p->targets, &p->targets));
    p->targets[0] = 1;
    p->n_targets  = 1;
    if (p->rows > 0) TL_TRY(tl_part_take_targets(ctx, o->text.task, NULL, p));
done:
    return rc;
}

/* The first file says what they all are. */
static tl_status take_columns(tl_ctx *ctx, tl_opening *o, const char *tokens, const char *tags,
                              const char *why)
{
    tl_status rc = TL_OK;

    if (o->text.name[0]) return TL_OK;
    o->text.task = &tl_task_token_classification;
    TL_TRY(tl_strdup(ctx, tokens, &o->text.name[0]));
    TL_TRY(tl_strdup(ctx, tags, &o->text.label));
    TL_TRY(tl_strdup(ctx, why, &o->text.why));
done:
    return rc;
}

static tl_status open_sheet(tl_ctx *ctx, const char *path, tl_split split, tl_opening *o,
                            bool *mine)
{
    const size_t limit = TL_MAX(o->limit_bytes, (size_t)LEAST_LIMIT);
    const char  *label = o->ask.label ? o->ask.label : o->ask.target;
    const bool   known = o->text.name[0] != NULL;
    words        w     = { .path = path, .cells = tl_text_make(ctx), .bad = &o->bad };
    tl_bad       bad   = { 0 };
    tl_sheet     g     = { 0 };
    int64_t      tokens, tags;
    tl_status    rc;

    rc = tl_sheet_read(ctx, path, limit, NULL, &bad, &g);
    if (rc == TL_EDATA && !known) { /* another format says what is wrong */
        rc = TL_OK;
        goto done;
    }
    TL_TRY(rc);
    tokens = find_column(&g, o->ask.text ? o->ask.text : known ? o->text.name[0] : NULL,
                         token_names);
    tags   = find_column(&g, label ? label : known ? o->text.label : NULL, tag_names);
    if (known && (tokens < 0 || tags < 0)) {
        tokens = find_column(&g, NULL, token_names);
        tags   = find_column(&g, NULL, tag_names);
    }
    if (tokens < 0 || tags < 0 || tokens == tags || !are_lists(&g, tokens) ||
        !are_lists(&g, tags))
        goto done;
    *mine = true;
    tl_bad_join(&o->bad, &bad);
    TL_TRY(take_columns(ctx, o, g.name[tokens], g.name[tags], "lists of words and of tags"));
    TL_TRY(read_lists(ctx, &g, tokens, tags, &w));
    TL_TRY(take_words(ctx, &w, path, split, o));
done:
    tl_bad_free(&bad);
    tl_sheet_free(ctx, &g);
    words_free(ctx, &w);
    return rc;
}

/* May a JSONL or Parquet hold such lists?  Its first or last bytes name its columns: what cannot
 * is not read whole for nothing. */
static tl_status names_lists(tl_ctx *ctx, const char *path, const tl_opening *o, bool *yes)
{
    tl_map    map = { 0 };
    tl_status rc;

    *yes = false;
    TL_TRY(tl_map_open(ctx, path, &map));
    const size_t n    = TL_MIN(map.bytes, (size_t)SNIFFED);
    const char  *ends = (const char *)map.data;
    *yes = o->ask.text && o->ask.label;
    for (size_t i = 0; token_names[i] && n > 0; i++) {
        const size_t bytes = strlen(token_names[i]);
        *yes = *yes || memmem(ends, n, token_names[i], bytes) ||
               memmem(ends + map.bytes - n, n, token_names[i], bytes);
    }
done:
    tl_map_close(ctx, &map);
    return rc;
}

static tl_status open_columns(tl_ctx *ctx, const char *path, tl_split split, tl_opening *o,
                              bool *mine)
{
    const size_t limit = TL_MAX(o->limit_bytes, (size_t)LEAST_LIMIT);
    words        w     = { .path = path, .cells = tl_text_make(ctx), .bad = &o->bad };
    char        *data  = NULL;
    size_t       bytes;
    bool         whole;
    tl_status    rc;

    TL_TRY(tl_alloc(ctx, SNIFFED, &data));
    TL_TRY(sniff(ctx, path, data, &bytes, &whole));
    const bool named = o->text.task && o->text.task->tags;
    static const char *const sure[] = { ".conll", ".bio", ".iob", ".iob2", ".bioes", NULL };
    if (!named && !named_so(path, sure) && !looks_tagged(data, bytes, whole)) goto done;
    *mine = true;
    TL_TRY(take_columns(ctx, o, "word", "tag", "a word and its tag a line"));
    TL_TRY(read_columns(ctx, o, limit, &w));
    TL_TRY(take_words(ctx, &w, path, split, o));
done:
    tl_free(ctx, data);
    words_free(ctx, &w);
    return rc;
}

static tl_status open_file(tl_ctx *ctx, const char *path, tl_split split, tl_opening *o,
                           bool *mine)
{
    static const char *const lists[] = { ".jsonl", ".ndjson", ".parquet", NULL };
    bool                     may     = false;
    tl_status                rc      = TL_OK;

    if (o->schema || (o->text.name[0] && (!o->text.task || !o->text.task->tags))) return TL_OK;
    if (may_be_columns(path)) return open_columns(ctx, path, split, o, mine);
    if (!named_so(path, lists)) return TL_OK;
    TL_TRY(names_lists(ctx, path, o, &may));
    if (may) rc = open_sheet(ctx, path, split, o, mine);
done:
    return rc;
}

/* A folder whose files are called train, valid, test. */
static tl_status open_folder(tl_ctx *ctx, const char *path, tl_split split, tl_opening *o,
                             bool *mine)
{
    static const tl_split order[] = { TL_SPLIT_TRAIN, TL_SPLIT_VALID, TL_SPLIT_TEST };
    tl_names              names   = { 0 };
    char                 *file    = NULL;
    tl_status             rc;

    TL_TRY(tl_folder_list(ctx, path, &names));
    for (size_t k = 0; k < TL_COUNT(order); k++)
        for (size_t i = 0; i < names.count; i++) {
            bool one = false;
            if (tl_split_of_name(names.name[i]) != order[k]) continue;
            tl_free(ctx, file);
            TL_TRY(tl_path_join(ctx, path, names.name[i], &file));
            if (tl_is_folder(file)) continue;
            TL_TRY(open_file(ctx, file, split == TL_SPLIT_NONE ? order[k] : split, o, &one));
            if (!one && !*mine) goto done; /* the first file says what they are */
            *mine = true;
        }
done:
    tl_free(ctx, file);
    tl_names_free(ctx, &names);
    return rc;
}

static tl_status open_tags(tl_ctx *ctx, const char *path, tl_split split, tl_opening *o,
                           bool *mine)
{
    if (tl_is_folder(path)) return open_folder(ctx, path, split, o, mine);
    return tl_exists(path) ? open_file(ctx, path, split, o, mine) : TL_OK;
}

const tl_data_format tl_data_format_tags = {
    .name   = "tags",
    .doc    = "a word and its tag a line (CoNLL), or a JSONL or Parquet with lists of both",
    .source = "Tjong Kim Sang and De Meulder 2003",
    .open   = open_tags,
};
