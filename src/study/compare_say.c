/* compare_say.c -- what people read while a comparison runs, its warnings and reasons. Floor
 * 4, study. */
#include "core/text.h"
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

void tl_reason(json_t *list, const char *format, ...)
{
    char    line[700];
    va_list args;

    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    json_array_append_new(list, json_string(line));
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

const tl_metric *tl_study_metric_of(const tl_study *s)
{
    return tl_metric_find(s->metric);
}

double tl_study_merit(const tl_study *s, double value)
{
    return tl_metric_merit(s->metric, value);
}

char *tl_study_gap(const tl_study *s, double value, char buffer[32])
{
    if (tl_study_metric_of(s)->percent) return tl_say_points(value, buffer);
    return tl_say_number(value, 3, buffer);
}

char *tl_study_score(const tl_study *s, double value, char buffer[32])
{
    if (isfinite(value) && !tl_study_metric_of(s)->percent)
        tl_say_number(value, 4, buffer);
    else if (isfinite(value))
        snprintf(buffer, 32, "%.1f %%", 100.0 * value);
    else
        snprintf(buffer, 32, "unknown");
    return buffer;
}

void tl_study_show(tl_ctx *ctx, tl_study *s)
{
    json_t *detail = NULL, *verdict;

    if (!s->q->live) return;
    if (tl_study_detail_so_far(ctx, s, &detail) != TL_OK)
        return; /* the next may be shown */
    verdict = tl_study_running_json(s);
    if (verdict) s->q->live(s->q->user, verdict, detail);
    json_decref(verdict);
    json_decref(detail);
}
