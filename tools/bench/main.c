/* main.c -- tailor-bench [CASE...] [--precision f32|bf16] [--threads N] [--seconds S] [--json]
 * [--profile] [--turns N] [--list].  Each case runs in a process of its own, so that its peak
 * memory is its own; the machine's peak is measured first, in another. */
#include "bench.h"
#include "core/machine.h"
#include "core/par.h"
#include "core/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct {
    bench_options o;
    int           threads;
    bool          json, wanted[64], both;
} options;

static const char usage[] =
    "usage: tailor-bench [CASE...] [--precision f32|bf16] [--threads N] [--seconds S]\n"
    "                    [--json] [--profile] [--turns N] [--list]\n"
    "Times training steps; without CASE all of them, without --precision both.\n";

static const char *case_name(size_t i)
{
    return bench_case_at(i) ? bench_case_at(i)->name : NULL;
}

static bool take_case(options *p, const char *name)
{
    for (size_t i = 0; case_name(i); i++)
        if (strcmp(case_name(i), name) == 0) return p->wanted[i] = true;
    const char *near = tl_did_you_mean(name, case_name);
    fprintf(stderr, "tailor-bench: no case is called %s%s%s (see --list)\n", name,
            near ? "; did you mean " : "", near ? near : "");
    return false;
}

static bool take_value(options *p, const char *key, const char *value)
{
    int64_t n = 0;

    if (strcmp(key, "--precision") == 0 && value) {
        p->both    = false;
        p->o.dtype = strcmp(value, "bf16") == 0 ? TL_BF16 : TL_F32;
        if (p->o.dtype == TL_BF16 || strcmp(value, "f32") == 0) return true;
    } else if (strcmp(key, "--threads") == 0 && value) {
        if (tl_parse_int(value, &n) && n >= 1 && n <= 1024) {
            p->threads = (int)n;
            return true;
        }
    } else if (strcmp(key, "--seconds") == 0 && value) {
        if (tl_parse_double(value, &p->o.seconds)) return true;
    } else if (strcmp(key, "--turns") == 0 && value) {
        if (tl_parse_int(value, &p->o.turns) && p->o.turns >= 1) return true;
    }
    fprintf(stderr, "tailor-bench: %s %s is not understood\n%s", key, value ? value : "",
            usage);
    return false;
}

static bool parse(int argc, char **argv, options *p)
{
    bool some = false;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0)
            p->json = true;
        else if (strcmp(argv[i], "--profile") == 0)
            p->o.profile = true;
        else if (argv[i][0] != '-') {
            if (!take_case(p, argv[i])) return false;
            some = true;
        } else {
            if (!take_value(p, argv[i], argv[i + 1])) return false;
            i++;
        }
    }
    for (size_t i = 0; !some && case_name(i); i++) p->wanted[i] = true;
    return true;
}

static void start(const options *p, tl_world *world, tl_ctx *ctx)
{
    tl_world_init(world);
    if (p->threads) world->threads = p->threads;
    *ctx = tl_ctx_make(world);
    tl_par_set_threads(world->threads);
}

/* Measured in a child; its bytes come back through a pipe. */
static tl_peak machine_peak(const options *p)
{
    tl_peak peak = { 0 };
    int     ends[2];

    if (pipe(ends) != 0) return peak;
    const pid_t child = fork();
    if (child == 0) {
        tl_world world;
        tl_ctx   ctx;
        start(p, &world, &ctx);
        if (tl_cpu_peak(&ctx, &peak) != TL_OK) peak = (tl_peak){ 0 };
        const bool sent = write(ends[1], &peak, sizeof peak) == (ssize_t)sizeof peak;
        _exit(sent ? 0 : 1);
    }
    close(ends[1]);
    if (child < 0 || read(ends[0], &peak, sizeof peak) != (ssize_t)sizeof peak)
        peak = (tl_peak){ 0 };
    close(ends[0]);
    if (child > 0) waitpid(child, NULL, 0);
    return peak;
}

static void print_line(const options *p, json_t *line)
{
    if (p->json) {
        json_dumpf(line, stdout, JSON_PRESERVE_ORDER);
        putchar('\n');
        return;
    }
    printf(
        "%-24s %-5s %10.3f ms %10.1f %-10s %6.0f GFLOP/s (%2.0f %% of peak) %6.0f MiB\n",
        tl_json_text(line, "case", ""), tl_json_text(line, "dtype", ""),
        tl_json_number(line, "step_ms", 0.0), tl_json_number(line, "rate", 0.0),
        tl_json_text(line, "unit", ""), tl_json_number(line, "gflops_counted", 0.0),
        100.0 * tl_json_number(line, "of_peak", 0.0),
        tl_json_number(line, "peak_rss_mib", 0.0));
}

static int run_case(const options *p, const bench_case *c, const tl_peak *peak)
{
    fflush(stdout);
    const pid_t child  = fork();
    int         status = 0;

    if (child == 0) {
        tl_world world;
        tl_ctx   ctx;
        json_t  *line = NULL;
        start(p, &world, &ctx);
        if (bench_run(&ctx, c, &p->o, peak, &line) != TL_OK)
            fprintf(stderr, "tailor-bench: %s\n", ctx.message);
        else
            print_line(p, line);
        fflush(stdout);
        _exit(line ? 0 : 1);
    }
    if (child < 0 || waitpid(child, &status, 0) != child) return 1;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : 1;
}

static void print_peak(const options *p, const tl_peak *peak)
{
    if (p->json)
        printf("{\"case\": \"machine\", \"cpu\": \"%s\", \"peak_f32_gflops\": %.1f, "
               "\"peak_bf16_gflops\": %.1f, \"memory_gb_s\": %.1f}\n",
               tl_machine_cpu(), peak->f32_gflops, peak->bf16_gflops, peak->memory_gb_s);
    else
        printf("%s: at most %.0f GFLOP/s in f32, %.0f in bf16, %.1f GB/s of memory\n",
               tl_machine_cpu(), peak->f32_gflops, peak->bf16_gflops, peak->memory_gb_s);
}

int main(int argc, char **argv)
{
    options p      = { .o = { .seconds = 5.0 }, .both = true };
    int     failed = 0;

    if (argc == 2 && strcmp(argv[1], "--list") == 0) {
        for (size_t i = 0; case_name(i); i++) puts(case_name(i));
        return 0;
    }
    if (!parse(argc, argv, &p)) return 2;
    const tl_peak peak = machine_peak(&p);
    print_peak(&p, &peak);
    for (size_t i = 0; case_name(i); i++) {
        for (int bf = 0; p.wanted[i] && bf < 2; bf++) {
            if (p.both)
                p.o.dtype = bf ? TL_BF16 : TL_F32;
            else if (bf)
                continue;
            failed |= run_case(&p, bench_case_at(i), &peak);
        }
    }
    return failed;
}
