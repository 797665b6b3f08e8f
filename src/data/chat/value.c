/* value.c -- what templates compute with: made, compared, ordered, searched, cut, as Python has
 * it.  Floor 2, data. */
#include "data/chat/inside.h"
#include "data/tokenizer/unicode.h"

#include <string.h>

bool tl_jsame(tl_string s, const char *word)
{
    return s.bytes == strlen(word) && memcmp(s.text, word, s.bytes) == 0;
}

static bool same(tl_string a, tl_string b)
{
    return a.bytes == b.bytes && (a.bytes == 0 || memcmp(a.text, b.text, a.bytes) == 0);
}

tl_jvalue tl_jtext_of(const char *s)
{
    return tl_jtext((tl_string){ s, strlen(s) });
}

tl_jvalue tl_jlist_new(tl_jheap *h, size_t count)
{
    tl_jlist *list = tl_jtake(h, sizeof *list);

    list->at    = tl_jtake(h, TL_MAX(count, (size_t)1) * sizeof *list->at);
    list->count = count;
    return (tl_jvalue){ .kind = TL_JV_LIST, .list = list };
}

tl_jvalue tl_jdict_new(tl_jheap *h, tl_jvalue_kind kind)
{
    return (tl_jvalue){ .kind = kind, .dict = tl_jtake(h, sizeof(tl_jdict)) };
}

tl_jvalue *tl_jdict_get(const tl_jdict *d, tl_string key)
{
    for (size_t i = 0; i < d->count; i++)
        if (same(d->key[i].text, key)) return &d->at[i];
    return NULL;
}

void tl_jdict_set(tl_jheap *h, tl_jdict *d, tl_string key, tl_jvalue v)
{
    tl_jvalue *old = tl_jdict_get(d, key);

    tl_jstep(h);
    if (old) {
        *old = v;
        return;
    }
    if (d->count == d->room) {
        const size_t room = d->room ? 2 * d->room : 8;
        tl_jvalue   *keys = tl_jtake(h, room * sizeof *keys),
                  *values = tl_jtake(h, room * sizeof *values);
        if (d->count) {
            memcpy(keys, d->key, d->count * sizeof *keys);
            memcpy(values, d->at, d->count * sizeof *values);
        }
        d->key  = keys;
        d->at   = values;
        d->room = room;
    }
    d->key[d->count]  = tl_jtext(key);
    d->at[d->count++] = v;
}

static tl_jvalue from_object(tl_jheap *h, const json_t *value)
{
    json_t     *object = (json_t *)(uintptr_t)value, *one;
    tl_jvalue   d      = tl_jdict_new(h, TL_JV_DICT);
    const char *key;

    json_object_foreach(object, key, one)
        tl_jdict_set(h, d.dict, (tl_string){ key, strlen(key) }, tl_jfrom_json(h, one));
    return d;
}

/* Texts stay where the JSON value has them, which outlives the rendering. */
tl_jvalue tl_jfrom_json(tl_jheap *h, const json_t *value)
{
    tl_jvalue v;

    switch (json_typeof(value)) {
    case JSON_STRING:
        return tl_jtext((tl_string){ json_string_value(value), json_string_length(value) });
    case JSON_INTEGER: return tl_jint(json_integer_value(value));
    case JSON_REAL: return tl_jreal(json_real_value(value));
    case JSON_TRUE: return tl_jbool(true);
    case JSON_FALSE: return tl_jbool(false);
    case JSON_NULL: return tl_jnone();
    default: break;
    }
    tl_jdeeper(h);
    if (json_is_object(value)) v = from_object(h, value);
    else {
        v = tl_jlist_new(h, json_array_size(value));
        for (size_t i = 0; i < v.list->count; i++)
            v.list->at[i] = tl_jfrom_json(h, json_array_get(value, i));
    }
    h->depth--;
    return v;
}

const char *tl_jkind_name(tl_jvalue v)
{
    static const char *const names[] = { "something undefined", "none", "true or false", "a number",
                                         "a number", "a text", "a list", "an object", "a namespace",
                                         "a macro", "a function" };

    return names[v.kind];
}

bool tl_jis_number(tl_jvalue v)
{
    return v.kind == TL_JV_INT || v.kind == TL_JV_REAL || v.kind == TL_JV_BOOL;
}

double tl_jnumber(tl_jvalue v)
{
    return v.kind == TL_JV_REAL ? v.real : v.kind == TL_JV_BOOL ? v.truth : (double)v.whole;
}

bool tl_jtruth(tl_jvalue v)
{
    switch (v.kind) {
    case TL_JV_UNDEFINED:
    case TL_JV_NONE: return false;
    case TL_JV_BOOL: return v.truth;
    case TL_JV_INT: return v.whole != 0;
    case TL_JV_REAL: return v.real != 0.0;
    case TL_JV_TEXT: return v.text.bytes > 0;
    case TL_JV_LIST: return v.list->count > 0;
    case TL_JV_DICT: return v.dict->count > 0;
    default: return true;
    }
}

static bool equal_dicts(tl_jheap *h, const tl_jdict *a, const tl_jdict *b)
{
    for (size_t i = 0; i < a->count; i++) {
        const tl_jvalue *other = tl_jdict_get(b, a->key[i].text);
        if (!other || !tl_jequal(h, a->at[i], *other)) return false;
    }
    return a->count == b->count;
}

bool tl_jequal(tl_jheap *h, tl_jvalue a, tl_jvalue b)
{
    bool is = false;

    tl_jstep(h);
    if (tl_jis_number(a) && tl_jis_number(b)) {
        if (a.kind != TL_JV_REAL && b.kind != TL_JV_REAL)
            return (a.kind == TL_JV_BOOL ? a.truth : a.whole) ==
                   (b.kind == TL_JV_BOOL ? b.truth : b.whole);
        return tl_jnumber(a) == tl_jnumber(b);
    }
    if (a.kind != b.kind) return false;
    tl_jdeeper(h);
    switch (a.kind) {
    case TL_JV_TEXT: is = same(a.text, b.text); break;
    case TL_JV_LIST:
        is = a.list->count == b.list->count && a.list->tuple == b.list->tuple;
        for (size_t i = 0; is && i < a.list->count; i++)
            is = tl_jequal(h, a.list->at[i], b.list->at[i]);
        break;
    case TL_JV_DICT: is = a.dict == b.dict || equal_dicts(h, a.dict, b.dict); break;
    case TL_JV_SPACE: is = a.dict == b.dict; break;
    case TL_JV_MACRO: is = a.macro == b.macro; break;
    case TL_JV_GLOBAL: is = a.global == b.global; break;
    default: is = true;
    }
    h->depth--;
    return is;
}

int tl_jorder(tl_jheap *h, tl_jvalue a, tl_jvalue b)
{
    tl_jstep(h);
    if (tl_jis_number(a) && tl_jis_number(b)) {
        if (a.kind == TL_JV_INT && b.kind == TL_JV_INT)
            return (a.whole > b.whole) - (a.whole < b.whole);
        return (tl_jnumber(a) > tl_jnumber(b)) - (tl_jnumber(a) < tl_jnumber(b));
    }
    if (a.kind == TL_JV_TEXT && b.kind == TL_JV_TEXT) { /* UTF-8 orders as its characters do */
        const size_t n  = TL_MIN(a.text.bytes, b.text.bytes);
        const int    by = n ? memcmp(a.text.text, b.text.text, n) : 0;
        return by ? by : (a.text.bytes > b.text.bytes) - (a.text.bytes < b.text.bytes);
    }
    if (a.kind == TL_JV_LIST && b.kind == TL_JV_LIST) {
        int by = 0;
        tl_jdeeper(h);
        for (size_t i = 0; !by && i < TL_MIN(a.list->count, b.list->count); i++)
            by = tl_jorder(h, a.list->at[i], b.list->at[i]);
        h->depth--;
        return by ? by : (a.list->count > b.list->count) - (a.list->count < b.list->count);
    }
    tl_jfail(h, "%s and %s have no order (mend the template)", tl_jkind_name(a), tl_jkind_name(b));
}

bool tl_jcontains(tl_jheap *h, tl_jvalue all, tl_jvalue one)
{
    if (all.kind == TL_JV_TEXT) {
        if (one.kind != TL_JV_TEXT)
            tl_jfail(h, "%s is looked for in a text (mend the template)", tl_jkind_name(one));
        return one.text.bytes == 0 || memmem(all.text.text, all.text.bytes, one.text.text,
                                             one.text.bytes);
    }
    if (all.kind == TL_JV_DICT)
        return one.kind == TL_JV_TEXT && tl_jdict_get(all.dict, one.text);
    if (all.kind == TL_JV_LIST) {
        for (size_t i = 0; i < all.list->count; i++)
            if (tl_jequal(h, all.list->at[i], one)) return true;
        return false;
    }
    if (all.kind == TL_JV_UNDEFINED) return false;
    tl_jfail(h, "nothing can be looked for in %s (mend the template)", tl_jkind_name(all));
}

int64_t tl_jchars(tl_string s)
{
    int64_t n = 0;

    for (size_t i = 0; i < s.bytes; i++) n += !tl_utf8_inside(s.text[i]);
    return n;
}

tl_string tl_jchar(tl_string s, int64_t i)
{
    size_t at = 0;

    while (at < s.bytes && i-- > 0) at += tl_utf8_bytes(s.text[at]);
    if (at >= s.bytes) return (tl_string){ "", 0 };
    return (tl_string){ s.text + at, TL_MIN(tl_utf8_bytes(s.text[at]), s.bytes - at) };
}

tl_jlist tl_jitems(tl_jheap *h, tl_jvalue v)
{
    tl_jlist out = { NULL, 0, false };

    if (v.kind == TL_JV_LIST) return *v.list;
    if (v.kind == TL_JV_DICT) return (tl_jlist){ v.dict->key, v.dict->count, false };
    if (v.kind == TL_JV_UNDEFINED) return out;
    if (v.kind != TL_JV_TEXT)
        tl_jfail(h, "%s has no items (mend the template)", tl_jkind_name(v));
    out.at = tl_jtake(h, (v.text.bytes + 1) * sizeof *out.at);
    for (size_t at = 0; at < v.text.bytes; out.count++) {
        const size_t n = TL_MIN(tl_utf8_bytes(v.text.text[at]), v.text.bytes - at);
        out.at[out.count] = tl_jtext((tl_string){ v.text.text + at, n });
        at += n;
        tl_jstep(h);
    }
    return out;
}

static int64_t bound(tl_jheap *h, int64_t n, tl_jvalue v, int64_t none, bool back)
{
    int64_t i;

    if (v.kind == TL_JV_NONE || v.kind == TL_JV_UNDEFINED) return none;
    if (v.kind != TL_JV_INT) tl_jfail(h, "a slice by %s (mend the template)", tl_jkind_name(v));
    i = v.whole;
    if (i < 0) i = i < -n ? -1 - !back : i + n;
    if (i < 0) return back ? -1 : 0;
    return TL_MIN(i, back ? n - 1 : n);
}

int64_t tl_jslice(tl_jheap *h, int64_t n, tl_jvalue start, tl_jvalue stop, int64_t step,
                  int64_t *first)
{
    const bool    back = step < 0;
    const int64_t from = bound(h, n, start, back ? n - 1 : 0, back),
                  to   = bound(h, n, stop, back ? -1 : n, back);

    if (step == 0) tl_jfail(h, "a slice by steps of 0 (mend the template)");
    *first = from;
    if (back ? from <= to : from >= to) return 0;
    if (step == INT64_MIN) return 1;
    return back ? (from - to - 1) / -step + 1 : (to - from - 1) / step + 1;
}

/* Python's index from either end; -1: beyond them. */
static int64_t place(int64_t i, int64_t n)
{
    if (i < 0 && i >= -n) i += n;
    return i >= 0 && i < n ? i : -1;
}

tl_jvalue tl_jattr(tl_jheap *h, tl_jvalue v, tl_jvalue key)
{
    const tl_string name = key.kind == TL_JV_TEXT ? key.text : (tl_string){ "item", 4 };

    tl_jstep(h);
    if (v.kind == TL_JV_UNDEFINED)
        tl_jfail(h, "\"%.*s\" is undefined (give it, or mend the template)",
                 (int)TL_MIN(v.text.bytes, (size_t)80), v.text.text ? v.text.text : "");
    if ((v.kind == TL_JV_DICT || v.kind == TL_JV_SPACE) && key.kind == TL_JV_TEXT) {
        const tl_jvalue *found = tl_jdict_get(v.dict, key.text);
        return found ? *found : tl_jundefined(name);
    }
    if (v.kind == TL_JV_LIST && key.kind == TL_JV_INT) {
        const int64_t i = place(key.whole, (int64_t)v.list->count);
        return i < 0 ? tl_jundefined(name) : v.list->at[i];
    }
    if (v.kind == TL_JV_TEXT && key.kind == TL_JV_INT) {
        const int64_t i = place(key.whole, tl_jchars(v.text));
        return i < 0 ? tl_jundefined(name) : tl_jtext(tl_jchar(v.text, i));
    }
    return tl_jundefined(name);
}
