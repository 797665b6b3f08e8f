/* main.c -- tailor-study: record a cell of the study of real cells, or replay records.
 *   tailor-study record   --data P --test P [--base P]... --route R... --out RECORD [...]
 *   tailor-study replay   RECORD [--replays N] [--share S] [--rows S] [--most SEEDS]
 *   tailor-study crossing RECORD */
#include "study.h"
#include "core/machine.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* The linker puts this in the place of tl_time_s (--wrap): on a machine that does other work, too,
 * one thread's forecasts and runs are timed alike by the CPU they had. */
double        __real_tl_time_s(void);
double        __wrap_tl_time_s(void);
static double cpu_clock; /* 0: the wall's */

double __wrap_tl_time_s(void)
{
    return cpu_clock > 0.0 ? (double)clock() / CLOCKS_PER_SEC : __real_tl_time_s();
}

static bool take_list(const char *name, const char *value, options *o)
{
    if (strcmp(name, "--base") == 0 && o->bases < MOST_BASES) o->base[o->bases++] = value;
    else if (strcmp(name, "--route") == 0 && o->routes < MOST_WORDS) o->route[o->routes++] = value;
    else if (strcmp(name, "--set") == 0 && o->settings < MOST_WORDS)
        o->setting[o->settings++] = value;
    else return false;
    return true;
}

static bool take_text(const char *name, const char *value, options *o)
{
    const struct {
        const char  *name;
        const char **to;
    } known[] = { { "--data", &o->data },     { "--test", &o->test }, { "--target", &o->target },
                  { "--arch", &o->arch },     { "--out", &o->out },   { "--metric", &o->metric },
                  { "--precision", &o->precision } };

    for (size_t i = 0; i < TL_COUNT(known); i++)
        if (strcmp(known[i].name, name) == 0) {
            *known[i].to = value;
            return true;
        }
    return false;
}

static bool take_number(const char *name, const char *value, options *o)
{
    const struct {
        const char *name;
        int64_t    *whole;
        double     *real;
    } known[] = { { "--seeds", &o->seeds, NULL },     { "--trials", &o->trials, NULL },
                  { "--curve", &o->curve, NULL },     { "--for", &o->for_s, NULL },
                  { "--replays", &o->replays, NULL }, { "--most", &o->most, NULL },
                  { "--share", NULL, &o->share },     { "--rows", NULL, &o->rows },
                  { "--cpu-clock", NULL, &cpu_clock } };

    for (size_t i = 0; i < TL_COUNT(known); i++)
        if (strcmp(known[i].name, name) == 0)
            return known[i].whole ? tl_parse_int(value, known[i].whole)
                                  : tl_parse_double(value, known[i].real);
    return false;
}

static tl_status take_options(tl_ctx *ctx, int argc, char **argv, options *o)
{
    for (int i = 2; i < argc; i++) {
        if (argv[i][0] != '-') {
            o->out = argv[i];
            continue;
        }
        if (i + 1 == argc || !(take_list(argv[i], argv[i + 1], o) ||
                               take_text(argv[i], argv[i + 1], o) ||
                               take_number(argv[i], argv[i + 1], o)))
            return tl_fail(ctx, TL_EUSAGE, argv[i], "is no option with a value (see main.c)");
        i++;
    }
    if (!o->out) return tl_fail(ctx, TL_EUSAGE, "usage", "record|replay|crossing ... RECORD");
    return TL_OK;
}

static tl_status run(tl_ctx *ctx, int argc, char **argv)
{
    const struct {
        const char *name;
        tl_status (*call)(tl_ctx *ctx, const options *o);
    } command[] = { { "record", study_record },
                    { "replay", study_replay },
                    { "crossing", study_crossing } };
    options   o  = { .seeds   = SEEDS,
                     .most    = SEEDS,
                     .trials  = TL_STUDY_TRIALS,
                     .replays = 50,
                     .share   = 0.25,
                     .rows    = 1.0 };
    tl_status rc = take_options(ctx, argc, argv, &o);

    if (rc != TL_OK) return rc;
    for (size_t i = 0; i < TL_COUNT(command); i++)
        if (strcmp(command[i].name, argv[1]) == 0) return command[i].call(ctx, &o);
    return tl_fail(ctx, TL_EUSAGE, argv[1], "is not known (record, replay or crossing)");
}

int main(int argc, char **argv)
{
    tl_world  world;
    tl_ctx    ctx;
    tl_status rc;

    tl_world_init(&world);
    world.threads = 1;
    ctx           = tl_ctx_make(&world);
    rc            = run(&ctx, argc, argv);
    if (rc != TL_OK) fprintf(stderr, "tailor-study: %s\n", ctx.message);
    return tl_status_exit(rc);
}
