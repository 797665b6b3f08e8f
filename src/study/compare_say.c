/* compare_say.c -- what people read while a comparison runs, and its warnings. Floor
 * 4, study. */
#include "study/compare_internal.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void tl_study_say(tl_study *s, const char *format, ...)
{
    char    line[600];
    va_list args;

    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (s->q->say) s->q->say(s->q->user, line);
}

void tl_study_warn(tl_study *s, const char *format, ...)
{
    char    line[600];
    va_list args;
    size_t  i;
    json_t *told;

    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    json_array_foreach(s->warnings, i,
                       told) if (strcmp(json_string_value(told), line) == 0) return;
    json_array_append_new(s->warnings, json_string(line));
    tl_study_say(s, "note: %s", line);
}

char *tl_study_score(double value, char buffer[32])
{
    if (isfinite(value))
        snprintf(buffer, 32, "%.1f %%", 100.0 * value);
    else
        snprintf(buffer, 32, "unknown");
    return buffer;
}
