/* lex.c -- a template's text into tokens, blanks around tags taken away as Jinja does with
 * trim_blocks and lstrip_blocks.  Source: Jinja's lexer.py.  Floor 2, data. */
#include "data/chat/inside.h"
#include "data/tokenizer/unicode.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    tl_jheap   *h;
    const char *at, *end;
    bool        line_starts; /* the token before ended with a line end */
    tl_jtoken  *token;
    size_t      count, room;
} lexer;

static tl_jtoken *push(lexer *x, tl_jtoken_kind kind, const char *from, const char *to)
{
    if (x->count == x->room) {
        const size_t room = x->room ? 2 * x->room : 64;
        tl_jtoken   *more = tl_jtake(x->h, room * sizeof *more);
        if (x->count) memcpy(more, x->token, x->count * sizeof *more);
        x->token = more;
        x->room  = room;
    }
    x->token[x->count] = (tl_jtoken){ .kind = kind, .line = x->h->line,
                                      .text = { from, (size_t)(to - from) } };
    return &x->token[x->count++];
}

static void count_lines(lexer *x, const char *from, const char *to)
{
    for (; from < to; from++) x->h->line += *from == '\n';
}

static bool begins(const lexer *x, const char *word)
{
    const size_t n = strlen(word);

    return (size_t)(x->end - x->at) >= n && memcmp(x->at, word, n) == 0;
}

static bool is_blank(const char *s)
{
    uint32_t c;

    tl_utf8_next(s, &c);
    return tl_is_space(c) || (c >= 0x1c && c <= 0x1f);
}

static void skip_blanks(lexer *x)
{
    while (x->at < x->end && is_blank(x->at)) {
        x->line_starts = *x->at == '\n';
        x->h->line += *x->at == '\n';
        x->at += tl_utf8_bytes(*x->at);
    }
}

static const char *without_blanks(const char *from, const char *to)
{
    while (to > from) {
        const char *last = to - 1;
        while (last > from && tl_utf8_inside(*last)) last--;
        if (!is_blank(last)) break;
        to = last;
    }
    return to;
}

/* Text up to the next tag, which stands at `tag` (or the end); `sign` stands in the tag. */
static void data(lexer *x, const char *tag, char sign, bool variable)
{
    const char *to = tag, *line = tag;

    if (sign == '-') to = without_blanks(x->at, tag);
    else if (sign != '+' && !variable && tag < x->end) {
        while (line > x->at && line[-1] != '\n') line--;
        if ((line > x->at || x->line_starts) && without_blanks(line, tag) == line) to = line;
    }
    if (to > x->at) push(x, TL_JT_DATA, x->at, to);
    count_lines(x, x->at, tag);
    if (tag > x->at) x->line_starts = tag[-1] == '\n';
    x->at = tag;
}

/* Behind a tag's end: with '-' all blanks go, of blocks and comments else one line end. */
static void after_tag(lexer *x, char sign, bool variable)
{
    x->line_starts = false;
    if (sign == '-') skip_blanks(x);
    else if (sign != '+' && !variable && x->at < x->end && *x->at == '\n') {
        x->line_starts = true;
        x->h->line++;
        x->at++;
    }
}

static void comment(lexer *x)
{
    const char *from = x->at;
    char        sign = 0;

    while (x->at < x->end && !begins(x, "#}")) x->at++;
    if (x->at == x->end) tl_jfail(x->h, "a comment does not end (add #})");
    if (x->at > from + 2 && (x->at[-1] == '-' || x->at[-1] == '+')) sign = x->at[-1];
    x->at += 2;
    count_lines(x, from, x->at);
    after_tag(x, sign, false);
}

static uint32_t hex(lexer *x, const char **s, const char *end, int digits)
{
    uint32_t c = 0;

    for (int i = 0; i < digits; i++, ++*s) {
        const char *all = "0123456789abcdef", *d;
        if (*s >= end || !(d = strchr(all, **s | 0x20)) || !*d)
            tl_jfail(x->h, "a \\x or \\u lacks digits (mend the text)");
        c = c << 4 | (uint32_t)(d - all);
    }
    if (c > 0x10ffff || (c >= 0xd800 && c < 0xe000)) c = 0xfffd;
    return c;
}

/* One escape; unknown ones stay as they are, as in Python. */
static void escape(lexer *x, const char **s, const char *end, tl_jbuild *to)
{
    static const char from[] = "abfnrtv\\'\"", into[] = "\a\b\f\n\r\t\v\\'\"";
    const char        c = **s, *known = c ? strchr(from, c) : NULL;
    char              utf8[4];

    ++*s;
    if (known) tl_jadd(to, &into[known - from], 1);
    else if (c == 'x' || c == 'u' || c == 'U') {
        const uint32_t code = hex(x, s, end, c == 'x' ? 2 : c == 'u' ? 4 : 8);
        tl_jadd(to, utf8, tl_utf8_put(code, utf8));
    } else if (c == '0') tl_jadd(to, "", 1);
    else if (c != '\n') {
        tl_jadd(to, "\\", 1);
        tl_jadd(to, &c, 1);
    }
}

static void text_token(lexer *x)
{
    const char quote = *x->at, *from = ++x->at, *s = from;
    tl_jbuild  to = { .heap = x->h };
    tl_jtoken *t;

    while (s < x->end && *s != quote) {
        if (*s != '\\') {
            tl_jadd(&to, s++, 1);
            continue;
        }
        if (++s < x->end) escape(x, &s, x->end, &to);
    }
    if (s >= x->end) tl_jfail(x->h, "a text does not end (add %c)", quote);
    t       = push(x, TL_JT_TEXT, from, s);
    t->text = tl_jbuilt(&to);
    count_lines(x, from, s);
    x->at = s + 1;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static void number_token(lexer *x)
{
    char        digits[64];
    size_t      n    = 0;
    const char *from = x->at;
    bool        real = false;
    tl_jtoken  *t;

    for (; x->at < x->end; x->at++) {
        const char c = *x->at, next = x->at + 1 < x->end ? x->at[1] : 0;
        if (c == '_') continue;
        if (c == '.' && !real && is_digit(next)) real = true;
        else if ((c == 'e' || c == 'E') && (is_digit(next) || next == '-' || next == '+'))
            real = true;
        else if ((c == '-' || c == '+') && n && (digits[n - 1] | 0x20) == 'e') {
        } else if (!is_digit(c)) break;
        if (n + 1 == sizeof digits) tl_jfail(x->h, "a number is too long (mend it)");
        digits[n++] = c;
    }
    digits[n] = 0;
    t         = push(x, real ? TL_JT_REAL : TL_JT_INT, from, x->at);
    errno     = 0;
    if (real) t->real = strtod(digits, NULL);
    else t->whole = strtoll(digits, NULL, 10);
    if (errno == ERANGE) tl_jfail(x->h, "a number is too large (mend it)");
}

static bool is_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '_';
}

static void operator_token(lexer *x)
{
    static const char *const two[] = { "==", "!=", "<=", ">=", "//", "**" };
    size_t                   n     = 1;

    for (size_t i = 0; i < TL_COUNT(two); i++)
        if (begins(x, two[i])) n = 2;
    if (!strchr("+-*/%~()[]{},.:|=<>", *x->at) && n == 1)
        tl_jfail(x->h, "\"%c\" is not understood (mend the template)",
                 *x->at > ' ' && *x->at < 127 ? *x->at : '?');
    push(x, TL_JT_OP, x->at, x->at + n);
    x->at += n;
}

/* Does the tag end here, perhaps with a sign? */
static bool tag_ends(lexer *x, const char *mark, char *sign)
{
    const bool signed_ = x->at < x->end && (*x->at == '-' || *x->at == '+');

    *sign = signed_ ? *x->at : 0;
    x->at += signed_;
    if (begins(x, mark)) {
        x->at += 2;
        return true;
    }
    x->at -= signed_;
    return false;
}

/* Inside a tag, up to its end; braces nest. */
static void inside(lexer *x, bool variable)
{
    const char *mark = variable ? "}}" : "%}";
    int         open = 0;
    char        sign;

    for (;;) {
        while (x->at < x->end && is_blank(x->at)) {
            x->h->line += *x->at == '\n';
            x->at += tl_utf8_bytes(*x->at);
        }
        if (x->at >= x->end) tl_jfail(x->h, "a tag does not end (add %s)", mark);
        if (open == 0 && tag_ends(x, mark, &sign)) break;
        if (*x->at == '\'' || *x->at == '"') text_token(x);
        else if (is_digit(*x->at)) number_token(x);
        else if (is_name(*x->at)) {
            const char *from = x->at;
            while (x->at < x->end && is_name(*x->at)) x->at++;
            push(x, TL_JT_NAME, from, x->at);
        } else {
            open += (*x->at == '{' || *x->at == '(' || *x->at == '[') -
                    (*x->at == '}' || *x->at == ')' || *x->at == ']');
            if (open < 0) tl_jfail(x->h, "a bracket closes that was not opened (mend it)");
            operator_token(x);
        }
    }
    push(x, variable ? TL_JT_PRINT_END : TL_JT_BLOCK_END, x->at, x->at);
    after_tag(x, sign, variable);
}

/* {% raw %} ... {% endraw %}: false where it is not one. */
static bool raw(lexer *x)
{
    const char *from = x->at;
    char        sign;

    x->at += 2 + (x->at + 2 < x->end && (x->at[2] == '-' || x->at[2] == '+'));
    while (x->at < x->end && is_blank(x->at)) x->at += tl_utf8_bytes(*x->at);
    if (!begins(x, "raw") || (x->at + 3 < x->end && is_name(x->at[3]))) {
        x->at = from;
        return false;
    }
    x->at += 3;
    while (x->at < x->end && is_blank(x->at)) x->at += tl_utf8_bytes(*x->at);
    if (!tag_ends(x, "%}", &sign)) tl_jfail(x->h, "a raw block is not understood (mend it)");
    after_tag(x, sign, false);
    for (const char *s = x->at; s + 1 < x->end; s++) {
        lexer       y = *x;
        const char *name;
        if (s[0] != '{' || s[1] != '%') continue;
        y.at = s + 2 + (s + 2 < x->end && (s[2] == '-' || s[2] == '+'));
        while (y.at < y.end && is_blank(y.at)) y.at += tl_utf8_bytes(*y.at);
        name = "endraw";
        if (!begins(&y, name)) continue;
        data(x, s, s[2] == '-' || s[2] == '+' ? s[2] : 0, false);
        x->at = y.at + strlen(name);
        while (x->at < x->end && is_blank(x->at)) x->at += tl_utf8_bytes(*x->at);
        if (!tag_ends(x, "%}", &sign)) tl_jfail(x->h, "endraw does not end (add %%})");
        after_tag(x, sign, false);
        return true;
    }
    tl_jfail(x->h, "a raw block does not end (add {%% endraw %%})");
}

static const char *next_tag(const lexer *x)
{
    for (const char *s = x->at; s + 1 < x->end; s++)
        if (s[0] == '{' && (s[1] == '{' || s[1] == '%' || s[1] == '#')) return s;
    return x->end;
}

/* Line ends become \n, one at the very end goes. */
static tl_string normal(tl_jheap *h, const char *text, size_t bytes)
{
    char  *to = tl_jtake(h, bytes + 1);
    size_t n  = 0;

    for (size_t i = 0; i < bytes; i++) {
        if (text[i] == '\r' && i + 1 < bytes && text[i + 1] == '\n') continue;
        to[n++] = text[i] == '\r' ? '\n' : text[i];
    }
    if (n && to[n - 1] == '\n') n--;
    to[n] = 0;
    return (tl_string){ to, n };
}

tl_jtoken *tl_jlex(tl_jheap *h, const char *text, size_t bytes)
{
    const tl_string s = normal(h, text, bytes);
    lexer           x = { .h = h, .at = s.text, .end = s.text + s.bytes, .line_starts = true };

    h->line = 1;
    while (x.at < x.end) {
        const char *tag  = next_tag(&x);
        const char  sign = tag + 2 < x.end && (tag[2] == '-' || tag[2] == '+') ? tag[2] : 0;
        const bool  variable = tag < x.end && tag[1] == '{';
        data(&x, tag, sign, variable);
        if (tag == x.end) break;
        if (tag[1] == '#') comment(&x);
        else if (variable || !raw(&x)) {
            x.at += 2 + (sign != 0);
            push(&x, variable ? TL_JT_PRINT : TL_JT_BLOCK, tag, x.at);
            inside(&x, variable);
        }
    }
    push(&x, TL_JT_END, x.end, x.end);
    return x.token;
}
