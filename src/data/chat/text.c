/* text.c -- values as text: Python's str() and repr(), and json.dumps.  Floor 2, data. */
#include "data/chat/inside.h"
#include "data/tokenizer/unicode.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void tl_jadd(tl_jbuild *b, const char *s, size_t bytes)
{
    if (bytes > TL_J_MOST_OUTPUT - TL_MIN(b->bytes, (size_t)TL_J_MOST_OUTPUT))
        tl_jfail(b->heap, "makes over 64 MB of text (take another template)");
    if (b->bytes + bytes >= b->room) {
        const size_t room = TL_MAX(2 * b->room, b->bytes + bytes + 64);
        char        *more = tl_jtake(b->heap, room);
        if (b->bytes) memcpy(more, b->s, b->bytes);
        b->s    = more;
        b->room = room;
    }
    if (bytes) memcpy(b->s + b->bytes, s, bytes);
    b->bytes += bytes;
    b->s[b->bytes] = 0;
}

tl_string tl_jbuilt(const tl_jbuild *b)
{
    return (tl_string){ b->s ? b->s : "", b->bytes };
}

static void add_word(tl_jbuild *b, const char *s)
{
    tl_jadd(b, s, strlen(s));
}

/* The shortest digits that give the number back, as Python writes them. */
static void add_real(tl_jbuild *b, double x)
{
    char   s[40], *e;
    double size = fabs(x);

    if (!isfinite(x)) {
        add_word(b, isnan(x) ? "nan" : x > 0 ? "inf" : "-inf");
        return;
    }
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(s, sizeof s, "%.*e", digits - 1, x);
        if (strtod(s, NULL) != x) continue;
        if (size == 0.0 || (size >= 1e-4 && size < 1e16)) {
            e = strchr(s, 'e');
            snprintf(s, sizeof s, "%.*f", TL_MAX(digits - 1 - (e ? atoi(e + 1) : 0), 1), x);
        }
        break;
    }
    add_word(b, s);
}

static void add_repr(tl_jbuild *b, tl_jvalue v);

static void add_text_repr(tl_jbuild *b, tl_string s)
{
    const bool single = s.bytes && memchr(s.text, '\'', s.bytes) && !memchr(s.text, '"', s.bytes);
    const char quote  = single ? '"' : '\'';
    char       code[8];

    tl_jadd(b, &quote, 1);
    for (size_t i = 0; i < s.bytes; i++) {
        const char c = s.text[i];
        if (c == '\n') add_word(b, "\\n");
        else if (c == '\t') add_word(b, "\\t");
        else if (c == '\r') add_word(b, "\\r");
        else if ((unsigned char)c < 32 || c == 127) {
            snprintf(code, sizeof code, "\\x%02x", (unsigned)c & 255u);
            add_word(b, code);
        } else {
            if (c == '\\' || c == quote) add_word(b, "\\");
            tl_jadd(b, &c, 1);
        }
    }
    tl_jadd(b, &quote, 1);
}

static void add_items(tl_jbuild *b, tl_jvalue v)
{
    const bool   list = v.kind == TL_JV_LIST, tuple = list && v.list->tuple;
    const size_t n    = list ? v.list->count : v.dict->count;

    tl_jdeeper(b->heap);
    add_word(b, tuple ? "(" : list ? "[" : "{");
    for (size_t i = 0; i < n; i++) {
        if (i) add_word(b, ", ");
        if (!list) {
            add_repr(b, v.dict->key[i]);
            add_word(b, ": ");
        }
        add_repr(b, list ? v.list->at[i] : v.dict->at[i]);
    }
    add_word(b, tuple ? (n == 1 ? ",)" : ")") : list ? "]" : "}");
    b->heap->depth--;
}

static void add_repr(tl_jbuild *b, tl_jvalue v)
{
    if (v.kind == TL_JV_TEXT) add_text_repr(b, v.text);
    else if (v.kind == TL_JV_UNDEFINED) add_word(b, "Undefined");
    else tl_jadd_value(b, v);
}

void tl_jadd_value(tl_jbuild *b, tl_jvalue v)
{
    char s[32];

    tl_jstep(b->heap);
    switch (v.kind) {
    case TL_JV_UNDEFINED: break;
    case TL_JV_NONE: add_word(b, "None"); break;
    case TL_JV_BOOL: add_word(b, v.truth ? "True" : "False"); break;
    case TL_JV_INT:
        snprintf(s, sizeof s, "%" PRId64, v.whole);
        add_word(b, s);
        break;
    case TL_JV_REAL: add_real(b, v.real); break;
    case TL_JV_TEXT: tl_jadd(b, v.text.text, v.text.bytes); break;
    case TL_JV_LIST:
    case TL_JV_DICT: add_items(b, v); break;
    default: tl_jfail(b->heap, "%s is no text (mend the template)", tl_jkind_name(v));
    }
}

tl_string tl_jstr(tl_jheap *h, tl_jvalue v)
{
    tl_jbuild b = { .heap = h };

    if (v.kind == TL_JV_TEXT) return v.text;
    tl_jadd_value(&b, v);
    return tl_jbuilt(&b);
}

/* ---- JSON ---- */
static void add_code(tl_jbuild *b, uint32_t c)
{
    char code[8];

    snprintf(code, sizeof code, "\\u%04x", c & 0xffffu);
    add_word(b, code);
}

static void add_json_char(tl_jbuild *b, uint32_t c, const char *from, size_t bytes, bool ascii)
{
    static const char plain[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
    const char       *known   = c ? strchr(plain, (int)TL_MIN(c, 127u)) : NULL;

    if (known && c < 127) {
        tl_jadd(b, "\\", 1);
        tl_jadd(b, &letters[known - plain], 1);
    } else if (c < 32 || (ascii && c >= 127 && c < 0x10000)) add_code(b, c);
    else if (ascii && c >= 0x10000) {
        add_code(b, 0xd800u + ((c - 0x10000u) >> 10));
        add_code(b, 0xdc00u + ((c - 0x10000u) & 0x3ffu));
    } else tl_jadd(b, from, bytes);
}

static void add_json_text(tl_jbuild *b, tl_string s, bool ascii)
{
    add_word(b, "\"");
    for (size_t at = 0; at < s.bytes;) {
        uint32_t     c;
        const size_t n = tl_utf8_next(s.text + at, &c);
        add_json_char(b, c, s.text + at, n, ascii && c != 127);
        at += n;
    }
    add_word(b, "\"");
}

static void new_line(tl_jbuild *b, const tl_jjson *how, int level)
{
    if (how->indent < 0) return;
    add_word(b, "\n");
    for (int i = 0; i < level * how->indent; i++) add_word(b, " ");
}

static int by_key(const void *a, const void *b)
{
    const tl_string x = (*(const tl_jvalue *const *)a)->text,
                    y = (*(const tl_jvalue *const *)b)->text;
    const size_t    n = TL_MIN(x.bytes, y.bytes);
    const int       by = n ? memcmp(x.text, y.text, n) : 0;

    return by ? by : (x.bytes > y.bytes) - (x.bytes < y.bytes);
}

static void add_json(tl_jbuild *b, tl_jvalue v, const tl_jjson *how, int level);

static void add_json_dict(tl_jbuild *b, const tl_jdict *d, const tl_jjson *how, int level)
{
    const tl_jvalue **order = tl_jtake(b->heap, (d->count + 1) * sizeof *order);

    for (size_t i = 0; i < d->count; i++) order[i] = &d->key[i];
    if (how->sorted && d->count) qsort(order, d->count, sizeof *order, by_key);
    for (size_t i = 0; i < d->count; i++) {
        if (i) tl_jadd(b, how->item.text, how->item.bytes);
        new_line(b, how, level);
        add_json_text(b, order[i]->text, how->ascii);
        tl_jadd(b, how->key.text, how->key.bytes);
        add_json(b, d->at[order[i] - d->key], how, level);
    }
}

static void add_json(tl_jbuild *b, tl_jvalue v, const tl_jjson *how, int level)
{
    size_t n;

    tl_jstep(b->heap);
    switch (v.kind) {
    case TL_JV_NONE: add_word(b, "null"); return;
    case TL_JV_BOOL: add_word(b, v.truth ? "true" : "false"); return;
    case TL_JV_TEXT: add_json_text(b, v.text, how->ascii); return;
    case TL_JV_REAL:
        if (isfinite(v.real)) add_real(b, v.real);
        else add_word(b, isnan(v.real) ? "NaN" : v.real > 0 ? "Infinity" : "-Infinity");
        return;
    case TL_JV_INT: tl_jadd_value(b, v); return;
    case TL_JV_LIST:
    case TL_JV_DICT: break;
    default: tl_jfail(b->heap, "%s is not for tojson (mend the template)", tl_jkind_name(v));
    }
    n = v.kind == TL_JV_LIST ? v.list->count : v.dict->count;
    tl_jdeeper(b->heap);
    add_word(b, v.kind == TL_JV_LIST ? "[" : "{");
    if (v.kind == TL_JV_DICT) add_json_dict(b, v.dict, how, level + 1);
    else
        for (size_t i = 0; i < n; i++) {
            if (i) tl_jadd(b, how->item.text, how->item.bytes);
            new_line(b, how, level + 1);
            add_json(b, v.list->at[i], how, level + 1);
        }
    if (n) new_line(b, how, level);
    add_word(b, v.kind == TL_JV_LIST ? "]" : "}");
    b->heap->depth--;
}

tl_string tl_jjson_text(tl_jheap *h, tl_jvalue v, const tl_jjson *how)
{
    tl_jbuild b = { .heap = h };

    add_json(&b, v, how, 0);
    return tl_jbuilt(&b);
}
