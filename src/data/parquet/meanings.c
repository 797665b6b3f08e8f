/* meanings.c -- a stored value as the text that a CSV would hold: numbers, decimals, dates and
 * times, texts.  Source: parquet-format's LogicalTypes.md; dates: Hinnant, "chrono-Compatible
 * Low-Level Date Algorithms".  Floor 2, data. */
#include "data/parquet/inside.h"
#include "data/tokenizer/unicode.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DAY = 86400, JULIAN_1970 = 2440588, MOST_DECIMAL = 32 };
static const int64_t NANOS = 1000000000;

static uint64_t little(const uint8_t *b, size_t bytes)
{
    uint64_t v = 0;

    for (size_t i = bytes; i-- > 0;) v = v << 8 | b[i];
    return v;
}

static int64_t whole(tl_pq_bytes v)
{
    return v.bytes == 4 ? (int32_t)little(v.at, 4) : (int64_t)little(v.at, v.bytes);
}

static tl_pq_wrote write_truth(const tl_pq_node *n, tl_pq_bytes v, tl_text *to)
{
    (void)n;
    tl_text_add(to, *v.at ? "true" : "false");
    return TL_PQ_WRITTEN;
}

static tl_pq_wrote write_whole(const tl_pq_node *n, tl_pq_bytes v, tl_text *to)
{
    char text[32];

    (void)n;
    tl_text_add_bytes(to, text, (size_t)snprintf(text, sizeof text, "%" PRId64, whole(v)));
    return TL_PQ_WRITTEN;
}

static tl_pq_wrote write_unsigned(const tl_pq_node *n, tl_pq_bytes v, tl_text *to)
{
    char text[32];

    (void)n;
    tl_text_add_bytes(to, text,
                      (size_t)snprintf(text, sizeof text, "%" PRIu64, little(v.at, v.bytes)));
    return TL_PQ_WRITTEN;
}

/* With the fewest digits, from `least`, that read back as the same: `same` of type. */
static tl_pq_wrote write_real(double value, bool single, int least, int most, tl_text *to)
{
    char text[48];

    if (isnan(value)) return TL_PQ_NOTHING;
    if (fabs(value) < 1e15 && value == floor(value)) {
        snprintf(text, sizeof text, "%.1f", value);
        tl_text_add(to, text);
        return TL_PQ_WRITTEN;
    }
    for (int digits = least; digits <= most; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (single ? strtof(text, NULL) == (float)value : strtod(text, NULL) == value) break;
    }
    tl_text_add(to, text);
    return TL_PQ_WRITTEN;
}

static tl_pq_wrote write_float(const tl_pq_node *n, tl_pq_bytes v, tl_text *to)
{
    const uint32_t bits = (uint32_t)little(v.at, 4);
    float          value;

    (void)n;
    memcpy(&value, &bits, sizeof value);
    return write_real((double)value, true, 6, 9, to);
}

static tl_pq_wrote write_double(const tl_pq_node *n, tl_pq_bytes v, tl_text *to)
{
    const uint64_t bits = little(v.at, 8);
    double         value;

    (void)n;
    memcpy(&value, &bits, sizeof value);
    return write_real(value, false, 15, 17, to);
}

/* IEEE 754 binary16: five digits tell any two apart. */
static tl_pq_wrote write_half(const tl_pq_node *n, tl_pq_bytes v, tl_text *to)
{
    const unsigned bits = (unsigned)little(v.at, 2), raised = bits >> 10 & 31, part = bits & 1023;
    const double   size = raised == 31 ? (part ? (double)NAN : (double)INFINITY)
                          : raised     ? ldexp(1024.0 + part, (int)raised - 25)
                                       : ldexp(part, -24);

    (void)n;
    return write_real(bits >> 15 ? -size : size, true, 5, 5, to);
}

static tl_pq_wrote write_text(const tl_pq_node *n, tl_pq_bytes v, tl_text *to)
{
    size_t bad;

    (void)n;
    if (v.bytes && (memchr(v.at, 0, v.bytes) ||
                    tl_utf8_valid((const char *)v.at, v.bytes, &bad) != v.bytes))
        return TL_PQ_WRONG;
    tl_text_add_bytes(to, v.bytes ? (const char *)v.at : "", v.bytes);
    return TL_PQ_WRITTEN;
}

/* Bytes, the highest first, as the digits of a number without sign. */
static size_t digits_of(const uint8_t *big, size_t bytes, char *out)
{
    uint8_t rest[MOST_DECIMAL];
    size_t  n = 0, first = 0;

    memcpy(rest, big, bytes);
    while (first < bytes) {
        unsigned carry = 0;
        for (size_t i = first; i < bytes; i++) {
            carry   = carry << 8 | rest[i];
            rest[i] = (uint8_t)(carry / 10);
            carry %= 10;
        }
        out[n++] = (char)('0' + carry);
        while (first < bytes && rest[first] == 0) first++;
    }
    for (size_t i = 0; i < n / 2; i++) {
        const char c   = out[i];
        out[i]         = out[n - 1 - i];
        out[n - 1 - i] = c;
    }
    return n;
}

/* Two's complement, the highest byte first where it is no INT32 or INT64. */
static tl_pq_wrote write_decimal(const tl_pq_node *n, tl_pq_bytes v, tl_text *to)
{
    const bool   back = n->physical == TL_PQ_INT32 || n->physical == TL_PQ_INT64;
    const size_t scale = (size_t)n->scale;
    uint8_t      big[MOST_DECIMAL];
    char         digit[3 * MOST_DECIMAL];
    unsigned     carry = 1;

    if (v.bytes == 0 || v.bytes > MOST_DECIMAL) return TL_PQ_WRONG;
    for (size_t i = 0; i < v.bytes; i++) big[i] = v.at[back ? v.bytes - 1 - i : i];
    const bool minus = big[0] >> 7;
    for (size_t i = v.bytes; minus && i-- > 0;) {
        carry += (uint8_t)~big[i];
        big[i] = (uint8_t)carry;
        carry >>= 8;
    }
    const size_t digits = digits_of(big, v.bytes, digit);
    if (minus) tl_text_add(to, "-");
    if (digits > scale) tl_text_add_bytes(to, digit, digits - scale);
    else tl_text_add(to, "0");
    if (scale) tl_text_add(to, ".");
    for (size_t i = digits; i < scale; i++) tl_text_add(to, "0");
    tl_text_add_bytes(to, digit + (digits > scale ? digits - scale : 0), TL_MIN(digits, scale));
    return TL_PQ_WRITTEN;
}

/* Whole part and remainder, the remainder never below zero. */
static int64_t part(int64_t value, int64_t by, int64_t *rest)
{
    const int64_t whole_part = value / by, left = value % by;

    *rest = left < 0 ? left + by : left;
    return whole_part - (left < 0);
}

static void put_day(int64_t days, tl_text *to)
{
    int64_t       doe;
    const int64_t era = part(days + 719468, 146097, &doe);
    const int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    const int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
    const int64_t day = doy - (153 * mp + 2) / 5 + 1, month = mp + (mp < 10 ? 3 : -9);

    tl_text_printf(to, "%04" PRId64 "-%02" PRId64 "-%02" PRId64,
                   yoe + era * 400 + (month <= 2), month, day);
}

/* A fraction's zeros at the end are left out. */
static void put_clock(int64_t seconds, int64_t fraction, int64_t per_second, tl_text *to)
{
    int digits = per_second == 1000 ? 3 : per_second == NANOS ? 9 : 6;

    tl_text_printf(to, "%02" PRId64 ":%02" PRId64 ":%02" PRId64, seconds / 3600,
                   seconds / 60 % 60, seconds % 60);
    if (fraction == 0) return;
    for (; fraction % 10 == 0; digits--) fraction /= 10;
    tl_text_printf(to, ".%0*" PRId64, digits, fraction);
}

static void put_moment(int64_t units, int64_t per_second, bool utc, tl_text *to)
{
    int64_t       fraction, clock;
    const int64_t seconds = part(units, per_second, &fraction);

    put_day(part(seconds, DAY, &clock), to);
    tl_text_add(to, " ");
    put_clock(clock, fraction, per_second, to);
    if (utc) tl_text_add(to, "Z");
}

static tl_pq_wrote write_date(const tl_pq_node *n, tl_pq_bytes v, tl_text *to)
{
    (void)n;
    put_day(whole(v), to);
    return TL_PQ_WRITTEN;
}

static tl_pq_wrote write_time(const tl_pq_node *n, tl_pq_bytes v, tl_text *to)
{
    int64_t       fraction;
    const int64_t seconds = part(whole(v), n->per_second, &fraction);

    if (seconds < 0 || seconds >= DAY) return TL_PQ_WRONG;
    put_clock(seconds, fraction, n->per_second, to);
    return TL_PQ_WRITTEN;
}

static tl_pq_wrote write_timestamp(const tl_pq_node *n, tl_pq_bytes v, tl_text *to)
{
    put_moment(whole(v), n->per_second, n->utc, to);
    return TL_PQ_WRITTEN;
}

/* Nanoseconds of the day, then the Julian day: what Impala and old Spark write. */
static tl_pq_wrote write_int96(const tl_pq_node *n, tl_pq_bytes v, tl_text *to)
{
    int64_t       nanos;
    const int64_t more = part((int64_t)little(v.at, 8), DAY * NANOS, &nanos);

    (void)n;
    put_day((int32_t)little(v.at + 8, 4) - (int64_t)JULIAN_1970 + more, to);
    tl_text_add(to, " ");
    put_clock(nanos / NANOS, nanos % NANOS, NANOS, to);
    return TL_PQ_WRITTEN;
}

/* Below 0: not known, as Hugging Face's datasets have it; beyond the names: the number. */
static tl_pq_wrote write_class(const tl_pq_node *n, tl_pq_bytes v, tl_text *to)
{
    const int64_t k    = whole(v);
    const json_t *name = k >= 0 ? json_array_get(n->names, (size_t)k) : NULL;

    if (k < 0) return TL_PQ_NOTHING;
    if (!name) return write_whole(n, v, to);
    tl_text_add_bytes(to, json_string_value(name), json_string_length(name));
    return TL_PQ_WRITTEN;
}

static tl_pq_wrote write_uuid(const tl_pq_node *n, tl_pq_bytes v, tl_text *to)
{
    (void)n;
    for (size_t i = 0; i < v.bytes; i++)
        tl_text_printf(to, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", v.at[i]);
    return TL_PQ_WRITTEN;
}

static const tl_pq_meaning truth   = { "truth values", false, NULL, write_truth },
                           integer = { "whole numbers", false, NULL, write_whole },
                           natural = { "whole numbers from 0", false, NULL, write_unsigned },
                           single  = { "numbers", false, NULL, write_float },
                           real    = { "numbers", false, NULL, write_double },
                           half    = { "numbers", false, NULL, write_half },
                           text    = { "texts", true, "bytes that are no UTF-8 text", write_text },
                           decimal = { "decimals", false, "a decimal of no or over 32 bytes",
                                       write_decimal },
                           date    = { "dates", true, NULL, write_date },
                           daytime = { "times", true, "a time that no clock shows", write_time },
                           moment  = { "timestamps", true, NULL, write_timestamp },
                           old     = { "timestamps", true, NULL, write_int96 },
                           uuid    = { "UUIDs", true, NULL, write_uuid },
                           class   = { "classes", true, NULL, write_class };

#define OF(physical) (1u << TL_PQ_##physical)
#define TIMES (OF(INT32) | OF(INT64))
/* By annotation, new or old; -1: has none of that kind.  No record: named, not read. */
static const struct {
    int                  logical, converted;
    unsigned             physical;
    size_t               width; /* of FIXED; 0: any */
    const tl_pq_meaning *meaning;
    const char          *called;
} annotations[] = {
    { 1, 0, OF(BYTE_ARRAY), 0, &text, "texts" },
    { 4, 4, OF(BYTE_ARRAY), 0, &text, "texts" },
    { 12, 19, OF(BYTE_ARRAY), 0, &text, "texts" },
    { 5, 5, TIMES | OF(BYTE_ARRAY) | OF(FIXED), 0, &decimal, "decimals" },
    { 6, 6, OF(INT32), 0, &date, "dates" },
    { 7, 7, TIMES, 0, &daytime, "times" },
    { 7, 8, TIMES, 0, &daytime, "times" },
    { 8, 9, OF(INT64), 0, &moment, "timestamps" },
    { 8, 10, OF(INT64), 0, &moment, "timestamps" },
    { 10, 11, TIMES, 0, &natural, "whole numbers" },
    { 10, 12, TIMES, 0, &natural, "whole numbers" },
    { 10, 13, TIMES, 0, &natural, "whole numbers" },
    { 10, 14, TIMES, 0, &natural, "whole numbers" },
    { 10, 15, TIMES, 0, &integer, "whole numbers" },
    { 10, 16, TIMES, 0, &integer, "whole numbers" },
    { 10, 17, TIMES, 0, &integer, "whole numbers" },
    { 10, 18, TIMES, 0, &integer, "whole numbers" },
    { 14, -1, OF(FIXED), 16, &uuid, "UUIDs" },
    { 15, -1, OF(FIXED), 2, &half, "numbers" },
    { 13, 20, 0, 0, NULL, "BSON values" },
    { -1, 21, 0, 0, NULL, "intervals" },
    { 16, -1, 0, 0, NULL, "variants" },
    { 17, -1, 0, 0, NULL, "geometries" },
    { 18, -1, 0, 0, NULL, "geographies" },
};
static const tl_pq_meaning *const plain[] = { &truth,  &integer, &integer, &old,
                                              &single, &real,    &text,    &text };

/* Milliseconds, microseconds, nanoseconds: 1, 2, 3 of the new annotation. */
static void take_unit(tl_pq_node *n, const tl_pq_said *said)
{
    const bool millis = said->converted == 7 || said->converted == 9;
    const int  unit   = said->unit > 0 ? said->unit : millis ? 1 : 2;

    n->per_second = unit == 1 ? 1000 : unit == 2 ? 1000000 : NANOS;
    n->utc        = said->logical == 8 ? said->utc : said->converted == 9 || said->converted == 10;
}

const char *tl_pq_take_meaning(tl_pq_node *n, const tl_pq_said *said)
{
    n->meaning = plain[n->physical];
    n->scale   = said->scale;
    take_unit(n, said);
    if (said->logical == 10) {
        n->meaning = said->is_signed ? &integer : &natural;
        return n->physical == TL_PQ_INT32 || n->physical == TL_PQ_INT64 ? NULL : "no whole numbers";
    }
    if (said->logical == 11) return NULL; /* nulls, all of them */
    for (size_t i = 0; i < TL_COUNT(annotations); i++) {
        const bool new_one = said->logical > 0 && annotations[i].logical == said->logical;
        if (!new_one && (said->logical > 0 || said->converted < 0 ||
                         annotations[i].converted != said->converted))
            continue;
        n->meaning = annotations[i].meaning;
        if (!n->meaning) return annotations[i].called;
        if (!(annotations[i].physical >> n->physical & 1) ||
            (annotations[i].width && annotations[i].width != n->width))
            return "values of a type that does not go with what they are said to be";
        return NULL;
    }
    return NULL; /* of a kind that is not known here: as it is stored */
}

void tl_pq_take_class_names(tl_pq_node *n, const json_t *names)
{
    if (n->meaning != &integer) return;
    n->meaning = &class;
    n->names   = names;
}

void tl_pq_quote(tl_text *to, const char *s, size_t bytes)
{
    static const char names[] = "\b\f\n\r\t", letters[] = "bfnrt";
    char              escape[8];

    tl_text_add(to, "\"");
    for (size_t i = 0, from = 0; i <= bytes; i++) {
        const unsigned char c = i < bytes ? (unsigned char)s[i] : 0;
        if (i < bytes && c >= 0x20 && c != '"' && c != '\\') continue;
        tl_text_add_bytes(to, s + from, i - from);
        from = i + 1;
        if (i == bytes) break;
        const char *name = c && c < 0x20 ? strchr(names, c) : NULL;
        if (name) snprintf(escape, sizeof escape, "\\%c", letters[name - names]);
        else if (c >= 0x20) snprintf(escape, sizeof escape, "\\%c", c);
        else snprintf(escape, sizeof escape, "\\u%04x", c);
        tl_text_add(to, escape);
    }
    tl_text_add(to, "\"");
}
