/* split.c -- patterns and what is done with their matches.  Source: huggingface/tokenizers,
 * pattern.rs and normalizer.rs (SplitDelimiterBehavior).  Floor 2, data. */
#include "data/tokenizer/inside.h"
#include "data/tokenizer/unicode.h"

#include <string.h>

tl_status tl_pattern_load(tl_ctx *ctx, const char *where, const json_t *spec,
                          tl_pattern *out)
{
    tl_status     rc = TL_OK;
    const json_t *regex;

    if (json_is_string(json_object_get(spec, "String"))) {
        TL_TRY(tl_json_copy(ctx, spec, "String", &out->literal, &out->bytes));
        return TL_OK;
    }
    regex = json_object_get(spec, "Regex");
    if (!json_is_string(regex))
        TL_FAIL(TL_EDATA, where, "a pattern is neither String nor Regex (mend the file)");
    TL_TRY(tl_regex_new(ctx, where, json_string_value(regex), json_string_length(regex),
                        &out->regex));
done:
    return rc;
}

void tl_pattern_free(tl_ctx *ctx, tl_pattern *p)
{
    tl_free(ctx, p->literal);
    tl_regex_free(ctx, p->regex);
    *p = (tl_pattern){ 0 };
}

static tl_status literal_segments(tl_ctx *ctx, tl_encoder *e, const tl_pattern *p,
                                  const char *text, size_t bytes)
{
    tl_status   rc = TL_OK;
    size_t      at = 0;
    const char *hit;

    while (p->bytes && (hit = memmem(text + at, bytes - at, p->literal, p->bytes))) {
        const size_t start = (size_t)(hit - text);
        if (start > at) TL_TRY(tl_segment_add(ctx, e, at, start, false));
        TL_TRY(tl_segment_add(ctx, e, start, start + p->bytes, true));
        at = start + p->bytes;
    }
    if (at < bytes) TL_TRY(tl_segment_add(ctx, e, at, bytes, false));
done:
    return rc;
}

static tl_status regex_segments(tl_ctx *ctx, tl_encoder *e, const tl_pattern *p,
                                const char *text, size_t bytes)
{
    tl_status rc      = TL_OK;
    size_t    done_to = 0, from = 0, start, end;
    bool      found;

    while (from <= bytes) {
        TL_TRY(tl_regex_find(ctx, p->regex, e->matcher, text, bytes, from, &start, &end,
                             &found));
        if (!found) break;
        if (start > done_to) TL_TRY(tl_segment_add(ctx, e, done_to, start, false));
        TL_TRY(tl_segment_add(ctx, e, start, end, true));
        done_to = from = end;
        if (start == end) from += end < bytes ? tl_utf8_bytes(text[end]) : 1;
    }
    if (done_to < bytes) TL_TRY(tl_segment_add(ctx, e, done_to, bytes, false));
done:
    return rc;
}

tl_status tl_pattern_segments(tl_ctx *ctx, tl_encoder *e, const tl_pattern *p,
                              const char *text, size_t bytes)
{
    e->segments = 0;
    return p->regex ? regex_segments(ctx, e, p, text, bytes)
                    : literal_segments(ctx, e, p, text, bytes);
}

tl_status tl_char_segments(tl_ctx *ctx, tl_encoder *e, tl_char_test test,
                           const char *text, size_t bytes)
{
    tl_status rc    = TL_OK;
    size_t    start = 0;
    uint32_t  c;

    e->segments = 0;
    for (size_t at = 0, end; at < bytes; at = end) {
        end = at + tl_utf8_next(text + at, &c);
        if (!test(c)) continue;
        if (at > start) TL_TRY(tl_segment_add(ctx, e, start, at, false));
        TL_TRY(tl_segment_add(ctx, e, at, end, true));
        start = end;
    }
    if (bytes > start) TL_TRY(tl_segment_add(ctx, e, start, bytes, false));
done:
    return rc;
}

tl_status tl_behaviour_load(tl_ctx *ctx, const char *where, const json_t *spec,
                            const char *key, tl_behaviour fallback, tl_behaviour *out)
{
    static const char *const name[] = { "Removed", "Isolated", "MergedWithPrevious",
                                        "MergedWithNext", "Contiguous" };
    const char              *said   = tl_json_text(spec, key, NULL);

    *out = fallback;
    if (!said) return TL_OK;
    for (size_t i = 0; i < TL_COUNT(name); i++)
        if (strcmp(name[i], said) == 0) return *out = (tl_behaviour)i, TL_OK;
    return tl_fail(ctx, TL_EDATA, where,
                   "the split behavior \"%.40s\" is not known (Removed, Isolated, "
                   "MergedWithPrevious, MergedWithNext or Contiguous)",
                   said);
}

/* Joins segments in place; segments of no bytes take part and are dropped by tl_cut_add. */
static void join_previous(tl_encoder *e, bool contiguous)
{
    tl_segment *s      = e->segment;
    size_t      kept   = 0;
    bool        before = false;

    for (size_t i = 0; i < e->segments; i++) {
        const bool match = s[i].match;
        const bool join  = contiguous ? match == before : match && !before;
        if (join && kept)
            s[kept - 1].end = s[i].end;
        else
            s[kept++] = s[i];
        before = match;
    }
    e->segments = kept;
}

static void join_next(tl_encoder *e)
{
    tl_segment *s      = e->segment;
    size_t      kept   = e->segments;
    bool        before = false;

    for (size_t i = e->segments; i-- > 0;) {
        const bool match = s[i].match;
        if (match && !before && kept < e->segments)
            s[kept].start = s[i].start;
        else
            s[--kept] = s[i];
        before = match;
    }
    e->segments -= kept;
    memmove(s, s + kept, e->segments * sizeof *s);
}

tl_status tl_segments_cut(tl_ctx *ctx, tl_encoder *e, size_t start,
                          tl_behaviour behaviour, bool invert)
{
    tl_status rc = TL_OK;

    if (invert)
        for (size_t i = 0; i < e->segments; i++)
            e->segment[i].match = !e->segment[i].match;
    if (behaviour == TL_WITH_PREVIOUS || behaviour == TL_CONTIGUOUS)
        join_previous(e, behaviour == TL_CONTIGUOUS);
    if (behaviour == TL_WITH_NEXT) join_next(e);
    for (size_t i = 0; i < e->segments; i++) {
        const tl_segment *s = &e->segment[i];
        if (behaviour == TL_REMOVED && s->match) continue;
        TL_TRY(tl_cut_add(ctx, e, start + s->start, start + s->end, -1));
    }
done:
    return rc;
}
