/* verdict.c -- a verdict.json's value for people: one sentence, why, the candidates with their
 * intervals and costs, and what to do next.  Floor 5, app. */
#include "app/app.h"
#include "core/io.h"
#include "core/text.h"
#include "tailor.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Numbers are said in the target's unit, distances in ranks, shares of rows in percent. */
static bool in_percent(const json_t *v)
{
    static const char *const plain[] = { "rmse", "mae", "r2", "qwk" };
    const char              *metric  = tl_json_text(v, "metric", "");

    for (size_t i = 0; i < TL_COUNT(plain); i++)
        if (strcmp(metric, plain[i]) == 0) return false;
    return true;
}

/* "91.3 % [90.1, 92.4]"; "-" where it is not known. */
static const char *say_score(const json_t *v, const json_t *score, char buffer[64])
{
    const double  mean = tl_json_number(score, "mean", NAN);
    const json_t *ci   = json_object_get(score, "ci95");
    const double  low  = json_number_value(json_array_get(ci, 0));
    const double  high = json_number_value(json_array_get(ci, 1));
    char          number[3][32];

    if (!isfinite(mean)) snprintf(buffer, 64, "-");
    else if (!in_percent(v) && json_is_number(json_array_get(ci, 0)))
        snprintf(buffer, 64, "%.18s [%.18s, %.18s]", tl_say_number(mean, 4, number[0]),
                 tl_say_number(low, 4, number[1]), tl_say_number(high, 4, number[2]));
    else if (!in_percent(v))
        snprintf(buffer, 64, "%.30s (no interval)", tl_say_number(mean, 4, number[0]));
    else if (json_array_size(ci) == 2 && json_is_number(json_array_get(ci, 0)))
        snprintf(buffer, 64, "%.1f %% [%.1f, %.1f]", 100 * mean, 100 * low, 100 * high);
    else snprintf(buffer, 64, "%.1f %% (no interval)", 100 * mean);
    return buffer;
}

static const char *say_or_dash(double value, char *(*say)(double, char[32]), char buffer[32])
{
    return isfinite(value) ? say(value, buffer) : "-";
}

static const char *base_name(const json_t *object)
{
    const char *base = tl_json_text(object, "base", NULL);

    return base ? tl_path_name(base) : NULL;
}

static const char *arch_name(const json_t *candidate)
{
    return tl_json_text(json_object_get(candidate, "hyperparameters"), "arch", "");
}

/* The candidate of the same route, base and network (where `like` says it). */
static const json_t *find_candidate(const json_t *verdict, const json_t *like)
{
    const char *route = tl_json_text(like, "route", ""), *base = tl_json_text(like, "base", "");
    const char *arch  = arch_name(like);
    json_t     *c;
    size_t      i;

    json_array_foreach(json_object_get(verdict, "candidates"), i, c)
        if (strcmp(tl_json_text(c, "route", ""), route) == 0 &&
            strcmp(tl_json_text(c, "base", ""), base) == 0 &&
            (!*arch || strcmp(arch_name(c), arch) == 0))
            return c;
    return NULL;
}

const char *tl_verdict_score(const json_t *v, const json_t *like, char buffer[64])
{
    const json_t *c = find_candidate(v, like);

    return say_score(v, c ? json_object_get(c, "test") : NULL, buffer);
}

/* "fine-tune letters"; the decision's own word for a route that is not known. */
static void print_action(const json_t *v, const char *base)
{
    const char *route = tl_json_text(json_object_get(v, "winner"), "route", "");
    const char *kind  = base ? "action-with-base" : "action";
    const char *name, *action, *at;

    for (size_t i = 0; (name = tailor_known(kind, i, &action)); i++)
        if (strcmp(name, route) == 0) break;
    if (!name) action = tl_json_text(v, "decision", "?");
    if ((at = strchr(action, '@')))
        printf("%.*s%s%s", (int)(at - action), action, base ? base : "the base", at + 1);
    else fputs(action, stdout);
}

static void print_sentence(const tl_app *app, const json_t *v)
{
    const tl_term *term    = &app->term;
    const json_t  *winner  = json_object_get(v, "winner");
    const char    *outcome = tl_json_text(v, "outcome", "undecided"), *base = base_name(winner);
    const bool     tie = strcmp(outcome, "tie") == 0, sure = strcmp(outcome, "better") == 0;
    const bool     alone = !json_is_object(json_object_get(v, "runner_up"));
    const char    *told  = tl_json_text(v, "sentence", NULL); /* of an update */
    char           score[64];

    if (told) {
        printf("\n%s%s", tl_term_out(term, TL_BOLD),
               tl_term_out(term, sure || tie ? TL_GREEN : TL_YELLOW));
        tl_term_wrap(term, "", false, told);
        fputs(tl_term_out(term, TL_PLAIN), stdout);
        return;
    }
    printf("\n%s%s%s: ", tl_term_out(term, TL_BOLD),
           tl_term_out(term, sure ? TL_GREEN : TL_YELLOW),
           sure    ? "Verdict"
           : tie   ? "Verdict (a tie)"
           : alone ? "Nothing to compare it with"
                   : "Undecided, for now");
    print_action(v, base);
    printf(" (route %s)%s\n", tl_json_text(winner, "route", "?"), tl_term_out(term, TL_PLAIN));
    printf("  %s on test rows: %s.", tl_json_text(v, "metric", "score"),
           tl_verdict_score(v, winner, score));
    if (tie) printf(" Others do as well; this is the cheapest of them.");
    if (!tie && !sure && !alone)
        printf(" The data do not tell the best routes apart; this is the cheapest of them.");
    putchar('\n');
}

static const char *say_signed(bool percent, double value, char text[32])
{
    char number[32];

    if (percent) snprintf(text, 32, "%+.1f", 100.0 * value);
    else
        snprintf(text, 32, "%s%.30s", value < 0.0 ? "" : "+", tl_say_number(value, 4, number));
    return text;
}

static void print_difference(const json_t *v)
{
    const json_t *winner = json_object_get(v, "winner");
    const json_t *other = json_object_get(v, "runner_up");
    const json_t *d     = json_object_get(other, "difference");
    const json_t *ci    = json_object_get(d, "ci95");
    const char   *base  = base_name(other);
    const double  mean = tl_json_number(d, "mean", NAN), p = tl_json_number(d, "p", NAN);
    const double  sure = tl_json_number(v, "confidence", NAN);

    if (json_is_object(other) && isfinite(mean)) {
        const bool  percent = in_percent(v);
        const char *route   = tl_json_text(other, "route", "?");
        const bool  alike   = base_name(winner) && /* told apart by its base alone */
                           strcmp(route, tl_json_text(winner, "route", "")) == 0;
        char size[32], number[2][32];
        if (percent) snprintf(size, sizeof size, "%.1f points", 100.0 * fabs(mean));
        else tl_say_number(fabs(mean), 4, size);
        printf("  %s %s the next (%s%s%s)", size, mean < 0.0 ? "below" : "above", route,
               base || alike ? ", " : "", base ? base : alike ? "no base" : "");
        if (json_is_number(json_array_get(ci, 0)))
            printf(", 95 %% interval of the difference [%s, %s]",
                   say_signed(percent, json_number_value(json_array_get(ci, 0)), number[0]),
                   say_signed(percent, json_number_value(json_array_get(ci, 1)), number[1]));
        if (isfinite(p)) printf(p < 0.001 ? ", p < 0.001" : ", p = %.3f", p);
        puts(".");
    }
    if (isfinite(sure))
        printf("  Confidence that it is within the margin of the best: %.0f %%.\n", 100 * sure);
}

static void print_texts(const tl_app *app, const char *title, const json_t *texts,
                        tl_paint paint)
{
    json_t *text;
    size_t  i;

    if (!json_array_size(texts)) return;
    printf("\n%s%s%s\n", tl_term_out(&app->term, paint), title,
           tl_term_out(&app->term, TL_PLAIN));
    json_array_foreach(texts, i, text)
        if (json_is_string(text))
            tl_term_wrap(&app->term, "  ", false, json_string_value(text));
}

/* "scratch", or "scratch of mlp" where another candidate is told apart by its network alone. */
static const char *name_route(const json_t *v, const json_t *c, char name[96])
{
    const char *route = tl_json_text(c, "route", "?"), *base = tl_json_text(c, "base", "");
    int         alike = 0;
    json_t     *other;
    size_t      i;

    json_array_foreach(json_object_get(v, "candidates"), i, other)
        alike += strcmp(tl_json_text(other, "route", "?"), route) == 0 &&
                 strcmp(tl_json_text(other, "base", ""), base) == 0;
    if (alike > 1 && *arch_name(c)) snprintf(name, 96, "%.40s of %.40s", route, arch_name(c));
    else snprintf(name, 96, "%.40s", route);
    return name;
}

static void candidate_row(tl_grid *table, const json_t *v, const json_t *c, bool won)
{
    char          name[96];
    char          test[64], valid[64], seconds[32], peak[32], runs[32];
    const char   *base = base_name(c), *status = tl_json_text(c, "status", "?");
    const json_t *cost = json_object_get(c, "cost");
    const char   *fit  = tl_json_text(json_object_get(c, "overfit"), "verdict", "");
    const bool    done = strcmp(status, "done") == 0;
    const bool    fits = !*fit || strcmp(fit, "none") == 0;
    char          note[96];

    snprintf(runs, sizeof runs, "%" PRId64, tl_json_int(c, "seeds", 0));
    snprintf(note, sizeof note, "%s%s%s", done ? "" : status, done || fits ? "" : ", ",
             fits ? "" : strcmp(fit, "underfit") == 0 ? "underfit" : fit);
    if (!fits && strcmp(fit, "underfit") != 0)
        strncat(note, " overfit", sizeof note - strlen(note) - 1);
    tl_grid_row(table, won ? TL_GREEN : done ? TL_PLAIN : TL_DIM,
                (const char *[]){ name_route(v, c, name), base ? base : "-",
                                  say_score(v, json_object_get(c, "test"), test),
                                  say_score(v, json_object_get(c, "valid"), valid), runs,
                                  say_or_dash(tl_json_number(cost, "seconds", NAN),
                                              tl_say_seconds, seconds),
                                  say_or_dash(tl_json_number(cost, "peak_bytes", NAN),
                                              tl_say_bytes, peak),
                                  note });
}

static tl_status print_candidates(tl_app *app, const json_t *v)
{
    const json_t *won   = find_candidate(v, json_object_get(v, "winner"));
    tl_grid       table = tl_grid_make(&app->ctx, 8, 1u << 4 | 1u << 5 | 1u << 6);
    json_t       *c;
    size_t        i;
    tl_status     rc;

    tl_grid_row(&table, TL_BOLD,
                (const char *[]){ "route", "base", "test [95 %]", "valid [95 %]", "runs",
                                  "time in all", "memory", "" });
    json_array_foreach(json_object_get(v, "candidates"), i, c)
        candidate_row(&table, v, c, c == won);
    putchar('\n');
    rc = tl_grid_print(&table, &app->term, "  ");
    tl_grid_free(&table);
    return rc;
}

/* "12 min 3 s (0.61)": the price where an hour has one. */
static void print_cost(const char *what, double seconds, double money)
{
    char time[32];

    printf("  %s %s", what, tl_say_seconds(seconds, time));
    if (isfinite(money)) printf(" (%.3g in money)", money);
    puts(".");
}

/* What an hour's price and training again make of it, where they were asked for. */
static void print_costs(const json_t *v)
{
    const double used = tl_json_number(json_object_get(v, "budget"), "used", NAN);
    double       sum = 0.0, money = 0.0;
    json_t      *c;
    size_t       i;

    json_array_foreach(json_object_get(v, "candidates"), i, c) {
        sum += tl_json_number(json_object_get(c, "cost"), "seconds", 0.0);
        money += tl_json_number(json_object_get(c, "cost"), "money", 0.0);
    }
    if (money > 0.0 && sum > 0.0)
        print_cost("The whole comparison took", used, money / sum * used);
    json_array_foreach(json_object_get(v, "candidates"), i, c) {
        const json_t *year = json_object_get(json_object_get(c, "cost"), "year");
        char          what[200];
        if (!json_is_object(year)) continue;
        snprintf(what, sizeof what, "In a year %.60s takes (first training, %.0f more%s)",
                 tl_json_text(c, "route", "?"), tl_json_number(year, "trainings", 0.0),
                 json_is_number(json_object_get(year, "predictions_seconds")) ? ", predictions"
                                                                              : "");
        print_cost(what, tl_json_number(year, "seconds", NAN),
                   tl_json_number(year, "money", NAN));
    }
}

void tl_verdict_whys(const tl_app *app, const json_t *v)
{
    json_t *c;
    size_t  i;
    bool    any = false;

    json_array_foreach(json_object_get(v, "candidates"), i, c) {
        const char *why = tl_json_text(c, "why", NULL);
        char        line[700];
        if (!why || !*why || strcmp(tl_json_text(c, "status", ""), "done") == 0) continue;
        if (!any) putchar('\n');
        any = true;
        snprintf(line, sizeof line, "%s: %s", tl_json_text(c, "route", "?"), why);
        tl_term_wrap(&app->term, "  ", false, line);
    }
}

static void print_word(tl_ctx *ctx, const char *word)
{
    tl_text t = tl_text_make(ctx);

    tl_text_add_word(&t, word);
    if (t.status == TL_OK) fputs(t.text, stdout);
    tl_text_free(&t);
}

static void print_next(tl_app *app, const json_t *v, const char *folder)
{
    static const struct { const char *verb; } next[] = { { "predict" }, { "evaluate" } };
    const char *data = tl_json_text(json_object_get(v, "data"), "path", "DATA");

    printf("\n%sNext%s\n  report    ", tl_term_out(&app->term, TL_BOLD),
           tl_term_out(&app->term, TL_PLAIN));
    print_word(&app->ctx, folder), puts("/report.html");
    fputs("  model     ", stdout), print_word(&app->ctx, folder), puts("/best");
    for (size_t i = 0; i < TL_COUNT(next); i++) {
        printf("  %-9s tailor %s ", next[i].verb, next[i].verb);
        print_word(&app->ctx, folder), fputs("/best", stdout);
        if (i == 0) printf(" %s", tl_app_new_inputs(tl_json_text(v, "task", "")));
        else putchar(' '), print_word(&app->ctx, data);
        putchar('\n');
    }
}

/* Work is planned by the speed measured at the start: a busier machine takes longer for it. */
static void print_time(const tl_app *app, double budget, double used)
{
    char time[2][32], line[300];

    if (!isfinite(used)) return;
    tl_say_seconds(used, time[0]);
    snprintf(line, sizeof line, used > 1.25 * budget
             ? "took %s: the budget of %s counts work at the speed measured at the start, which "
               "the machine did not keep (was it busy?)"
             : "took %s%.0s", time[0], tl_say_seconds(budget, time[1]));
    putchar('\n');
    tl_term_wrap(&app->term, "  ", false, line);
}

/* Against every setting of every route trained alone, each with its seeds and its own loading. */
static void print_saved(const tl_app *app, const json_t *v)
{
    const json_t *saved = json_object_get(json_object_get(v, "budget"), "saved");
    const double  alone = tl_json_number(saved, "alone_seconds", 0.0);
    const double  took  = tl_json_number(saved, "runs_seconds", 0.0);
    char          time[5][32], line[400];

    if (!(alone > 0.0) || !(alone > took)) return;
    snprintf(line, sizeof line,
             "its training, learning curve aside, took %s; all %" PRId64 " runs alone would take "
             "about %s: saved %s by caching, %s by sharing, %s by stopping early (estimated)",
             tl_say_seconds(took, time[0]), tl_json_int(saved, "alone_runs", 0),
             tl_say_seconds(alone, time[1]),
             tl_say_seconds(tl_json_number(saved, "caching", 0.0), time[2]),
             tl_say_seconds(tl_json_number(saved, "sharing", 0.0), time[3]),
             tl_say_seconds(tl_json_number(saved, "stopping", 0.0), time[4]));
    tl_term_wrap(&app->term, "  ", false, line);
}

tl_status tl_verdict_print(tl_app *app, const json_t *v, const char *folder)
{
    const json_t *cross = json_object_get(v, "crossover");
    const double  used  = tl_json_number(json_object_get(v, "budget"), "used", NAN);
    char          buffer[32];
    tl_status     rc;

    print_sentence(app, v);
    print_difference(v);
    if (json_is_object(cross))
        printf("  With about %s training rows, training from scratch would do as well.\n",
               tl_say_count((int64_t)tl_json_number(cross, "examples", 0), buffer));
    print_texts(app, "Why", json_object_get(v, "reasons"), TL_BOLD);
    rc = print_candidates(app, v);
    tl_verdict_whys(app, v);
    print_texts(app, "Mind", json_object_get(v, "warnings"), TL_YELLOW);
    print_time(app, tl_json_number(json_object_get(v, "budget"), "seconds", NAN), used);
    print_saved(app, v);
    print_costs(v);
    print_next(app, v, folder);
    return rc;
}
