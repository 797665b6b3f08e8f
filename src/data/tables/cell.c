/* cell.c -- see cell.h.  Sources: ISO 8601; Howard Hinnant's days_from_civil for the calendar;
 * pandas' list of missing values.  Floor 2, data. */
#include "data/tables/cell.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

const char *const tl_date_part_name[TL_DATE_PARTS] = { "days", "month", "day", "weekday",
                                                       "hour" };

static const char *past_blanks(const char *text)
{
    while (*text == ' ' || *text == '\t') text++;
    return text;
}

bool tl_cell_missing(const char *text)
{
    static const char *const words[] = { "na",  "n/a", "nan", "null", "none",
                                         "nil", "?",   "-",   "#n/a" };
    size_t                   bytes;

    text  = past_blanks(text);
    bytes = strlen(text);
    while (bytes && isspace((unsigned char)text[bytes - 1])) bytes--;
    if (bytes == 0) return true;
    for (size_t i = 0; i < TL_COUNT(words); i++)
        if (bytes == strlen(words[i]) && strncasecmp(text, words[i], bytes) == 0)
            return true;
    return false;
}

/* Digits with a point and a small power of ten are exact in double: 15 digits, 10^22. */
static bool quick_number(const char *at, double *out)
{
    static const double ten[] = { 1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                  1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15 };
    const bool minus  = *at == '-';
    int64_t    value  = 0;
    int        digits = 0, behind = 0;
    bool       point  = false;

    if (minus) at++;
    for (; digits < 15; at++) {
        if (*at == '.' && !point) {
            point = true;
        } else if (*at >= '0' && *at <= '9') {
            value = 10 * value + (*at - '0');
            digits++;
            behind += point;
        } else {
            break;
        }
    }
    if (*past_blanks(at) || digits == 0) return false;
    *out = (double)(minus ? -value : value) / ten[behind];
    if (minus && value == 0) *out = -0.0;
    return true;
}

bool tl_cell_number(const char *text, double *out)
{
    char  *end;
    double value;

    text = past_blanks(text);
    if (quick_number(text, out)) return true;
    if (strspn(text, "+-.0123456789") == 0 || strpbrk(text, "xXpPnN")) return false;
    value = strtod(text, &end);
    if (end == text || *past_blanks(end) || !isfinite(value)) return false;
    *out = value;
    return true;
}

/* `least` to `most` digits; false where there are fewer. */
static bool take_digits(const char **at, int least, int most, int *out)
{
    int digits = 0;

    for (*out = 0; digits < most && isdigit((unsigned char)**at); digits++, ++*at)
        *out = 10 * *out + (**at - '0');
    return digits >= least && !isdigit((unsigned char)**at);
}

/* Days from 1970-01-01 in the Gregorian calendar (Hinnant). */
static int64_t days_of(int year, int month, int day)
{
    const int64_t y   = year - (month <= 2), era = (y >= 0 ? y : y - 399) / 400;
    const int64_t yoe = y - era * 400;
    const int64_t doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static bool in_calendar(int year, int month, int day)
{
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    if (month < 1 || month > 12 || day < 1) return false;
    return day <= days[month - 1] + (leap && month == 2);
}

static bool take_day(const char **at, bool day_first, int ymd[3])
{
    int  first, second, third;
    char between;

    if (!take_digits(at, 1, 4, &first)) return false;
    between = **at;
    if (between != '-' && between != '/' && between != '.') return false;
    ++*at;
    if (!take_digits(at, 1, 2, &second) || *(*at)++ != between) return false;
    if (!take_digits(at, 1, 4, &third)) return false;
    if (first > 31) { /* year first */
        ymd[0] = first, ymd[1] = second, ymd[2] = third;
        return first >= 1000;
    }
    if (third < 1000 || between == '-') return false;
    ymd[0] = third;
    ymd[1] = between == '/' && !day_first ? first : second;
    ymd[2] = between == '/' && !day_first ? second : first;
    return true;
}

static bool take_time(const char **at, double *hours)
{
    int hour, minute, second = 0;

    *hours = 0.0;
    if (**at != ' ' && **at != 'T') return true;
    ++*at;
    if (!**at) return true;
    if (!take_digits(at, 1, 2, &hour) || *(*at)++ != ':') return false;
    if (!take_digits(at, 2, 2, &minute)) return false;
    if (**at == ':') {
        ++*at;
        if (!take_digits(at, 2, 2, &second)) return false;
    }
    if (**at == '.')
        for (++*at; isdigit((unsigned char)**at);) ++*at;
    if (**at == 'Z') ++*at;
    *hours = hour + minute / 60.0 + second / 3600.0;
    return hour < 24 && minute < 60 && second < 61;
}

bool tl_cell_date(const char *text, bool day_first, double part[TL_DATE_PARTS])
{
    int    ymd[3];
    double hours;

    text = past_blanks(text);
    if (!take_day(&text, day_first, ymd) || !in_calendar(ymd[0], ymd[1], ymd[2]))
        return false;
    if (!take_time(&text, &hours) || *past_blanks(text)) return false;
    const int64_t days = days_of(ymd[0], ymd[1], ymd[2]);
    part[TL_DATE_DAYS]    = (double)(days - 10957) + hours / 24.0;
    part[TL_DATE_MONTH]   = ymd[1];
    part[TL_DATE_DAY]     = ymd[2];
    part[TL_DATE_WEEKDAY] = (double)(((days + 3) % 7 + 7) % 7); /* Monday is 0 */
    part[TL_DATE_HOUR]    = hours;
    return true;
}
