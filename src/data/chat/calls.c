/* calls.c -- tests, methods of texts and objects, and the functions a template may call.  Sources:
 * Jinja's tests.py; Python's str.  Floor 2, data. */
#include "data/chat/inside.h"
#include "data/tokenizer/unicode.h"

#include <string.h>
#include <time.h>
#include <utf8proc.h>

bool tl_jarg(const tl_jargs *a, int i, const char *key, tl_jvalue *out)
{
    int place = 0;

    for (int k = 0; k < a->count; k++) {
        const bool named = a->key[k].bytes > 0;
        if (named ? key && tl_jsame(a->key[k], key) : place == i) {
            *out = a->value[k];
            return true;
        }
        place += !named;
    }
    return false;
}

_Noreturn static void wrong(const tl_jargs *a, const char *what)
{
    tl_jfail(a->heap, "%.*s: %s (mend the template)", (int)TL_MIN(a->name.bytes, (size_t)60),
             a->name.text, what);
}

/* An argument that must be there. */
static tl_jvalue needed(const tl_jargs *a, int i)
{
    tl_jvalue v = tl_jnone();

    if (!tl_jarg(a, i, NULL, &v)) wrong(a, "an argument is missing");
    return v;
}

static tl_string text_arg(const tl_jargs *a, int i)
{
    const tl_jvalue v = needed(a, i);

    if (v.kind != TL_JV_TEXT) wrong(a, "a text is needed");
    return v.text;
}

/* ---- tests ---- */
typedef bool (*test_body)(const tl_jargs *a, tl_jvalue v);

static bool is_kind(tl_jvalue v, tl_jvalue_kind kind) { return v.kind == kind; }
#define KIND_TEST(name, kind_)                                 \
    static bool test_##name(const tl_jargs *a, tl_jvalue v) \
    {                                                          \
        (void)a;                                               \
        return is_kind(v, kind_);                              \
    }
KIND_TEST(undefined, TL_JV_UNDEFINED)
KIND_TEST(none, TL_JV_NONE)
KIND_TEST(string, TL_JV_TEXT)
KIND_TEST(boolean, TL_JV_BOOL)
KIND_TEST(integer, TL_JV_INT)
KIND_TEST(real, TL_JV_REAL)

static bool test_defined(const tl_jargs *a, tl_jvalue v) { return !test_undefined(a, v); }
static bool test_number(const tl_jargs *a, tl_jvalue v) { return (void)a, tl_jis_number(v); }
static bool test_true(const tl_jargs *a, tl_jvalue v)
{
    return (void)a, v.kind == TL_JV_BOOL && v.truth;
}
static bool test_false(const tl_jargs *a, tl_jvalue v)
{
    return (void)a, v.kind == TL_JV_BOOL && !v.truth;
}
static bool test_mapping(const tl_jargs *a, tl_jvalue v)
{
    return (void)a, v.kind == TL_JV_DICT;
}
static bool test_sequence(const tl_jargs *a, tl_jvalue v)
{
    return (void)a, v.kind == TL_JV_LIST || v.kind == TL_JV_TEXT || v.kind == TL_JV_DICT ||
                        v.kind == TL_JV_UNDEFINED;
}
static bool test_callable(const tl_jargs *a, tl_jvalue v)
{
    return (void)a, v.kind == TL_JV_MACRO || v.kind == TL_JV_GLOBAL;
}
static bool test_eq(const tl_jargs *a, tl_jvalue v) { return tl_jequal(a->heap, v, needed(a, 0)); }
static bool test_ne(const tl_jargs *a, tl_jvalue v) { return !test_eq(a, v); }
static bool test_gt(const tl_jargs *a, tl_jvalue v)
{
    return tl_jorder(a->heap, v, needed(a, 0)) > 0;
}
static bool test_lt(const tl_jargs *a, tl_jvalue v)
{
    return tl_jorder(a->heap, v, needed(a, 0)) < 0;
}
static bool test_ge(const tl_jargs *a, tl_jvalue v) { return !test_lt(a, v); }
static bool test_le(const tl_jargs *a, tl_jvalue v) { return !test_gt(a, v); }
static bool test_in(const tl_jargs *a, tl_jvalue v)
{
    return tl_jcontains(a->heap, needed(a, 0), v);
}
static int64_t whole(const tl_jargs *a, tl_jvalue v)
{
    if (v.kind != TL_JV_INT) wrong(a, "a whole number is needed");
    return v.whole;
}
static bool test_divisible(const tl_jargs *a, tl_jvalue v)
{
    const int64_t by = whole(a, needed(a, 0));

    if (by == 0) wrong(a, "division by 0");
    return by == -1 || whole(a, v) % by == 0;
}
static bool test_odd(const tl_jargs *a, tl_jvalue v) { return whole(a, v) % 2 != 0; }
static bool test_even(const tl_jargs *a, tl_jvalue v) { return whole(a, v) % 2 == 0; }

static tl_string mapped(tl_jheap *h, tl_string s, bool up);

static bool test_lower(const tl_jargs *a, tl_jvalue v)
{
    const tl_string s = tl_jstr(a->heap, v);

    return tl_jequal(a->heap, tl_jtext(mapped(a->heap, s, false)), tl_jtext(s)) &&
           !tl_jequal(a->heap, tl_jtext(mapped(a->heap, s, true)), tl_jtext(s));
}
static bool test_upper(const tl_jargs *a, tl_jvalue v)
{
    const tl_string s = tl_jstr(a->heap, v);

    return tl_jequal(a->heap, tl_jtext(mapped(a->heap, s, true)), tl_jtext(s)) &&
           !tl_jequal(a->heap, tl_jtext(mapped(a->heap, s, false)), tl_jtext(s));
}

static const struct { const char *name; test_body body; } tests[] = {
    { "defined", test_defined },     { "undefined", test_undefined }, { "none", test_none },
    { "string", test_string },       { "boolean", test_boolean },     { "integer", test_integer },
    { "float", test_real },          { "number", test_number },       { "true", test_true },
    { "false", test_false },         { "mapping", test_mapping },     { "sequence", test_sequence },
    { "iterable", test_sequence },   { "callable", test_callable },   { "eq", test_eq },
    { "equalto", test_eq },          { "sameas", test_eq },           { "ne", test_ne },
    { "gt", test_gt },               { "greaterthan", test_gt },      { "lt", test_lt },
    { "lessthan", test_lt },         { "ge", test_ge },               { "le", test_le },
    { "in", test_in },               { "divisibleby", test_divisible }, { "odd", test_odd },
    { "even", test_even },           { "lower", test_lower },         { "upper", test_upper },
    { "==", test_eq },               { "!=", test_ne },               { ">", test_gt },
    { ">=", test_ge },               { "<", test_lt },                { "<=", test_le },
};

bool tl_jtest(const tl_jargs *a, tl_jvalue v)
{
    for (size_t i = 0; i < TL_COUNT(tests); i++)
        if (tl_jsame(a->name, tests[i].name)) return tests[i].body(a, v);
    wrong(a, "no such test is known");
}

/* ---- methods ---- */
typedef tl_jvalue (*method_body)(const tl_jargs *a, tl_jvalue self);

static tl_string part(tl_string s, size_t from, size_t to)
{
    return (tl_string){ s.text + from, to - from };
}

static size_t back(tl_string s, size_t at)
{
    do at--;
    while (at > 0 && tl_utf8_inside(s.text[at]));
    return at;
}

/* Is the character at `at` one of those to be stripped?  Without a set: a blank. */
static bool strips(const tl_jvalue *set, tl_string s, size_t at)
{
    const size_t n = tl_utf8_bytes(s.text[at]);
    uint32_t     c;

    if (set->kind == TL_JV_TEXT)
        return set->text.bytes && memmem(set->text.text, set->text.bytes, s.text + at, n);
    tl_utf8_next(s.text + at, &c);
    return tl_is_space(c) || (c >= 0x1c && c <= 0x1f);
}

static tl_jvalue stripped(const tl_jargs *a, tl_jvalue self, bool left, bool right)
{
    const tl_string s    = self.text;
    tl_jvalue       set  = tl_jnone();
    size_t          from = 0, to = s.bytes;

    if (tl_jarg(a, 0, "chars", &set) && set.kind != TL_JV_TEXT && set.kind != TL_JV_NONE)
        wrong(a, "a text is needed");
    while (left && from < to && strips(&set, s, from)) from += tl_utf8_bytes(s.text[from]);
    while (right && to > from && strips(&set, s, back(s, to))) to = back(s, to);
    return tl_jtext(part(s, from, to));
}
static tl_jvalue text_strip(const tl_jargs *a, tl_jvalue s) { return stripped(a, s, true, true); }
static tl_jvalue text_lstrip(const tl_jargs *a, tl_jvalue s) { return stripped(a, s, true, false); }
static tl_jvalue text_rstrip(const tl_jargs *a, tl_jvalue s) { return stripped(a, s, false, true); }

/* A list that grows. */
typedef struct { tl_jheap *h; tl_jvalue *at; size_t count, room; } growing;

static void grow(growing *g, tl_jvalue v)
{
    tl_jstep(g->h);
    if (g->count == g->room) {
        const size_t room = g->room ? 2 * g->room : 16;
        tl_jvalue   *more = tl_jtake(g->h, room * sizeof *more);
        if (g->count) memcpy(more, g->at, g->count * sizeof *more);
        g->at   = more;
        g->room = room;
    }
    g->at[g->count++] = v;
}

static tl_jvalue grown(const growing *g)
{
    tl_jvalue list = tl_jlist_new(g->h, 0);

    *list.list = (tl_jlist){ g->at, g->count, false };
    return list;
}

static tl_jvalue split_blanks(const tl_jargs *a, tl_string s, int64_t most)
{
    const tl_jvalue blank = tl_jnone();
    growing         g     = { .h = a->heap };
    size_t          at    = 0;

    for (;;) {
        size_t from;
        while (at < s.bytes && strips(&blank, s, at)) at += tl_utf8_bytes(s.text[at]);
        if (at == s.bytes) return grown(&g);
        from = at;
        if (most >= 0 && (int64_t)g.count == most) {
            grow(&g, text_rstrip(&(tl_jargs){ .heap = a->heap }, tl_jtext(part(s, from, s.bytes))));
            return grown(&g);
        }
        while (at < s.bytes && !strips(&blank, s, at)) at += tl_utf8_bytes(s.text[at]);
        grow(&g, tl_jtext(part(s, from, at)));
    }
}

static tl_jvalue text_split(const tl_jargs *a, tl_jvalue self)
{
    const tl_string s    = self.text;
    tl_jvalue       by   = tl_jnone(), limit = tl_jint(-1);
    growing         g    = { .h = a->heap };
    const char     *at   = s.text, *end = s.text + s.bytes, *next;

    tl_jarg(a, 0, "sep", &by);
    tl_jarg(a, 1, "maxsplit", &limit);
    if (by.kind == TL_JV_NONE) return split_blanks(a, s, whole(a, limit));
    if (by.kind != TL_JV_TEXT || by.text.bytes == 0) wrong(a, "a text is needed");
    while ((limit.whole < 0 || (int64_t)g.count < whole(a, limit)) && at < end &&
           (next = memmem(at, (size_t)(end - at), by.text.text, by.text.bytes))) {
        grow(&g, tl_jtext((tl_string){ at, (size_t)(next - at) }));
        at = next + by.text.bytes;
    }
    grow(&g, tl_jtext((tl_string){ at, (size_t)(end - at) }));
    return grown(&g);
}

static tl_jvalue text_splitlines(const tl_jargs *a, tl_jvalue self)
{
    growing     g  = { .h = a->heap };
    const char *at = self.text.text, *end = at + self.text.bytes;

    while (at < end) {
        const char *s = at;
        while (s < end && *s != '\n' && *s != '\r') s++;
        grow(&g, tl_jtext((tl_string){ at, (size_t)(s - at) }));
        at = s + (s < end) + (s + 1 < end && s[0] == '\r' && s[1] == '\n');
    }
    return grown(&g);
}

/* Begins or ends with a text, or one of a list. */
static tl_jvalue edge(const tl_jargs *a, tl_jvalue self, bool first)
{
    const tl_jvalue v    = needed(a, 0);
    const tl_jlist  list = v.kind == TL_JV_LIST ? *v.list : (tl_jlist){ (tl_jvalue *)&v, 1, false };

    for (size_t i = 0; i < list.count; i++) {
        const tl_string e = list.at[i].text, s = self.text;
        if (list.at[i].kind != TL_JV_TEXT) wrong(a, "a text is needed");
        if (e.bytes <= s.bytes &&
            (e.bytes == 0 || !memcmp(s.text + (first ? 0 : s.bytes - e.bytes), e.text, e.bytes)))
            return tl_jbool(true);
    }
    return tl_jbool(false);
}
static tl_jvalue text_startswith(const tl_jargs *a, tl_jvalue s) { return edge(a, s, true); }
static tl_jvalue text_endswith(const tl_jargs *a, tl_jvalue s) { return edge(a, s, false); }

static tl_string mapped(tl_jheap *h, tl_string s, bool up)
{
    tl_jbuild b = { .heap = h };
    char      utf8[4];

    for (size_t at = 0; at < s.bytes;) {
        uint32_t c;
        at += tl_utf8_next(s.text + at, &c);
        c = (uint32_t)(up ? utf8proc_toupper : utf8proc_tolower)((utf8proc_int32_t)c);
        tl_jadd(&b, utf8, tl_utf8_put(c, utf8));
        tl_jstep(h);
    }
    return tl_jbuilt(&b);
}
static tl_jvalue text_upper(const tl_jargs *a, tl_jvalue s)
{
    return tl_jtext(mapped(a->heap, s.text, true));
}
static tl_jvalue text_lower(const tl_jargs *a, tl_jvalue s)
{
    return tl_jtext(mapped(a->heap, s.text, false));
}

static bool is_letter(uint32_t c)
{
    return utf8proc_tolower((utf8proc_int32_t)c) != (utf8proc_int32_t)c ||
           utf8proc_toupper((utf8proc_int32_t)c) != (utf8proc_int32_t)c;
}

/* The first letter of the text (or of every word) up, the others down. */
static tl_jvalue risen(const tl_jargs *a, tl_jvalue s, bool words)
{
    tl_jbuild b     = { .heap = a->heap };
    bool      begin = true;
    char      utf8[4];

    for (size_t at = 0; at < s.text.bytes;) {
        uint32_t c, to;
        at += tl_utf8_next(s.text.text + at, &c);
        to = (uint32_t)(begin ? utf8proc_toupper : utf8proc_tolower)((utf8proc_int32_t)c);
        tl_jadd(&b, utf8, tl_utf8_put(to, utf8));
        begin = words && !is_letter(c);
        tl_jstep(a->heap);
    }
    return tl_jtext(tl_jbuilt(&b));
}
static tl_jvalue text_title(const tl_jargs *a, tl_jvalue s) { return risen(a, s, true); }
static tl_jvalue text_capitalize(const tl_jargs *a, tl_jvalue s) { return risen(a, s, false); }

static tl_jvalue text_replace(const tl_jargs *a, tl_jvalue self)
{
    const tl_string from = text_arg(a, 0), to = text_arg(a, 1), s = self.text;
    tl_jvalue       limit = tl_jint(-1);
    tl_jbuild       b     = { .heap = a->heap };
    size_t          at    = 0;

    if (tl_jarg(a, 2, "count", &limit) && limit.kind == TL_JV_NONE) limit = tl_jint(-1);
    for (int64_t n = whole(a, limit); n != 0 && at <= s.bytes; n--) {
        const char *next = s.bytes > at || from.bytes == 0
                               ? memmem(s.text + at, s.bytes - at, from.text, from.bytes) : NULL;
        size_t      skip = from.bytes;
        if (!next) break;
        tl_jadd(&b, s.text + at, (size_t)(next - (s.text + at)));
        tl_jadd(&b, to.text, to.bytes);
        at = (size_t)(next - s.text) + skip;
        if (skip == 0) { /* before every character, and at the end */
            if (at == s.bytes) return tl_jtext(tl_jbuilt(&b));
            tl_jadd(&b, s.text + at, tl_utf8_bytes(s.text[at]));
            at += tl_utf8_bytes(s.text[at]);
        }
        tl_jstep(a->heap);
    }
    tl_jadd(&b, s.text + at, s.bytes - at);
    return tl_jtext(tl_jbuilt(&b));
}

static tl_jvalue text_join(const tl_jargs *a, tl_jvalue self)
{
    const tl_jlist list = tl_jitems(a->heap, needed(a, 0));
    tl_jbuild      b    = { .heap = a->heap };

    for (size_t i = 0; i < list.count; i++) {
        if (list.at[i].kind != TL_JV_TEXT) wrong(a, "texts are needed");
        if (i) tl_jadd(&b, self.text.text, self.text.bytes);
        tl_jadd(&b, list.at[i].text.text, list.at[i].text.bytes);
    }
    return tl_jtext(tl_jbuilt(&b));
}

static tl_jvalue text_find(const tl_jargs *a, tl_jvalue self)
{
    const tl_string what = text_arg(a, 0), s = self.text;
    const char     *at = memmem(s.text, s.bytes, what.text, what.bytes);

    return tl_jint(at ? tl_jchars(part(s, 0, (size_t)(at - s.text))) : -1);
}

static tl_jvalue text_count(const tl_jargs *a, tl_jvalue self)
{
    const tl_string what = text_arg(a, 0), s = self.text;
    const char     *at = s.text, *end = s.text + s.bytes;
    int64_t         n  = 0;

    if (what.bytes == 0) return tl_jint(tl_jchars(s) + 1);
    while (at < end && (at = memmem(at, (size_t)(end - at), what.text, what.bytes)))
        at += what.bytes, n++;
    return tl_jint(n);
}

static tl_jvalue text_isdigit(const tl_jargs *a, tl_jvalue self)
{
    bool is = self.text.bytes > 0;

    (void)a;
    for (size_t i = 0; i < self.text.bytes; i++)
        is = is && self.text.text[i] >= '0' && self.text.text[i] <= '9';
    return tl_jbool(is);
}

static tl_jvalue dict_items(const tl_jargs *a, tl_jvalue self)
{
    tl_jvalue all = tl_jlist_new(a->heap, self.dict->count);

    for (size_t i = 0; i < self.dict->count; i++) {
        all.list->at[i]             = tl_jlist_new(a->heap, 2);
        all.list->at[i].list->tuple = true;
        all.list->at[i].list->at[0] = self.dict->key[i];
        all.list->at[i].list->at[1] = self.dict->at[i];
    }
    return all;
}
static tl_jvalue listed(const tl_jargs *a, const tl_jvalue *from, size_t count)
{
    tl_jvalue all = tl_jlist_new(a->heap, count);

    if (count) memcpy(all.list->at, from, count * sizeof *from);
    return all;
}
static tl_jvalue dict_keys(const tl_jargs *a, tl_jvalue self)
{
    return listed(a, self.dict->key, self.dict->count);
}
static tl_jvalue dict_values(const tl_jargs *a, tl_jvalue self)
{
    return listed(a, self.dict->at, self.dict->count);
}
static tl_jvalue dict_get(const tl_jargs *a, tl_jvalue self)
{
    const tl_jvalue  key   = needed(a, 0);
    const tl_jvalue *found = key.kind == TL_JV_TEXT ? tl_jdict_get(self.dict, key.text) : NULL;
    tl_jvalue        other = tl_jnone();

    tl_jarg(a, 1, NULL, &other);
    return found ? *found : other;
}

static const struct { tl_jvalue_kind of; const char *name; method_body body; } methods[] = {
    { TL_JV_TEXT, "strip", text_strip },           { TL_JV_TEXT, "lstrip", text_lstrip },
    { TL_JV_TEXT, "rstrip", text_rstrip },         { TL_JV_TEXT, "split", text_split },
    { TL_JV_TEXT, "splitlines", text_splitlines }, { TL_JV_TEXT, "startswith", text_startswith },
    { TL_JV_TEXT, "endswith", text_endswith },     { TL_JV_TEXT, "upper", text_upper },
    { TL_JV_TEXT, "lower", text_lower },           { TL_JV_TEXT, "title", text_title },
    { TL_JV_TEXT, "capitalize", text_capitalize }, { TL_JV_TEXT, "replace", text_replace },
    { TL_JV_TEXT, "join", text_join },             { TL_JV_TEXT, "find", text_find },
    { TL_JV_TEXT, "count", text_count },           { TL_JV_TEXT, "isdigit", text_isdigit },
    { TL_JV_DICT, "items", dict_items },           { TL_JV_DICT, "keys", dict_keys },
    { TL_JV_DICT, "values", dict_values },         { TL_JV_DICT, "get", dict_get },
};

bool tl_jmethod(const tl_jargs *a, tl_jvalue self, tl_jvalue *out)
{
    for (size_t i = 0; i < TL_COUNT(methods); i++)
        if (methods[i].of == self.kind && tl_jsame(a->name, methods[i].name)) {
            *out = methods[i].body(a, self);
            return true;
        }
    return false;
}

/* ---- functions ---- */
static tl_jvalue call_range(const tl_jargs *a)
{
    enum { MOST = 100000 };
    tl_jvalue from = tl_jint(0), to = needed(a, 0), step = tl_jint(1), all;
    int64_t   n;

    if (tl_jarg(a, 1, NULL, &to)) from = needed(a, 0);
    tl_jarg(a, 2, NULL, &step);
    if (whole(a, step) == 0) wrong(a, "steps of 0");
    if (whole(a, from) < -MOST || from.whole > MOST || whole(a, to) < -MOST || to.whole > MOST ||
        step.whole < -MOST || step.whole > MOST)
        wrong(a, "over 100,000 numbers");
    n   = step.whole > 0 ? (to.whole - from.whole + step.whole - 1) / step.whole
                         : (from.whole - to.whole - step.whole - 1) / -step.whole;
    all = tl_jlist_new(a->heap, (size_t)TL_MAX(n, 0));
    for (int64_t i = 0; i < n; i++) all.list->at[i] = tl_jint(from.whole + i * step.whole);
    return all;
}

static tl_jvalue call_dict(const tl_jargs *a, tl_jvalue_kind kind)
{
    tl_jvalue d = tl_jdict_new(a->heap, kind);

    for (int i = 0; i < a->count; i++) {
        if (a->key[i].bytes) tl_jdict_set(a->heap, d.dict, a->key[i], a->value[i]);
        else if (a->value[i].kind != TL_JV_DICT) wrong(a, "an object is needed");
        else
            for (size_t k = 0; k < a->value[i].dict->count; k++)
                tl_jdict_set(a->heap, d.dict, a->value[i].dict->key[k].text,
                             a->value[i].dict->at[k]);
    }
    return d;
}
static tl_jvalue call_namespace(const tl_jargs *a) { return call_dict(a, TL_JV_SPACE); }
static tl_jvalue call_object(const tl_jargs *a) { return call_dict(a, TL_JV_DICT); }

static tl_jvalue call_raise(const tl_jargs *a)
{
    const tl_string s = tl_jstr(a->heap, needed(a, 0));

    tl_jfail(a->heap, "the template says: %.*s (mend the messages)",
             (int)TL_MIN(s.bytes, (size_t)300), s.text);
}

static tl_jvalue call_clock(const tl_jargs *a)
{
    const tl_string s   = text_arg(a, 0);
    const time_t    now = time(NULL);
    char           *out = tl_jtake(a->heap, 512);
    struct tm       parts;

    if (s.bytes > 60 || memchr(s.text, 0, s.bytes) || !localtime_r(&now, &parts))
        wrong(a, "no time in this form");
    char *format = tl_jtake(a->heap, s.bytes + 1);
    memcpy(format, s.text, s.bytes);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral" /* the form is the template's */
    const size_t bytes = strftime(out, 512, format, &parts);
#pragma GCC diagnostic pop
    return tl_jtext((tl_string){ out, bytes });
}

static const struct { const char *name; tl_jvalue (*body)(const tl_jargs *a); bool clock; }
functions[] = {
    { "range", call_range, false },           { "namespace", call_namespace, false },
    { "dict", call_object, false },           { "raise_exception", call_raise, false },
    { "strftime_now", call_clock, true },
};

int tl_jglobal(tl_string name)
{
    for (size_t i = 0; i < TL_COUNT(functions); i++)
        if (tl_jsame(name, functions[i].name)) return (int)i;
    return -1;
}

tl_jvalue tl_jglobal_call(const tl_jargs *a, int global)
{
    if (functions[global].clock && !a->clock) wrong(a, "no time is known here");
    return functions[global].body(a);
}
