/* compare_facts.c -- what a comparison holds of a run that ended, out of what runs.db keeps of it:
 * of thousands of runs the JSON would take most of the memory.  Floor 4, study. */
#include "core/text.h"
#include "study/compare_internal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static void drop(tl_ctx *ctx, tl_study_run *run)
{
    tl_free(ctx, run->facts.text);
    run->facts = (tl_run_facts){ 0 };
}

tl_status tl_study_take_facts(tl_ctx *ctx, tl_study_run *run)
{
    const json_t *from   = run->result; /* NULL: runs.db says nothing of it */
    const char   *failed = tl_json_text(from, "failed", from ? NULL : "its result is lost");
    const char   *text   = failed ? failed : tl_json_text(from, "detail", "");
    tl_run_facts  f      = { .valid_metric = tl_json_number(from, "valid_metric", NAN),
                             .train_metric = tl_json_number(from, "train_metric", NAN),
                             .least_loss   = tl_json_number(from, "least_loss", NAN),
                             .seconds      = tl_json_number(from, "seconds", 0.0),
                             .joules       = tl_json_number(from, "joules", NAN),
                             .flops        = tl_json_number(from, "flops", 0.0),
                             .peak_bytes   = tl_json_number(from, "peak_bytes", 0.0),
                             .share        = tl_json_number(from, "share", 0.0),
                             .best_epoch   = tl_json_int(from, "best_epoch", 0),
                             .epochs       = tl_json_int(from, "epochs", 0),
                             .trainable    = tl_json_int(from, "trainable", 0),
                             .parameters   = tl_json_int(from, "parameters", 0),
                             .failed       = failed != NULL };
    tl_status     rc     = TL_OK;

    snprintf(f.stopped, sizeof f.stopped, "%s", tl_json_text(from, "stopped", ""));
    snprintf(f.fit, sizeof f.fit, "%s", tl_json_text(from, "fit", "none"));
    if (*text) rc = tl_strdup(ctx, text, &f.text);
    drop(ctx, run);
    run->facts = f;
    return rc;
}

void tl_study_run_end(tl_ctx *ctx, tl_study_run *run)
{
    drop(ctx, run);
    json_decref(run->result);
    run->result = NULL;
}
