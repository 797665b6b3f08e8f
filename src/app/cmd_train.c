/* cmd_train.c -- `tailor train`: one route; the model, the runs and what came out; and
 * `tailor pretrain`, the same of plain text.  Floor 5. */
#include "app/app.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void print_score(const char *name, const json_t *score)
{
    const double  mean = tl_json_number(score, "mean", NAN);
    const json_t *ci   = json_object_get(score, "ci95");

    if (!isfinite(mean)) return;
    printf("  %-8s %.4f", name, mean);
    if (json_is_number(json_array_get(ci, 0)))
        printf("  95 %% interval [%.4f, %.4f]", json_number_value(json_array_get(ci, 0)),
               json_number_value(json_array_get(ci, 1)));
    puts(json_is_integer(json_object_get(score, "rows")) ? "" : " (no interval)");
}

/* How it ended and how it fits, in words. */
static const char *words_for(const char *name)
{
    static const struct { const char *name, *words; } known[] = {
        { "epochs", "all epochs were run" },
        { "patience", "stopped early: validation got no better" },
        { "solved", "solved" },
        { "budget", "stopped by the budget" },
        { "nan", "stopped: the loss was no longer a number" },
        { "none", "no overfitting seen" },
        { "mild", "mild overfitting" },
        { "severe", "severe overfitting" },
        { "underfit", "underfits" },
    };

    for (size_t i = 0; i < TL_COUNT(known); i++)
        if (strcmp(known[i].name, name) == 0) return known[i].words;
    return name;
}

static bool is_words(const json_t *result)
{
    return strcmp(tl_json_text(result, "task", ""), "language-modelling") == 0;
}

/* Of a language model, beside its perplexity. */
static void print_words(const char *name, const json_t *score)
{
    const double bits = tl_json_number(score, "bits_per_byte", NAN);
    const json_t *ci  = json_object_get(score, "loss_ci95");

    if (!score) return;
    printf("  %-8s loss of a token %.4f", name, tl_json_number(score, "loss", NAN));
    if (json_is_number(json_array_get(ci, 0)))
        printf(" [%.4f, %.4f]", json_number_value(json_array_get(ci, 0)),
               json_number_value(json_array_get(ci, 1)));
    if (isfinite(bits)) printf(", %.4f bits a byte", bits);
    puts("");
}

/* What it wrote last, in one line. */
static void print_sample(const json_t *result)
{
    const json_t *all  = json_object_get(result, "samples");
    const json_t *last = json_array_get(all, json_array_size(all) - 1);
    const char   *text[2] = { tl_json_text(last, "prompt", NULL),
                              tl_json_text(last, "text", NULL) };

    if (!text[0] || !text[1]) return;
    printf("  writes   ");
    for (int k = 0; k < 2; k++)
        for (const char *c = text[k]; *c; c++)
            putchar((unsigned char)*c < ' ' || *c == 127 ? ' ' : *c);
    puts("");
}

/* `writes`: it continues texts. */
static void print_result(const tl_app *app, const json_t *r, bool writes, const char *out)
{
    const json_t *cost   = json_object_get(r, "cost");
    const int64_t epochs = tl_json_int(r, "epochs", 0);
    char          seconds[32], bytes[32], count[32];

    printf("%s%s%s: %s", tl_term_out(&app->term, TL_BOLD), tl_json_text(r, "route", "?"),
           tl_term_out(&app->term, TL_PLAIN), words_for(tl_json_text(r, "stopped", "ended")));
    if (epochs)
        printf(" (%" PRId64 "; the best was %" PRId64 ")", epochs, tl_json_int(r, "best_epoch", 0));
    printf(", %s, peak %s\n", tl_say_seconds(tl_json_number(cost, "seconds", 0), seconds),
           tl_say_bytes(tl_json_number(cost, "peak_bytes", 0), bytes));
    printf("  %s of ", tl_say_count(tl_json_int(r, "trainable_parameters", 0), count));
    printf("%s parameters trained; %s\n", tl_say_count(tl_json_int(r, "parameters", 0), count),
           words_for(tl_json_text(r, "fit", "unknown")));
    printf("%s\n", tl_json_text(r, "metric", "accuracy"));
    print_score("valid", json_object_get(r, "valid"));
    print_score("test", json_object_get(r, "test"));
    if (is_words(r)) {
        print_words("valid", json_object_get(r, "valid"));
        print_words("test", json_object_get(r, "test"));
        print_sample(r);
        printf("report: %s/report.html\n", out);
        printf("model: %s/best\nnext:  tailor %s%s/best\n", out,
               writes ? "chat " : "train LABELLED.csv --base ", out);
        return;
    }
    printf("model: %s/best\nnext:  tailor predict %s/best %s\n", out, out,
           tl_app_new_inputs(tl_json_text(r, "task", "")));
}

static void print_plan(const json_t *plan)
{
    const json_t *f = json_object_get(plan, "forecast");
    char         *settings = json_dumps(json_object_get(plan, "hyperparameters"),
                                        JSON_COMPACT | JSON_REAL_PRECISION(6));
    char          bytes[32];

    printf("Planned, nothing run: %s, %s\n%s", tl_json_text(plan, "route", "?"),
           settings ? settings : "", tl_json_text(plan, "network", ""));
    printf("  rows: %" PRId64 " train, %" PRId64 " valid, %" PRId64 " test\n",
           tl_json_int(plan, "train", 0), tl_json_int(plan, "valid", 0),
           tl_json_int(plan, "test", 0));
    printf("  forecast: %s peak, %.3g FLOPs\n",
           tl_say_bytes(tl_json_number(f, "peak_bytes", 0), bytes), tl_json_number(f, "flops", 0));
    free(settings);
}

static bool is_table(const tailor_data *data)
{
    return strncmp(tailor_data_task(data), "table", 5) == 0;
}

static bool is_text(const tailor_data *data)
{
    const char *task = tailor_data_task(data);

    return strncmp(task, "text", 4) == 0 || strcmp(task, "token-classification") == 0;
}

static void print_rates(const json_t *r)
{
    enum { LINES = 20 };
    const json_t *rates = json_object_get(r, "rates");
    const size_t  n = json_array_size(rates), every = (n + LINES - 1) / LINES;

    printf("%12s  %s\n", "rate", "training loss, smoothed");
    for (size_t i = 0; i < n; i++) {
        const json_t *p = json_array_get(rates, i);
        if (i % every && i + 1 < n) continue;
        printf("%12.3g  %.4f\n", tl_json_number(p, "lr", NAN), tl_json_number(p, "loss", NAN));
    }
    printf("Suggested for %s with %s: --lr %.2g, a tenth of where the loss was lowest (the "
           "route's own is %.2g).\n",
           tl_json_text(r, "route", "?"), tl_json_text(r, "optimizer", "?"),
           tl_json_number(r, "suggested", NAN), tl_json_number(r, "lr", NAN));
}

static tl_status open_model(tl_app *app, const tailor_data *data, tailor_model **out)
{
    const tl_args *a = &app->args;
    const char    *arch = tl_args_text(a, TL_OPT_arch), *route = tl_args_text(a, TL_OPT_route);

    if (a->value[TL_OPT_base].count > 1)
        return tl_fail(&app->ctx, TL_EUSAGE, "--base",
                       "train takes one (compare takes several)");
    if (tl_args_given(a, TL_OPT_base))
        return tl_app_lib(app, tailor_model_open(app->lib, tl_args_text(a, TL_OPT_base),
                                                 arch, out));
    if (strcmp(tailor_data_task(data), "language-modelling") == 0)
        return tl_fail(&app->ctx, TL_EUSAGE, "--base",
                       "conversations are for a language model (give --base MODEL; `tailor "
                       "pretrain` makes one of plain text)");
    if (!arch && is_text(data))
        return tl_app_lib(app, tailor_model_new(app->lib, NULL, data, tl_app_seed(app), out));
    if (!arch && route && strcmp(route, "baseline") == 0) arch = "mlp";
    if (!arch && is_table(data)) arch = "mlp";
    if (!arch)
        return tl_fail(&app->ctx, TL_EUSAGE, "train",
                       "no network is named (give --base MODEL, or "
                       "--arch resnet20 to train from scratch)");
    return tl_app_lib(app, tailor_model_new(app->lib, arch, data, tl_app_seed(app), out));
}

static tl_status fit(tl_app *app, tailor_model *model, const tailor_data *data, const char *out,
                     const char *const *command, json_t **result)
{
    const tl_args           *a       = &app->args;
    const tailor_fit_options options = {
        .route      = tl_args_text(a, TL_OPT_route),
        .metric     = tl_args_text(a, TL_OPT_metric),
        .seed       = tl_app_seed(app),
        .settings   = (const char *const *)a->setting,
        .out        = out,
        .command    = command,
        .train_rows = tl_args_int(a, TL_OPT_train_rows, 0),
        .dry_run    = tl_args_given(a, TL_OPT_dry_run),
        .find_rate  = tl_args_given(a, TL_OPT_lr_find),
    };
    char         *text   = NULL;
    tailor_status status = tailor_fit(app->lib, model, data, &options, &text);

    return tl_app_json(app, status, text, result);
}

static tl_status open_language_model(tl_app *app, const tailor_data *data, tailor_model **out)
{
    const tl_args                *a    = &app->args;
    const tailor_language_options like = {
        .tokenizer = tl_args_text(a, TL_OPT_tokenizer),
        .vocab     = tl_args_int(a, TL_OPT_vocab, 0),
        .block     = tl_args_int(a, TL_OPT_block, 0),
    };
    const char *arch = tl_args_text(a, TL_OPT_arch);

    if (tl_args_given(a, TL_OPT_base) && (like.tokenizer || like.vocab))
        return tl_fail(&app->ctx, TL_EUSAGE, "--tokenizer",
                       "the base brings its own vocabulary (leave --tokenizer and --vocab out)");
    if (a->value[TL_OPT_base].count > 1)
        return tl_fail(&app->ctx, TL_EUSAGE, "--base", "pretrain takes one");
    if (tl_args_given(a, TL_OPT_base))
        return tl_app_lib(app, tailor_model_open(app->lib, tl_args_text(a, TL_OPT_base), arch,
                                                 out));
    if (!arch)
        return tl_fail(&app->ctx, TL_EUSAGE, "pretrain",
                       "no network is named (give --arch gpt2-tiny, llama-15m, bert-mini..., or "
                       "--base MODEL to go on with)");
    return tl_app_lib(app, tailor_language_model_new(app->lib, arch, data, &like,
                                                     tl_app_seed(app), out));
}

/* What a command opens before it trains: its rows, and the network that learns from them. */
typedef struct {
    const char *reading;
    tl_status (*model)(tl_app *app, const tailor_data *data, tailor_model **out);
    bool corpus; /* the operand is text to learn a language from */
} lesson;

static tl_status open_data(tl_app *app, const lesson *l, tailor_data **out)
{
    const char *operand = app->args.operand[0];

    return l->corpus ? tl_app_open_corpus(app, operand, NULL, out)
                     : tl_app_open_data(app, operand, false, NULL, out);
}

static tl_status run_lesson(tl_app *app, const lesson *l)
{
    tl_ctx       *ctx  = &app->ctx;
    tailor_data  *data = NULL;
    tailor_model *model = NULL;
    json_t       *result = NULL;
    char         *out = NULL, **command = NULL;
    size_t        n_command = 0;
    tl_status     rc;

    app->term.keep_epochs = true;
    tl_term_say(&app->term, l->reading);
    TL_TRY(tl_app_out(app, app->args.operand[0], &out));
    TL_TRY(tl_app_stored_command(app, out, &command, &n_command));
    TL_TRY(open_data(app, l, &data));
    TL_TRY(l->model(app, data, &model));
    TL_TRY(fit(app, model, data, out, (const char *const *)command, &result));
    tl_term_finish(&app->term);
    if (app->term.json) TL_TRY(tl_app_print_json(app, result));
    else if (tl_args_given(&app->args, TL_OPT_dry_run)) print_plan(result);
    else if (tl_args_given(&app->args, TL_OPT_lr_find)) print_rates(result);
    else print_result(app, result, tailor_model_writes(model), out);
done:
    rc = tl_app_ended(app, rc, out);
    if (result) json_decref(result);
    tailor_model_free(app->lib, model);
    tailor_data_free(app->lib, data);
    tl_list_free(ctx, &command, &n_command);
    tl_free(ctx, out);
    return rc;
}

tl_status tl_cmd_train(tl_app *app)
{
    return run_lesson(app, &(lesson){ "tailor train: reading the data", open_model, false });
}

tl_status tl_cmd_pretrain(tl_app *app)
{
    return run_lesson(app, &(lesson){ "tailor pretrain: reading the text", open_language_model,
                                      true });
}
