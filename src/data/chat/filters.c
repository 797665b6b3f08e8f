/* filters.c -- the filters of templates.  Source: Jinja's filters.py, and tojson as Transformers
 * has it.  Floor 2, data. */
#include "data/chat/inside.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef tl_jvalue (*filter_body)(const tl_jargs *a, tl_jvalue v);

_Noreturn static void wrong(const tl_jargs *a, const char *what)
{
    tl_jfail(a->heap, "filter %.*s: %s (mend the template)", (int)TL_MIN(a->name.bytes, (size_t)60),
             a->name.text, what);
}

/* A method of the value's text under the filter's own name. */
static tl_jvalue as_method(const tl_jargs *a, tl_jvalue v)
{
    tl_jvalue out;

    if (!tl_jmethod(a, tl_jtext(tl_jstr(a->heap, v)), &out)) wrong(a, "is not known");
    return out;
}

static tl_jvalue filter_trim(const tl_jargs *a, tl_jvalue v)
{
    tl_jargs by = *a;

    by.name = (tl_string){ "strip", 5 };
    return as_method(&by, v);
}

static tl_jvalue filter_length(const tl_jargs *a, tl_jvalue v)
{
    if (v.kind == TL_JV_TEXT) return tl_jint(tl_jchars(v.text));
    return tl_jint((int64_t)tl_jitems(a->heap, v).count);
}

static tl_jvalue filter_default(const tl_jargs *a, tl_jvalue v)
{
    tl_jvalue other = tl_jtext_of(""), falsy = tl_jbool(false);

    tl_jarg(a, 0, "default_value", &other);
    tl_jarg(a, 1, "boolean", &falsy);
    return v.kind == TL_JV_UNDEFINED || (tl_jtruth(falsy) && !tl_jtruth(v)) ? other : v;
}

/* An attribute by name, or an item by number; "a.b" goes deeper. */
static tl_jvalue attribute(const tl_jargs *a, tl_jvalue v, tl_jvalue path)
{
    if (path.kind != TL_JV_TEXT) return tl_jattr(a->heap, v, path);
    for (size_t at = 0; at <= path.text.bytes;) {
        const char  *s   = path.text.text + at;
        const char  *dot = memchr(s, '.', path.text.bytes - at);
        const size_t n   = dot ? (size_t)(dot - s) : path.text.bytes - at;
        v = tl_jattr(a->heap, v, tl_jtext((tl_string){ s, n }));
        at += n + 1;
    }
    return v;
}

static tl_jvalue filter_join(const tl_jargs *a, tl_jvalue v)
{
    const tl_jlist list = tl_jitems(a->heap, v);
    tl_jvalue      by   = tl_jtext_of(""), of;
    tl_jbuild      b    = { .heap = a->heap };
    bool           part;

    tl_jarg(a, 0, "d", &by);
    part = tl_jarg(a, 1, "attribute", &of);
    for (size_t i = 0; i < list.count; i++) {
        if (i) tl_jadd_value(&b, by);
        tl_jadd_value(&b, part ? attribute(a, list.at[i], of) : list.at[i]);
    }
    return tl_jtext(tl_jbuilt(&b));
}

static tl_jvalue filter_tojson(const tl_jargs *a, tl_jvalue v)
{
    tl_jvalue indent = tl_jnone(), ascii = tl_jbool(false), sorted = tl_jbool(false),
              apart = tl_jnone();
    tl_jjson  how   = { .indent = -1, .item = { ", ", 2 }, .key = { ": ", 2 } };

    tl_jarg(a, 0, "ensure_ascii", &ascii);
    tl_jarg(a, 1, "indent", &indent);
    tl_jarg(a, 2, "separators", &apart);
    tl_jarg(a, 3, "sort_keys", &sorted);
    how.ascii  = tl_jtruth(ascii);
    how.sorted = tl_jtruth(sorted);
    if (indent.kind == TL_JV_INT && indent.whole >= 0 && indent.whole <= 64) {
        how.indent = (int)indent.whole;
        how.item   = (tl_string){ ",", 1 };
    } else if (indent.kind != TL_JV_NONE) wrong(a, "indent is a number up to 64");
    if (apart.kind == TL_JV_LIST && apart.list->count == 2) {
        how.item = tl_jstr(a->heap, apart.list->at[0]);
        how.key  = tl_jstr(a->heap, apart.list->at[1]);
    }
    return tl_jtext(tl_jjson_text(a->heap, v, &how));
}

static tl_jvalue filter_first(const tl_jargs *a, tl_jvalue v)
{
    const tl_jlist list = tl_jitems(a->heap, v);

    return list.count ? list.at[0] : tl_jundefined((tl_string){ "first item", 10 });
}

static tl_jvalue filter_last(const tl_jargs *a, tl_jvalue v)
{
    const tl_jlist list = tl_jitems(a->heap, v);

    return list.count ? list.at[list.count - 1] : tl_jundefined((tl_string){ "last item", 9 });
}

static tl_jvalue filter_list(const tl_jargs *a, tl_jvalue v)
{
    const tl_jlist list = tl_jitems(a->heap, v);
    tl_jvalue      out  = tl_jlist_new(a->heap, list.count);

    if (list.count) memcpy(out.list->at, list.at, list.count * sizeof *list.at);
    return out;
}

static tl_jvalue filter_reverse(const tl_jargs *a, tl_jvalue v)
{
    tl_jvalue out = filter_list(a, v);
    size_t    n   = out.list->count;
    tl_jbuild b   = { .heap = a->heap };

    for (size_t i = 0; i < n / 2; i++) {
        const tl_jvalue one = out.list->at[i];
        out.list->at[i]         = out.list->at[n - 1 - i];
        out.list->at[n - 1 - i] = one;
    }
    if (v.kind != TL_JV_TEXT) return out;
    for (size_t i = 0; i < n; i++) tl_jadd_value(&b, out.list->at[i]);
    return tl_jtext(tl_jbuilt(&b));
}

static tl_jvalue filter_string(const tl_jargs *a, tl_jvalue v)
{
    return tl_jtext(tl_jstr(a->heap, v));
}

static tl_jvalue filter_int(const tl_jargs *a, tl_jvalue v)
{
    tl_jvalue other = tl_jint(0);
    double    x     = 0.0;
    char     *end   = NULL;

    tl_jarg(a, 0, "default", &other);
    if (v.kind == TL_JV_INT) return v;
    if (tl_jis_number(v)) x = tl_jnumber(v);
    else if (v.kind == TL_JV_TEXT && v.text.bytes && v.text.bytes < 60) {
        char copy[64];
        memcpy(copy, v.text.text, v.text.bytes);
        copy[v.text.bytes] = 0;
        x                  = strtod(copy, &end);
        if (*end) return other;
    } else return other;
    return fabs(x) < 9e15 ? tl_jint((int64_t)x) : other;
}

static tl_jvalue filter_abs(const tl_jargs *a, tl_jvalue v)
{
    if (v.kind == TL_JV_INT && v.whole != INT64_MIN) return tl_jint(llabs(v.whole));
    if (v.kind != TL_JV_REAL) wrong(a, "a number is needed");
    return tl_jreal(fabs(v.real));
}

static tl_jvalue filter_items(const tl_jargs *a, tl_jvalue v)
{
    tl_jvalue out = tl_jlist_new(a->heap, 0);

    if (v.kind == TL_JV_UNDEFINED) return out;
    if (!tl_jmethod(a, v, &out)) wrong(a, "an object is needed");
    return out;
}

/* Pairs by rising key. */
static int by_first(const void *a, const void *b)
{
    const tl_string x = (*(const tl_jvalue *)a).list->at[0].text,
                    y = (*(const tl_jvalue *)b).list->at[0].text;
    const size_t    n = TL_MIN(x.bytes, y.bytes);
    const int       by = n ? memcmp(x.text, y.text, n) : 0;

    return by ? by : (x.bytes > y.bytes) - (x.bytes < y.bytes);
}

static tl_jvalue filter_dictsort(const tl_jargs *a, tl_jvalue v)
{
    tl_jargs  by = *a;
    tl_jvalue out;

    by.name = (tl_string){ "items", 5 };
    out     = filter_items(&by, v);
    if (out.list->count) qsort(out.list->at, out.list->count, sizeof *out.list->at, by_first);
    return out;
}

/* Stable, by insertion; steps are counted, so that long lists end in an error. */
static tl_jvalue filter_sort(const tl_jargs *a, tl_jvalue v)
{
    tl_jvalue out = filter_list(a, v), down = tl_jbool(false), of;
    const bool part = tl_jarg(a, 2, "attribute", &of);
    tl_jvalue *at   = out.list->at;

    tl_jarg(a, 0, "reverse", &down);
    for (size_t i = 1; i < out.list->count; i++)
        for (size_t k = i; k > 0; k--) {
            const tl_jvalue one = at[k], before = at[k - 1];
            int by = tl_jorder(a->heap, part ? attribute(a, one, of) : one,
                               part ? attribute(a, before, of) : before);
            if (tl_jtruth(down)) by = -by;
            if (by >= 0) break;
            at[k]     = before;
            at[k - 1] = one;
        }
    return out;
}

static tl_jvalue filter_unique(const tl_jargs *a, tl_jvalue v)
{
    tl_jvalue out = filter_list(a, v);
    size_t    n   = 0;

    for (size_t i = 0; i < out.list->count; i++) {
        bool seen = false;
        for (size_t k = 0; k < n && !seen; k++)
            seen = tl_jequal(a->heap, out.list->at[k], out.list->at[i]);
        if (!seen) out.list->at[n++] = out.list->at[i];
    }
    out.list->count = n;
    return out;
}

/* map(attribute=...) or map("filter", ...). */
static tl_jvalue filter_map(const tl_jargs *a, tl_jvalue v)
{
    tl_jvalue  out = filter_list(a, v), of, other, name = tl_jnone();
    const bool part = tl_jarg(a, TL_J_MOST_ARGS, "attribute", &of),
               instead = tl_jarg(a, TL_J_MOST_ARGS, "default", &other);
    tl_jargs   inner = *a;

    if (!part) {
        if (!tl_jarg(a, 0, NULL, &name) || name.kind != TL_JV_TEXT)
            wrong(a, "an attribute or a filter's name is needed");
        inner.name = name.text;
        inner.count--;
        for (int i = 0; i < inner.count; i++) {
            inner.value[i] = a->value[i + 1];
            inner.key[i]   = a->key[i + 1];
        }
    }
    for (size_t i = 0; i < out.list->count; i++) {
        tl_jvalue *one = &out.list->at[i];
        *one           = part ? attribute(a, *one, of) : tl_jfilter(&inner, *one);
        if (part && instead && one->kind == TL_JV_UNDEFINED) *one = other;
    }
    return out;
}

/* selectattr("a", "test", ...), select("test", ...) and their opposites. */
static tl_jvalue selected(const tl_jargs *a, tl_jvalue v, bool by_attribute, bool wanted)
{
    const int skip  = by_attribute ? 2 : 1;
    tl_jvalue out   = filter_list(a, v), of = tl_jnone(), name = tl_jnone();
    tl_jargs  inner = *a;
    size_t    n     = 0;
    bool      tested;

    if (by_attribute && !tl_jarg(a, 0, NULL, &of)) wrong(a, "an attribute is needed");
    tested = tl_jarg(a, skip - 1, NULL, &name);
    if (tested && name.kind != TL_JV_TEXT) wrong(a, "a test's name is needed");
    inner.name  = name.text;
    inner.count = TL_MAX(a->count - skip, 0);
    for (int i = 0; i < inner.count; i++) {
        inner.value[i] = a->value[i + skip];
        inner.key[i]   = a->key[i + skip];
    }
    for (size_t i = 0; i < out.list->count; i++) {
        const tl_jvalue one = out.list->at[i];
        const tl_jvalue x   = by_attribute ? attribute(a, one, of) : one;
        if ((tested ? tl_jtest(&inner, x) : tl_jtruth(x)) == wanted) out.list->at[n++] = one;
    }
    out.list->count = n;
    return out;
}
static tl_jvalue filter_select(const tl_jargs *a, tl_jvalue v)
{
    return selected(a, v, false, true);
}
static tl_jvalue filter_reject(const tl_jargs *a, tl_jvalue v)
{
    return selected(a, v, false, false);
}
static tl_jvalue filter_selectattr(const tl_jargs *a, tl_jvalue v)
{
    return selected(a, v, true, true);
}
static tl_jvalue filter_rejectattr(const tl_jargs *a, tl_jvalue v)
{
    return selected(a, v, true, false);
}

/* Lines but the first are moved right; empty ones stay, as in Jinja. */
static tl_jvalue filter_indent(const tl_jargs *a, tl_jvalue v)
{
    tl_jvalue       width = tl_jint(4), first = tl_jbool(false), blank = tl_jbool(false);
    const tl_string s = tl_jstr(a->heap, v);
    tl_jbuild       b = { .heap = a->heap };
    bool            begins = true;

    tl_jarg(a, 0, "width", &width);
    tl_jarg(a, 1, "first", &first);
    tl_jarg(a, 2, "blank", &blank);
    if (width.kind != TL_JV_INT || width.whole < 0 || width.whole > 200)
        wrong(a, "a width up to 200 is needed");
    for (size_t at = 0; at < s.bytes; at++) {
        const bool here = begins && (at > 0 || tl_jtruth(first)) &&
                          (s.text[at] != '\n' || tl_jtruth(blank));
        for (int64_t i = 0; here && i < width.whole; i++) tl_jadd(&b, " ", 1);
        tl_jadd(&b, s.text + at, 1);
        begins = s.text[at] == '\n';
    }
    return tl_jtext(tl_jbuilt(&b));
}

static const struct { const char *name; filter_body body; } filters[] = {
    { "trim", filter_trim },             { "length", filter_length },
    { "count", filter_length },          { "default", filter_default },
    { "d", filter_default },             { "join", filter_join },
    { "tojson", filter_tojson },         { "upper", as_method },
    { "lower", as_method },              { "title", as_method },
    { "capitalize", as_method },         { "replace", as_method },
    { "first", filter_first },           { "last", filter_last },
    { "list", filter_list },             { "reverse", filter_reverse },
    { "string", filter_string },         { "int", filter_int },
    { "abs", filter_abs },               { "items", filter_items },
    { "dictsort", filter_dictsort },     { "sort", filter_sort },
    { "unique", filter_unique },         { "map", filter_map },
    { "select", filter_select },         { "reject", filter_reject },
    { "selectattr", filter_selectattr }, { "rejectattr", filter_rejectattr },
    { "indent", filter_indent },         { "safe", filter_string },
};

tl_jvalue tl_jfilter(const tl_jargs *a, tl_jvalue v)
{
    tl_jvalue out;

    tl_jdeeper(a->heap);
    for (size_t i = 0; i < TL_COUNT(filters); i++)
        if (tl_jsame(a->name, filters[i].name)) {
            out = filters[i].body(a, v);
            a->heap->depth--;
            return out;
        }
    wrong(a, "is not known");
}
