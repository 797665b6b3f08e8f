/* text_classes.c -- one text file for each class, a text a line: a folder of them, as
 * rt-polarity.pos and rt-polarity.neg, or pos.txt and neg.txt.  What differs in the names is the
 * class.  Source: Pang and Lee 2005.  Floor 2, data. */
#include "data/delimited.h"
#include "data/part.h"

#include <stdio.h>
#include <string.h>

enum { LEAST_LIMIT = 1 << 20, MOST_FILES = 1000 };

static bool is_aside(const char *name)
{
    return strncasecmp(name, "readme", 6) == 0 || strncasecmp(name, "license", 7) == 0;
}

static const char *ending_of(const char *name)
{
    const char *dot = strrchr(name, '.');

    return dot && dot != name ? dot : "";
}

/* All .txt, the stem being the class; or all of one stem, the ending being it. */
static bool are_classes(const tl_names *names, bool *by_ending)
{
    const char *first = NULL;
    size_t      count = 0, txt = 0, stem = 0;

    for (size_t i = 0; i < names->count; i++) {
        const char *name = names->name[i], *end = ending_of(name);
        if (is_aside(name)) continue;
        if (!first) first = name;
        count++;
        txt += strcmp(end, ".txt") == 0 && tl_split_of_name(name) == TL_SPLIT_NONE;
        stem += *end && end - name == ending_of(first) - first &&
                strncmp(name, first, (size_t)(end - name)) == 0;
    }
    *by_ending = stem == count;
    return count >= 2 && count <= MOST_FILES && (txt == count || stem == count);
}

static void class_of(const char *name, bool by_ending, char out[256])
{
    const char *end = ending_of(name);

    if (by_ending) snprintf(out, 256, "%s", end + 1);
    else snprintf(out, 256, "%.*s", (int)TL_MIN(end - name, (ptrdiff_t)255), name);
}

/* Lines of the file as rows of a sheet of one column. */
static tl_status add_line(tl_ctx *ctx, tl_part *p, size_t at, uint32_t line, int32_t label)
{
    tl_sheet *g  = &p->sheet;
    tl_status rc = TL_OK;

    if (g->rows == g->room) {
        const int64_t room = 2 * g->room + 256;
        TL_TRY(tl_realloc(ctx, (size_t)room * sizeof *g->cell, &g->cell));
        TL_TRY(tl_realloc(ctx, (size_t)room * sizeof *g->line, &g->line));
        TL_TRY(tl_realloc(ctx, (size_t)room * sizeof *p->label, &p->label));
        g->room = room;
    }
    g->cell[g->rows]  = (uint32_t)at;
    g->line[g->rows]  = line;
    p->label[g->rows] = label;
    g->rows++;
    p->rows = g->rows;
done:
    return rc;
}

static tl_status read_class(tl_ctx *ctx, const char *path, const char *name, tl_split split,
                            size_t limit, tl_opening *o)
{
    tl_part  *p;
    size_t    bytes;
    int32_t   label;
    uint32_t  line = 1;
    tl_status rc;

    TL_TRY(tl_part_add(ctx, o, "text", path, split, &p));
    p->texts    = true;
    p->text[1]  = -1;
    p->one_size = true;
    TL_TRY(tl_whole_text(ctx, path, TL_MIN(limit, (size_t)UINT32_MAX), &p->sheet.text, &bytes));
    TL_TRY(tl_strdup(ctx, path, &p->sheet.path));
    TL_TRY(tl_alloc(ctx, sizeof *p->sheet.name, &p->sheet.name));
    TL_TRY(tl_strdup(ctx, "text", &p->sheet.name[0]));
    p->sheet.columns = 1;
    TL_TRY(tl_part_class(ctx, p, name, 0, &label));
    for (char *at = p->sheet.text, *end = at + bytes; at < end; line++) {
        char *stop = memchr(at, '\n', (size_t)(end - at)), *next = stop ? stop + 1 : end;
        if (!stop) stop = end;
        while (stop > at && (stop[-1] == '\r' || stop[-1] == ' ')) stop--;
        *stop = 0;
        if (at[strspn(at, " \t")])
            TL_TRY(add_line(ctx, p, (size_t)(at - p->sheet.text), line, label));
        at = next;
    }
done:
    return rc;
}

static tl_status open_text_classes(tl_ctx *ctx, const char *path, tl_split split,
                                   tl_opening *o, bool *mine)
{
    const size_t limit = TL_MAX(o->limit_bytes, (size_t)LEAST_LIMIT);
    tl_names     names = { 0 };
    char        *file  = NULL, class[256];
    bool         by_ending;
    tl_status    rc = TL_OK;

    if (!tl_is_folder(path)) return TL_OK;
    TL_TRY(tl_folder_list(ctx, path, &names));
    if (!are_classes(&names, &by_ending)) goto done;
    for (size_t i = 0; i < names.count; i++) {
        if (is_aside(names.name[i])) continue;
        tl_free(ctx, file);
        TL_TRY(tl_path_join(ctx, path, names.name[i], &file));
        if (tl_is_folder(file) || tl_is_picture_name(names.name[i]) ||
            tl_is_sheet_name(names.name[i]))
            goto done;
    }
    *mine = true;
    if (!o->text.name[0]) {
        TL_TRY(tl_strdup(ctx, "text", &o->text.name[0]));
        TL_TRY(tl_strdup(ctx, "one file for each class", &o->text.why));
    }
    for (size_t i = 0; i < names.count; i++) {
        if (is_aside(names.name[i])) continue;
        tl_free(ctx, file);
        TL_TRY(tl_path_join(ctx, path, names.name[i], &file));
        class_of(names.name[i], by_ending, class);
        TL_TRY(read_class(ctx, file, class, split, limit, o));
    }
done:
    tl_free(ctx, file);
    tl_names_free(ctx, &names);
    return rc;
}

const tl_data_format tl_data_format_text_classes = {
    .name   = "text files",
    .doc    = "a text file for each class, a text a line",
    .source = "Pang and Lee 2005",
    .open   = open_text_classes,
};
