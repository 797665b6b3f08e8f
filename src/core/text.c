/* text.c -- growing text, spelling help, numbers with units.  Floor 0. */
#include "core/text.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

tl_text tl_text_make(tl_ctx *ctx)
{
    return (tl_text){ .ctx = ctx };
}

static bool reserve(tl_text *t, size_t more)
{
    if (t->status != TL_OK) return false;
    if (t->bytes + more + 1 > t->room) {
        const size_t room = TL_MAX(2 * t->room, t->bytes + more + 1 + 256);
        t->status         = tl_realloc(t->ctx, room, &t->text);
        if (t->status == TL_OK) t->room = room;
    }
    return t->status == TL_OK;
}

void tl_text_add_bytes(tl_text *t, const void *data, size_t bytes)
{
    if (!reserve(t, bytes)) return;
    memcpy(t->text + t->bytes, data, bytes);
    t->bytes += bytes;
    t->text[t->bytes] = 0;
}

void tl_text_add(tl_text *t, const char *s)
{
    tl_text_add_bytes(t, s, strlen(s));
}

void tl_text_printf(tl_text *t, const char *format, ...)
{
    va_list args, again;
    int     bytes;

    va_start(args, format);
    va_copy(again, args);
    bytes = vsnprintf(NULL, 0, format, args);
    if (bytes >= 0 && reserve(t, (size_t)bytes)) {
        vsnprintf(t->text + t->bytes, (size_t)bytes + 1, format, again);
        t->bytes += (size_t)bytes;
    }
    va_end(again);
    va_end(args);
}

/* Bytes of the character at `c` (the Unicode Standard, table 3-7); 0: it is none. */
static size_t character(const unsigned char *c)
{
    const size_t bytes = c[0] < 0x80                    ? 1
                         : c[0] >= 0xc2 && c[0] <= 0xdf ? 2
                         : c[0] >= 0xe0 && c[0] <= 0xef ? 3
                         : c[0] >= 0xf0 && c[0] <= 0xf4 ? 4
                                                        : 0;

    for (size_t i = 1; i < bytes; i++)
        if ((c[i] & 0xc0) != 0x80) return 0;
    if ((c[0] == 0xe0 && c[1] < 0xa0) || (c[0] == 0xed && c[1] > 0x9f) ||
        (c[0] == 0xf0 && c[1] < 0x90) || (c[0] == 0xf4 && c[1] > 0x8f))
        return 0;
    return bytes;
}

void tl_one_line(char *text)
{
    for (unsigned char *c = (unsigned char *)text; *c;) {
        const size_t bytes = character(c);
        const bool   moves = *c == '\n' || *c == '\r' || *c == '\t';
        if (bytes == 0 || *c < 32 || *c == 127 ||
            (bytes == 2 && c[0] == 0xc2 && c[1] < 0xa0))
            *c++ = moves ? ' ' : '?';
        else
            c += bytes;
    }
}

void tl_text_add_word(tl_text *t, const char *word)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
        "._-+/,:=@%";

    if (*word && strspn(word, plain) == strlen(word)) {
        tl_text_add(t, word);
        return;
    }
    tl_text_add(t, "'");
    for (; *word; word++) {
        if (*word == '\'') tl_text_add(t, "'\\''");
        else tl_text_add_bytes(t, word, 1);
    }
    tl_text_add(t, "'");
}

void tl_text_free(tl_text *t)
{
    if (t->ctx) tl_free(t->ctx, t->text);
    *t = (tl_text){ .ctx = t->ctx };
}

/* Letters changed, added, left out or swapped with their neighbour (optimal string alignment);
 * words longer than the rows count as far apart. */
static size_t distance(const char *a, const char *b)
{
    size_t       rows[3][64], *above = rows[0], *before = rows[1], *row = rows[2];
    const size_t n = strlen(a), m = strlen(b);

    if (m >= TL_COUNT(rows[0])) return SIZE_MAX;
    for (size_t j = 0; j <= m; j++) row[j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t *free_row = before;
        before = above, above = row, row = free_row;
        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            const int x = tolower((unsigned char)a[i - 1]), y = tolower((unsigned char)b[j - 1]);
            row[j] = TL_MIN(TL_MIN(above[j], row[j - 1]) + 1, above[j - 1] + (x != y));
            if (i > 1 && j > 1 && x == tolower((unsigned char)b[j - 2]) &&
                y == tolower((unsigned char)a[i - 2]))
                row[j] = TL_MIN(row[j], before[j - 2] + 1);
        }
    }
    return row[m];
}

const char *tl_did_you_mean(const char *word, tl_name_at at)
{
    const char *best = NULL, *name;
    size_t      least = TL_MAX((size_t)1, strlen(word) / 3) + 1;

    for (size_t i = 0; (name = at(i)); i++) {
        const size_t d = distance(word, name);
        if (d < least) least = d, best = name;
    }
    return best;
}

bool tl_parse_double(const char *text, double *value)
{
    char *end;

    errno = 0;
    if (!*text || isspace((unsigned char)*text)) return false;
    const double v = strtod(text, &end);
    if (*end || errno || !isfinite(v)) return false;
    *value = v;
    return true;
}

bool tl_parse_int(const char *text, int64_t *value)
{
    char *end;

    errno = 0;
    if (!*text || isspace((unsigned char)*text)) return false;
    const long long v = strtoll(text, &end, 10);
    if (*end || errno) return false;
    *value = v;
    return true;
}

bool tl_parse_seconds(const char *text, double *seconds)
{
    double sum = 0.0;

    if (!*text) return false;
    while (*text) {
        char  *end;
        double unit = 1.0, v;
        if (!isdigit((unsigned char)*text) && *text != '.') return false;
        v = strtod(text, &end);
        switch (*end) {
        case 'd': unit = 86400.0; break;
        case 'h': unit = 3600.0; break;
        case 'm': unit = 60.0; break;
        case 's': case 0: break;
        default: return false;
        }
        sum += v * unit;
        text = *end ? end + 1 : end;
    }
    if (!isfinite(sum) || sum <= 0.0) return false;
    *seconds = sum;
    return true;
}

bool tl_parse_bytes(const char *text, size_t *bytes)
{
    static const char units[] = "kmgt";
    char             *end;
    double            v;

    if (!isdigit((unsigned char)*text)) return false;
    v = strtod(text, &end);
    if (*end) {
        const char *unit = strchr(units, tolower((unsigned char)*end));
        if (!unit) return false;
        v *= pow(1024.0, (double)(unit - units + 1));
        end++;
        if (*end && strcasecmp(end, "b") != 0 && strcasecmp(end, "ib") != 0) return false;
    }
    if (!(v >= 1.0) || v > 1e15) return false;
    *bytes = (size_t)v;
    return true;
}

char *tl_say_seconds(double s, char buffer[32])
{
    if (s < 0.0995) snprintf(buffer, 32, "%.0f ms", 1e3 * s);
    else if (s < 9.95) snprintf(buffer, 32, "%.1f s", s);
    else if (s < 59.5) snprintf(buffer, 32, "%.0f s", s);
    else if (s < 3570.0)
        snprintf(buffer, 32, "%dm %02ds", (int)(s + 0.5) / 60, (int)(s + 0.5) % 60);
    else snprintf(buffer, 32, "%dh %02dm", (int)(s / 60.0 + 0.5) / 60, (int)(s / 60.0 + 0.5) % 60);
    return buffer;
}

char *tl_say_bytes(double bytes, char buffer[32])
{
    static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
    size_t                   u       = 0;

    while (bytes >= 1023.5 && u + 1 < TL_COUNT(units)) bytes /= 1024.0, u++;
    snprintf(buffer, 32, bytes < 9.95 && u ? "%.1f %s" : "%.0f %s", bytes, units[u]);
    return buffer;
}

char *tl_say_count(int64_t n, char buffer[32])
{
    char      digits[24];
    const int len = snprintf(digits, sizeof digits, "%" PRId64, n < 0 ? -n : n);
    char     *out = buffer;

    if (n < 0) *out++ = '-';
    for (int i = 0; i < len; i++) {
        *out++ = digits[i];
        if (i + 1 < len && (len - 1 - i) % 3 == 0) *out++ = ',';
    }
    *out = 0;
    return buffer;
}

char *tl_say_number(double value, int digits, char buffer[32])
{
    char rounded[32];

    snprintf(rounded, sizeof rounded, "%.*e", digits - 1, value);
    const double shown = strtod(rounded, NULL);
    if (fabs(shown) >= pow(10.0, TL_MAX(3, digits - 1)) && fabs(shown) < 1e15)
        return tl_say_count((int64_t)shown, buffer);
    snprintf(buffer, 32, "%.*g", digits, value);
    return buffer;
}

char *tl_say_points(double share, char buffer[32])
{
    const int len = snprintf(buffer, 24, fabs(share) < 0.01 ? "%.2g" : "%.3g", 100.0 * share);

    snprintf(buffer + len, 8, strcmp(buffer, "1") == 0 ? " point" : " points");
    return buffer;
}

const char *tl_plural(int64_t n, const char *one, const char *many)
{
    return n == 1 ? one : many;
}
