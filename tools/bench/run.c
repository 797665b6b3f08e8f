/* run.c -- times a case's steps the way the peer's script does: a first step, a warm-up, then
 * the median of as many as fit the time; an epoch where the case has one. */
#include "bench.h"
#include "core/machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* Busy and stolen seconds of the whole machine so far (proc(5), stat). */
static void machine_seconds(double *busy, double *stolen)
{
    unsigned long long v[8] = { 0 };
    const double       tick = (double)sysconf(_SC_CLK_TCK);
    FILE              *file = fopen("/proc/stat", "r");

    *busy = *stolen = 0.0;
    if (!file) return;
    if (fscanf(file, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &v[0], &v[1], &v[2],
               &v[3], &v[4], &v[5], &v[6], &v[7]) == 8) {
        *busy   = (double)(v[0] + v[1] + v[2] + v[5] + v[6] + v[7]) / tick;
        *stolen = (double)v[7] / tick;
    }
    fclose(file);
}

static double own_seconds(void)
{
    struct rusage r;

    getrusage(RUSAGE_SELF, &r);
    return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) +
           1e-6 * (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec);
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(double *x, size_t n)
{
    qsort(x, n, sizeof *x, ascending);
    return n % 2 ? x[n / 2] : 0.5 * (x[n / 2 - 1] + x[n / 2]);
}

static tl_status timed(tl_ctx *ctx, bench_step *s, double *seconds, float *loss)
{
    const double    start = tl_time_s();
    const tl_status rc    = bench_step_run(ctx, s, loss);

    *seconds = tl_time_s() - start;
    return rc;
}

typedef struct {
    double  first, step, least, epoch, used, other, steal;
    int64_t steps;
    float   loss;
} figures;

/* Median of three epochs; a last batch that is not full is left out and made up for. */
static tl_status time_epochs(tl_ctx *ctx, const bench_case *c, bench_step *s, figures *f)
{
    tl_status     rc    = TL_OK;
    const int64_t steps = c->items / c->batch;
    double        epoch[3];

    for (int e = 0; e < 3; e++) {
        const double start = tl_time_s();
        for (int64_t i = 0; i < steps; i++) TL_TRY(bench_step_run(ctx, s, &f->loss));
        epoch[e] = (tl_time_s() - start) * (double)c->items / (double)(steps * c->batch);
    }
    f->epoch = median(epoch, 3);
done:
    return rc;
}

/* Waits until it is its turn again. */
static void wait_turn(bool first)
{
    char line[64];

    puts(first ? "ready" : "turn");
    fflush(stdout);
    if (!fgets(line, sizeof line, stdin)) exit(0);
}

static tl_status time_turns(tl_ctx *ctx, const bench_options *o, bench_step *s, figures *f,
                            double *times)
{
    const int64_t turns = TL_MAX(o->turns, (int64_t)1);
    tl_status     rc    = TL_OK;

    for (int64_t t = 0, i = 0; t < turns; t++) {
        if (o->turns) wait_turn(t == 0);
        for (; i < f->steps * (t + 1) / turns; i++) TL_TRY(timed(ctx, s, &times[i], &f->loss));
    }
done:
    return rc;
}

static tl_status time_steps(tl_ctx *ctx, const bench_case *c, const bench_options *o,
                            bench_step *s, figures *f)
{
    enum { MOST = 2000 };
    tl_status rc;
    double    second, busy[2], steal[2], *times = NULL;

    TL_TRY(tl_alloc_array(ctx, (size_t)TL_MAX(MOST, o->turns), sizeof *times, &times));
    TL_TRY(timed(ctx, s, &f->first, &f->loss));
    TL_TRY(timed(ctx, s, &second, &f->loss));
    for (int i = 0; second < 0.02 && i < 200; i++)
        TL_TRY(bench_step_run(ctx, s, &f->loss));
    f->steps = TL_MAX(TL_MAX(5, o->turns), TL_MIN(MOST, (int64_t)(o->seconds / second)));
    machine_seconds(&busy[0], &steal[0]);
    const double own = own_seconds(), wall = tl_time_s();
    TL_TRY(time_turns(ctx, o, s, f, times));
    if (c->items) TL_TRY(time_epochs(ctx, c, s, f));
    const double took = tl_time_s() - wall, mine = own_seconds() - own;
    machine_seconds(&busy[1], &steal[1]);
    f->used  = mine / took;
    f->other = TL_MAX(0.0, busy[1] - busy[0] - mine) / took;
    f->steal = (steal[1] - steal[0]) / took;
    f->step  = median(times, (size_t)f->steps);
    f->least = times[0];
done:
    tl_free(ctx, times);
    return rc;
}

static tl_status profile(tl_ctx *ctx, bench_step *s, const figures *f)
{
    tl_status     rc    = TL_OK;
    const int64_t steps = TL_MAX(3, TL_MIN(200, (int64_t)(1.0 / f->step)));
    float         loss;

    bench_step_profile(s, true);
    for (int64_t i = 0; i < steps; i++) TL_TRY(bench_step_run(ctx, s, &loss));
    bench_step_print(ctx, s, steps);
done:
    return rc;
}

static void set_real(json_t *line, const char *key, double value, double digits)
{
    json_object_set_new(line, key,
                        tl_json_real((double)(int64_t)(value * digits + 0.5) / digits));
}

static json_t *line_of(tl_ctx *ctx, const bench_case *c, const bench_options *o,
                       const bench_step *s, const figures *f, const tl_peak *peak)
{
    const double  flops = bench_step_flops(s), gflops = flops / f->step * 1e-9;
    const double  best   = o->dtype == TL_BF16 ? peak->bf16_gflops : peak->f32_gflops;
    const int64_t params = bench_step_params(s, false);
    json_t       *line   = json_pack("{s:s, s:s, s:s, s:i}", "case", c->name, "dtype",
                             o->dtype == TL_BF16 ? "bf16" : "fp32", "mode", "tailor",
                                     "threads", ctx->world->threads);
    char          unit[32];

    snprintf(unit, sizeof unit, "%s/s", c->unit);
    set_real(line, "step_ms", f->step * 1e3, 1e4);
    set_real(line, "step_ms_min", f->least * 1e3, 1e4);
    json_object_set_new(line, "steps", json_integer(f->steps));
    set_real(line, "first_step_s", f->first, 1e3);
    set_real(line, "rate", (double)(c->batch * TL_MAX(c->length, (int64_t)1)) / f->step, 10.0);
    json_object_set_new(line, "unit", json_string(unit));
    json_object_set_new(line, "params", json_integer(params));
    json_object_set_new(line, "trainable", json_integer(bench_step_params(s, true)));
    if (c->items) set_real(line, "epoch_s", f->epoch, 1e3);
    set_real(line, "peak_rss_mib", (double)tl_machine_rss_peak_bytes() / 1048576.0, 1.0);
    set_real(line, "planned_mib", (double)bench_step_plan_bytes(s) / 1048576.0, 10.0);
    if (c->items)
        set_real(line, "gflops_6n", 6.0 * (double)(params * c->batch) / f->step * 1e-9,
                 10.0);
    set_real(line, "loss", (double)f->loss, 1e4);
    set_real(line, "gflop_step_counted", flops * 1e-9, 1e3);
    set_real(line, "gflops_counted", gflops, 10.0);
    if (best > 0.0) set_real(line, "of_peak", gflops / best, 1e3);
    set_real(line, "cpu_used", f->used, 100.0);
    set_real(line, "other_cpu", f->other, 1e3);
    set_real(line, "steal", f->steal, 1e3);
    if (c->row.ndim == 3) json_object_set_new(line, "note", json_string("layout nhwc"));
    return line;
}

tl_status bench_run(tl_ctx *ctx, const bench_case *c, const bench_options *o,
                    const tl_peak *peak, json_t **line)
{
    tl_status   rc;
    bench_step *s = NULL;
    figures     f = { 0 };

    *line = NULL;
    TL_TRY(bench_step_new(ctx, c, o->dtype, &s));
    TL_TRY(time_steps(ctx, c, o, s, &f));
    if (o->profile) TL_TRY(profile(ctx, s, &f));
    *line = line_of(ctx, c, o, s, &f, peak);
done:
    bench_step_free(ctx, s);
    return rc;
}
