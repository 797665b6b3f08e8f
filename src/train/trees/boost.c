/* boost.c -- trees added one after the other where the loss falls, until validation's no longer
 * does; then the model that holds them.  Floor 3, train. */
#include "core/par.h"
#include "train/features.h"
#include "train/trees/trees.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct {
    tl_trainer *t;
    int64_t     rows, valid_rows, columns, scores;
    float      *x, *valid_x;         /* [rows columns] */
    double     *score, *valid_score; /* [scores rows] */
    float      *gradient, *hessian;  /* [scores rows] */
    float      *weight;              /* [rows]; NULL: all 1 */
    float      *base;                /* [scores] */
    tl_bins     bins;
    tl_grower  *grower;
    tl_grown    grown;
    double      best_loss;
    int64_t     best_rounds;
} boosting;

bool tl_arch_is_trees(const tl_arch *arch)
{
    return arch->family && strcmp(arch->family->name, "hgbt") == 0;
}

size_t tl_trees_bytes(const tl_run_spec *spec)
{
    const tl_tree_settings *s = &spec->candidate.hyper.trees;
    const size_t columns = (size_t)spec->candidate.prep.table->width;
    const size_t rows = (size_t)spec->train.count, valid = (size_t)spec->valid.count;
    const size_t scores = (size_t)spec->dataset->classes;

    return columns * (rows * (1 + 2 * sizeof(float)) + valid * sizeof(float)) +
           columns * TL_BINS * (sizeof(float) + (size_t)s->leaves * sizeof(tl_bin_sum)) +
           scores * (rows * 16 + valid * 8) + rows * 16 +
           (size_t)(s->most * s->leaves) * 2 * TL_NODE_FIELDS * sizeof(float) * scores;
}

/* A level of a balanced tree passes every row once; half of them, by subtraction. */
double tl_trees_flops(const tl_run_spec *spec)
{
    const tl_tree_settings *s = &spec->candidate.hyper.trees;
    const double scores = (double)tl_trees_scores(spec->dataset);

    return (double)s->most * scores * log2((double)s->leaves + 1.0) *
           (double)spec->train.count * (double)spec->candidate.prep.table->width;
}

static tl_status code_rows(tl_ctx *ctx, tl_cache *cache, tl_rows rows, int64_t columns,
                           float **out)
{
    tl_status rc;

    TL_TRY(tl_alloc_array(ctx, (size_t)rows.count, (size_t)columns * sizeof **out, out));
    for (int64_t i = 0; i < rows.count; i++)
        TL_TRY(tl_cache_code(ctx, cache, rows.row[i], *out + i * columns));
done:
    return rc;
}

static tl_status weigh_classes(tl_ctx *ctx, boosting *b)
{
    const tl_run_spec *spec    = &b->t->spec;
    const int64_t      classes = spec->dataset->classes;
    int64_t           *count   = NULL;
    tl_status          rc;

    TL_TRY(tl_alloc_array(ctx, (size_t)classes, sizeof *count, &count));
    TL_TRY(tl_alloc_array(ctx, (size_t)b->rows, sizeof *b->weight, &b->weight));
    for (int64_t i = 0; i < b->rows; i++) count[spec->dataset->label[spec->train.row[i]]]++;
    for (int64_t i = 0; i < b->rows; i++)
        b->weight[i] = (float)((double)b->rows / (double)classes /
                               (double)count[spec->dataset->label[spec->train.row[i]]]);
done:
    tl_free(ctx, count);
    return rc;
}

static double weight_of(const boosting *b, int64_t i)
{
    return b->weight ? (double)b->weight[i] : 1.0;
}

static bool has_marks(const boosting *b)
{
    return tl_task_has_marks(b->t->spec.dataset->task);
}

/* One score for two classes; else one each. */
int64_t tl_trees_scores(const tl_dataset *d)
{
    return d->classes == 2 && !tl_task_has_marks(d->task) ? 1 : d->classes;
}

/* Log-odds of yes among the rows that are asked. */
static float base_of_marks(const boosting *b, int64_t k)
{
    const tl_run_spec *spec = &b->t->spec;
    double             yes = 0.0, asked = 0.0;

    for (int64_t i = 0; i < b->rows; i++) {
        const double mark = tl_dataset_mark(spec->dataset, spec->train.row[i], k);
        asked += mark >= 0.0;
        yes += mark > 0.5;
    }
    const double p = asked > 0.0 ? fmin(fmax(yes / asked, 1e-7), 1.0 - 1e-7) : 0.5;
    return (float)log(p / (1.0 - p));
}

/* Where boosting starts: log-odds of the classes' shares; 0 of numbers, which are centred. */
static void find_base(boosting *b)
{
    const tl_run_spec *spec = &b->t->spec;
    double             total = 0.0;

    if (spec->dataset->task->numbers) return;
    for (int64_t k = 0; k < b->scores && has_marks(b); k++) b->base[k] = base_of_marks(b, k);
    if (has_marks(b)) return;
    for (int64_t i = 0; i < b->rows; i++) total += weight_of(b, i);
    for (int64_t k = 0; k < b->scores; k++) {
        const int32_t mine  = b->scores == 1 ? 1 : (int32_t)k;
        double        there = 0.0;
        for (int64_t i = 0; i < b->rows; i++)
            if (spec->dataset->label[spec->train.row[i]] == mine) there += weight_of(b, i);
        const double p = fmin(fmax(there / total, 1e-7), 1.0 - 1e-7);
        b->base[k]     = (float)(b->scores == 1 ? log(p / (1.0 - p)) : log(p));
    }
}

static void fill_base(const boosting *b, double *score, int64_t rows)
{
    for (int64_t k = 0; k < b->scores; k++)
        for (int64_t i = 0; i < rows; i++) score[k * rows + i] = (double)b->base[k];
}

static tl_status open_boosting(tl_ctx *ctx, boosting *b)
{
    const tl_run_spec *spec = &b->t->spec;
    const size_t       rows = (size_t)spec->train.count, valid = (size_t)spec->valid.count;
    tl_status          rc;

    b->rows       = spec->train.count;
    b->valid_rows = spec->valid.count;
    b->columns    = spec->candidate.prep.table->width;
    b->scores     = tl_trees_scores(spec->dataset);
    const size_t scores = (size_t)b->scores;
    TL_TRY(code_rows(ctx, spec->cache, spec->train, b->columns, &b->x));
    TL_TRY(code_rows(ctx, spec->cache, spec->valid, b->columns, &b->valid_x));
    TL_TRY(tl_bins_new(ctx, b->x, b->rows, spec->candidate.prep.table, &b->bins));
    TL_TRY(tl_grower_new(ctx, &b->bins, &spec->candidate.hyper.trees, &b->grower));
    TL_TRY(tl_alloc_array(ctx, scores * rows, sizeof(double), &b->score));
    TL_TRY(tl_alloc_array(ctx, scores * valid, sizeof(double), &b->valid_score));
    TL_TRY(tl_alloc_array(ctx, scores * rows, sizeof(float), &b->gradient));
    TL_TRY(tl_alloc_array(ctx, scores * rows, sizeof(float), &b->hessian));
    TL_TRY(tl_alloc_array(ctx, scores, sizeof(float), &b->base));
    if (spec->candidate.hyper.class_weights && !spec->dataset->task->numbers)
        TL_TRY(weigh_classes(ctx, b));
    find_base(b);
    fill_base(b, b->score, b->rows);
    fill_base(b, b->valid_score, b->valid_rows);
done:
    return rc;
}

static void close_boosting(tl_ctx *ctx, boosting *b)
{
    tl_grower_free(ctx, b->grower);
    tl_grown_free(ctx, &b->grown);
    tl_bins_free(ctx, &b->bins);
    tl_free(ctx, b->x);
    tl_free(ctx, b->valid_x);
    tl_free(ctx, b->score);
    tl_free(ctx, b->valid_score);
    tl_free(ctx, b->gradient);
    tl_free(ctx, b->hessian);
    tl_free(ctx, b->weight);
    tl_free(ctx, b->base);
}

/* Softmax of row i's scores, or the logistic of the one: the share of class k. */
static double share_of(const boosting *b, const double *score, int64_t rows, int64_t i,
                       int64_t k)
{
    double top = -INFINITY, sum = 0.0;

    if (b->scores == 1) return 1.0 / (1.0 + exp(-score[i]));
    for (int64_t c = 0; c < b->scores; c++) top = fmax(top, score[c * rows + i]);
    for (int64_t c = 0; c < b->scores; c++) sum += exp(score[c * rows + i] - top);
    return exp(score[k * rows + i] - top) / sum;
}

/* First and second derivative of the loss in the score. */
static void derive(void *arg, int64_t low, int64_t high)
{
    const boosting    *b    = arg;
    const tl_run_spec *spec = &b->t->spec;

    for (int64_t i = low; i < high; i++)
        for (int64_t k = 0; k < b->scores; k++) {
            const int64_t at = k * b->rows + i, row = spec->train.row[i];
            const double  w  = weight_of(b, i);
            if (spec->dataset->task->numbers) {
                b->gradient[at] = (float)(b->score[at] - tl_scaled_target(spec, row));
                b->hessian[at]  = 1.0f;
                continue;
            }
            if (has_marks(b)) {
                const double mark = tl_dataset_mark(spec->dataset, row, k);
                const double yes  = 1.0 / (1.0 + exp(-b->score[at]));
                b->gradient[at]   = mark < 0.0 ? 0.0f : (float)(yes - mark);
                b->hessian[at]    = mark < 0.0 ? 0.0f : (float)(yes * (1.0 - yes));
                continue;
            }
            const double  p    = share_of(b, b->score, b->rows, i, k);
            const int32_t mine = b->scores == 1 ? 1 : (int32_t)k;
            b->gradient[at] = (float)(w * (p - (spec->dataset->label[row] == mine ? 1.0 : 0.0)));
            b->hessian[at]  = (float)(w * p * (1.0 - p));
        }
}

static double loss_of_marks(const boosting *b, const double *score, tl_rows rows, int64_t i)
{
    double sum = 0.0;

    for (int64_t k = 0; k < b->scores; k++) {
        const double mark = tl_dataset_mark(b->t->spec.dataset, rows.row[i], k);
        const double x    = score[k * rows.count + i];
        if (mark >= 0.0) sum += fmax(x, 0.0) - x * mark + log1p(exp(-fabs(x)));
    }
    return sum / (double)b->scores;
}

static double mean_loss(const boosting *b, const double *score, tl_rows rows)
{
    const tl_run_spec *spec = &b->t->spec;
    double             sum  = 0.0;

    for (int64_t i = 0; i < rows.count && has_marks(b); i++)
        sum += loss_of_marks(b, score, rows, i);
    if (has_marks(b)) return sum / (double)rows.count;
    for (int64_t i = 0; i < rows.count; i++) {
        const int32_t label = spec->dataset->label[rows.row[i]];
        const double  e     = score[i] - tl_scaled_target(spec, rows.row[i]);
        if (spec->dataset->task->numbers) sum += e * e;
        else if (b->scores == 1) sum += log1p(exp(label ? -score[i] : score[i]));
        else sum -= log(fmax(share_of(b, score, rows.count, i, label), 1e-300));
    }
    return sum / (double)rows.count;
}

static void add_to_valid(boosting *b, int64_t tree, int64_t score)
{
    const tl_forest f = { .node    = b->grown.node,
                          .bits    = b->grown.bits,
                          .nodes   = b->grown.nodes,
                          .words   = b->grown.words,
                          .columns = b->columns };

    for (int64_t i = 0; i < b->valid_rows; i++)
        b->valid_score[score * b->valid_rows + i] += (double)tl_forest_leaf(
            &f, (int64_t)b->grown.root[tree], b->valid_x + i * b->columns);
}

static tl_status one_round(tl_ctx *ctx, boosting *b)
{
    tl_status rc = TL_OK;

    tl_par_for(ctx->world->threads, b->rows, 1024, derive, b);
    for (int64_t k = 0; k < b->scores; k++) {
        TL_TRY(tl_grower_grow(ctx, b->grower, b->gradient + k * b->rows,
                              b->hessian + k * b->rows, &b->grown, b->score + k * b->rows));
        add_to_valid(b, b->grown.trees - 1, k);
    }
done:
    return rc;
}

/* Rounds until validation's loss has not fallen for `patience` of them. */
static tl_status boost(tl_ctx *ctx, boosting *b)
{
    const tl_tree_settings *s  = &b->t->spec.candidate.hyper.trees;
    tl_status               rc = TL_OK;

    b->best_loss = mean_loss(b, b->valid_score, b->t->spec.valid);
    for (int64_t round = 1; round <= s->most; round++) {
        if (tl_cancelled(ctx))
            TL_FAIL(TL_ECANCEL, "trees", "interrupted");
        TL_TRY(one_round(ctx, b));
        const double loss = mean_loss(b, b->valid_score, b->t->spec.valid);
        tl_features_say(b->t, "trees", round, s->most, loss);
        if (loss < b->best_loss || s->patience == 0) {
            b->best_loss   = loss;
            b->best_rounds = round;
        }
        if (s->patience > 0 && round - b->best_rounds >= s->patience) break;
    }
done:
    return rc;
}

/* Trees of the best rounds only; what they do not reach is left out with them. */
static void keep_best(boosting *b)
{
    const int64_t trees = b->best_rounds * b->scores;

    if (trees < b->grown.trees) b->grown.nodes = (int64_t)b->grown.root[trees];
    b->grown.trees = trees;
}

static void fill(tl_params *params, const char *name, const float *from, int64_t count)
{
    const tl_param *p = tl_params_find(params, name);

    if (count > 0) memcpy(tl_params_value(params, p), from, (size_t)count * sizeof *from);
}

/* A model of the trees takes the place of the run's. */
static tl_status take_model(tl_ctx *ctx, boosting *b)
{
    tl_trainer  *t     = b->t;
    tl_grown    *g     = &b->grown;
    tl_arch      arch  = { 0 };
    tl_model    *model = NULL;
    tl_status    rc;

    TL_TRY(tl_arch_copy(ctx, &t->model->arch, &arch));
    json_object_set_new(arch.config, "scores", json_integer(b->scores));
    json_object_set_new(arch.config, "trees", json_integer(TL_MAX(g->trees, (int64_t)1)));
    json_object_set_new(arch.config, "nodes", json_integer(TL_MAX(g->nodes, (int64_t)1)));
    json_object_set_new(arch.config, "words",
                        json_integer(TL_MAX(g->words, (int64_t)TL_SET_WORDS)));
    TL_TRY(tl_model_new(ctx, &arch, &t->model->prep, t->model->class_name, 0, &model));
    fill(model->params, "trees.node", g->node, g->nodes * TL_NODE_FIELDS);
    if (g->nodes == 0)
        tl_params_value(model->params, tl_params_find(model->params, "trees.node"))[0] = -1.0f;
    fill(model->params, "trees.bits", g->bits, g->words);
    fill(model->params, "trees.root", g->root, g->trees);
    fill(model->params, "trees.base", b->base, b->scores);
    rc    = tl_trainer_take(ctx, t, model);
    model = NULL;
done:
    tl_arch_free(ctx, &arch);
    tl_model_free(ctx, model);
    return rc;
}

tl_status tl_trees_run(tl_ctx *ctx, tl_trainer *t)
{
    boosting  b = { .t = t };
    tl_status rc;

    TL_TRY(open_boosting(ctx, &b));
    TL_TRY(boost(ctx, &b));
    t->at.flops += tl_trees_flops(&t->spec) * (double)b.grown.trees / (double)b.scores /
                   (double)t->spec.candidate.hyper.trees.most;
    keep_best(&b);
    TL_TRY(take_model(ctx, &b));
    t->at.step = b.best_rounds;
    snprintf(t->detail, sizeof t->detail,
             "%" PRId64 " gradient-boosted %s of up to %" PRId64 " leaves", b.grown.trees,
             b.grown.trees == 1 ? "tree" : "trees", t->spec.candidate.hyper.trees.leaves);
    TL_TRY(tl_trainer_score(ctx, t));
done:
    close_boosting(ctx, &b);
    return rc;
}
