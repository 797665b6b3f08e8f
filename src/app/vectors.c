/* vectors.c -- see vectors.h.  Source of the format: NumPy Enhancement Proposal 1, version 1.0
 * (little-endian f32, row by row).  Floor 5, app. */
#include "app/vectors.h"
#include "core/io.h"
#include "core/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HEAD = 128 /* bytes; a multiple of 64 with room for any shape */ };

tl_status tl_vectors_open(tl_app *app, tl_vectors *out)
{
    const tl_args *args = &app->args;

    *out        = (tl_vectors){ .app = app, .file = tl_args_text(args, TL_OPT_npy) };
    out->wanted = out->file || tl_args_given(args, TL_OPT_embed);
    out->how    = (tailor_embedding){ .pooling   = tl_args_text(args, TL_OPT_pooling),
                                      .normalize = tl_args_given(args, TL_OPT_normalize) };
    if (!out->wanted && (out->how.pooling || out->how.normalize))
        return tl_fail(&app->ctx, TL_EUSAGE, out->how.pooling ? "--pooling" : "--normalize",
                       "is about vectors (add --embed, or --npy FILE)");
    return TL_OK;
}

/* Nine digits: a float comes back as it was. */
static int print_line(const tailor_vector *row)
{
    json_t *line = json_pack("{s:o}", "input", tl_json_name(row->input)), *list = json_array();

    if (row->error) json_object_set_new(line, "error", json_string(row->error));
    else {
        for (int64_t k = 0; k < row->width; k++)
            json_array_append_new(list, json_real((double)row->vector[k]));
        json_object_set(line, "embedding", list);
    }
    char *text = json_dumps(line, JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(9));
    const bool stop = !text || printf("%s\n", text) < 0 || fflush(stdout) != 0;
    free(text);
    json_decref(list);
    json_decref(line);
    return stop;
}

static tl_status keep(tl_vectors *v, const tailor_vector *row)
{
    tl_ctx   *ctx = &v->app->ctx;
    tl_status rc  = TL_OK;

    if (v->rows == v->room) {
        v->room = TL_MAX(2 * v->room, (int64_t)256);
        TL_TRY(tl_realloc(ctx, (size_t)(v->room * row->width) * sizeof *v->value, &v->value));
    }
    v->width = row->width;
    memcpy(v->value + v->rows++ * v->width, row->vector, (size_t)v->width * sizeof *v->value);
done:
    return rc;
}

static int take(void *user, const tailor_vector *row)
{
    tl_vectors *v = user;

    if (row->error || !v->file) return print_line(row);
    v->rc = keep(v, row);
    return v->rc != TL_OK;
}

tl_status tl_vectors_ask(tl_vectors *v, const tailor_model *model, char *const *list,
                         size_t count, bool paths)
{
    const tl_status rc = tl_app_lib(
        v->app, (paths ? tailor_embed : tailor_embed_text)(v->app->lib, model, &v->how,
                                                          (const char *const *)list, count,
                                                          take, v));

    return v->rc != TL_OK ? v->rc : rc;
}

tl_status tl_vectors_end(tl_vectors *v)
{
    tl_ctx    *ctx = &v->app->ctx;
    tl_output *out = NULL;
    char       head[HEAD + 1], dict[HEAD - 10];
    tl_status  rc = TL_OK;

    if (!v->file) goto done;
    snprintf(dict, sizeof dict,
             "{'descr': '<f4', 'fortran_order': False, 'shape': (%" PRId64 ", %" PRId64 "), }",
             v->rows, v->width);
    memcpy(head, "\x93NUMPY\x01\0", 8);
    head[8] = HEAD - 10, head[9] = 0; /* what follows has so many bytes */
    snprintf(head + 10, sizeof head - 10, "%-117s\n", dict);
    TL_TRY(tl_output_open(ctx, v->file, &out));
    TL_TRY(tl_write(ctx, out, head, HEAD));
    TL_TRY(tl_write(ctx, out, v->value, (size_t)(v->rows * v->width) * sizeof *v->value));
    TL_TRY(tl_output_commit(ctx, out));
    snprintf(dict, sizeof dict, "%" PRId64 " %s of %" PRId64 " numbers", v->rows,
             tl_plural(v->rows, "vector", "vectors"), v->width);
    tl_term_say(&v->app->term, dict);
done:
    tl_output_close(ctx, out);
    return rc;
}

void tl_vectors_free(tl_vectors *v)
{
    if (v->app) tl_free(&v->app->ctx, v->value);
    *v = (tl_vectors){ 0 };
}
