/* profile.c -- see profile.h.  Floor 4, study. */
#include "study/profile.h"
#include "core/text.h"
#include "data/texts/languages.h"
#include "study/drift.h"
#include "study/shortcuts.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double SECOND_LANGUAGE = 0.02;

enum { LEAST_OF_LANGUAGE = 5 };

static int badness(const char *level)
{
    return strcmp(level, "problem") == 0 ? 2 : strcmp(level, "warning") == 0;
}

void tl_profile_say(json_t *profile, const char *level, const char *todo, const char *format, ...)
{
    json_t *list = json_object_get(profile, "findings");
    char    text[1600];
    size_t  at = 0;
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    while (at < json_array_size(list) &&
           badness(tl_json_text(json_array_get(list, at), "level", "note")) >= badness(level))
        at++;
    json_array_insert_new(list, at, json_pack("{s:s, s:o, s:s}", "level", level, "text",
                                              tl_json_name(text), "todo", todo ? todo : ""));
}

typedef struct {
    int     language;
    int64_t rows;
} counted;

static int commonest_first(const void *a, const void *b)
{
    const counted *x = a, *y = b;

    if (x->rows != y->rows) return x->rows > y->rows ? -1 : 1;
    return x->language - y->language;
}

static void say_languages(const counted *all, int64_t n, int64_t rows, json_t *profile)
{
    char    text[400] = "";
    int64_t known = 0;

    for (int64_t k = 0; k < n; k++) {
        const size_t at = strlen(text);
        if (all[k].language == 0 || all[k].rows < LEAST_OF_LANGUAGE ||
            (double)all[k].rows < SECOND_LANGUAGE * (double)rows)
            continue;
        snprintf(text + at, sizeof text - at, "%s%s (%.0f %%)", known++ ? ", " : "",
                 tl_language_name(all[k].language), 100.0 * (double)all[k].rows / (double)rows);
    }
    if (known > 1)
        tl_profile_say(profile, "note",
                       "take a base that was trained on all of them, and look at its score in "
                       "each; what is not meant to be there is better taken out",
                       "the texts are in more than one language: %s", text);
    else if (known == 1 && strncmp(text, "English", 7) != 0)
        tl_profile_say(profile, "note", "take a base that was trained on that language",
                       "the texts are not in English but: %s", text);
}

static tl_status add_languages(tl_ctx *ctx, const tl_facts *f, json_t *profile)
{
    counted  *all = NULL;
    json_t   *list;
    int64_t   n = 0, known = 0;
    tl_status rc = TL_OK;

    if (!f->language) return TL_OK;
    while (tl_language_name((int)n)) n++;
    TL_TRY(tl_alloc_array(ctx, (size_t)n, sizeof *all, &all));
    for (int64_t k = 0; k < n; k++)
        if (f->language[k]) all[known++] = (counted){ (int)k, f->language[k] };
    qsort(all, (size_t)known, sizeof *all, commonest_first);
    list = json_array();
    for (int64_t k = 0; k < known; k++)
        json_array_append_new(list, json_pack("{s:s, s:I}", "name",
                                              tl_language_name(all[k].language), "rows",
                                              (json_int_t)all[k].rows));
    json_object_set_new(profile, "languages", json_pack("{s:I, s:o}", "rows",
                                                        (json_int_t)f->rows.count, "found", list));
    say_languages(all, known, f->rows.count, profile);
done:
    tl_free(ctx, all);
    return rc;
}

tl_status tl_profile(tl_ctx *ctx, const tl_dataset *d, json_t **out)
{
    json_t   *profile = NULL;
    int64_t  *unit    = NULL;
    tl_facts  facts   = { 0 };
    tl_status rc;

    *out = NULL;
    TL_TRY(tl_inspect(ctx, d, &profile));
    if (d->tags) goto whole; /* the facts are of whole texts, and the rows are words */
    TL_TRY(tl_facts_take(ctx, d, &facts));
    if (!json_is_null(json_object_get(profile, "duplicates"))) {
        TL_TRY(tl_alloc_array(ctx, (size_t)d->rows, sizeof *unit, &unit));
        TL_TRY(tl_dataset_duplicates(ctx, d, unit)); /* known by now */
    }
    TL_TRY(tl_shortcuts_find(ctx, d, &facts, unit, profile));
    TL_TRY(tl_drift_find(ctx, d, &facts, profile));
    TL_TRY(add_languages(ctx, &facts, profile));
whole:
    *out    = profile;
    profile = NULL;
done:
    json_decref(profile);
    tl_free(ctx, unit);
    tl_facts_free(ctx, &facts);
    return rc;
}
