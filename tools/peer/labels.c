/* labels.c -- the audit's probes and its count on features that another program made, so that
 * both look at the same: FEATURES (float32, rows x width) LABELS (int32) ROWS WIDTH CLASSES.
 * One line a suspect, the worst first: its row.  tools/peer/label_errors.py calls it. */
#include "core/core.h"
#include "core/io.h"
#include "study/compare_internal.h"
#include "study/labels.h"
#include "study/transfer.h"

#include <stdio.h>
#include <stdlib.h>

enum { FOLDS = 5 };

int main(int argc, char **argv)
{
    tl_world       world;
    tl_ctx         ctx;
    tl_slab       *slab  = NULL;
    uint8_t       *x = NULL, *y = NULL;
    int8_t        *fold  = NULL;
    uint8_t       *skip  = NULL;
    float         *p     = NULL;
    size_t         bytes[2];
    tl_label_audit found = { 0 };
    tl_status      rc;

    tl_world_init(&world);
    ctx = tl_ctx_make(&world);
    if (argc < 6) {
        fputs("labels FEATURES LABELS ROWS WIDTH CLASSES [ROUNDS [PROBABILITIES]]\n", stderr);
        return 2;
    }
    const int64_t rows = atoll(argv[3]), width = atoll(argv[4]), classes = atoll(argv[5]);
    const int     rounds = argc > 6 ? atoi(argv[6]) : 2;
    TL_TRY(tl_file_read(&ctx, argv[1], (size_t)1 << 32, &x, &bytes[0]));
    TL_TRY(tl_file_read(&ctx, argv[2], (size_t)1 << 32, &y, &bytes[1]));
    if (bytes[0] != (size_t)(rows * width) * 4 || bytes[1] != (size_t)rows * 4)
        return fputs("sizes do not fit\n", stderr), 2;
    TL_TRY(tl_slab_new(&ctx, tl_study_backend(), &slab));
    TL_TRY(tl_alloc(&ctx, (size_t)rows, &fold));
    TL_TRY(tl_alloc(&ctx, (size_t)rows, &skip));
    TL_TRY(tl_alloc_array(&ctx, (size_t)(rows * classes), sizeof *p, &p));
    for (int64_t i = 0; i < rows; i++) fold[i] = (int8_t)(i % FOLDS);
    const tl_features f = { (const float *)(const void *)x, (const int32_t *)(const void *)y, rows,
                            width, classes };
    for (int round = 0; round < rounds; round++) {
        tl_label_audit_free(&ctx, &found);
        TL_TRY(tl_transfer_probabilities(&ctx, &f, fold, FOLDS, skip, tl_study_backend(), slab, p));
        TL_TRY(tl_labels_audit(&ctx, p, f.label, rows, (int32_t)classes,
                               round > 0 && round == rounds - 1, &found));
        for (int64_t i = 0; i < rows; i++) skip[i] = 0;
        for (int64_t i = 0; i < found.count; i++) skip[found.suspect[i].row] = 1;
    }
    for (int64_t i = 0; i < found.count; i++) printf("%" PRId64 "\n", found.suspect[i].row);
    if (argc > 7) { /* the probabilities, for others to count by */
        TL_TRY(tl_file_write(&ctx, argv[7], (const char *)p, (size_t)(rows * classes) * 4));
    }
done:
    if (rc != TL_OK) fprintf(stderr, "%s\n", ctx.message);
    tl_label_audit_free(&ctx, &found);
    tl_slab_free(&ctx, slab);
    tl_free(&ctx, x);
    tl_free(&ctx, y);
    tl_free(&ctx, fold);
    tl_free(&ctx, skip);
    tl_free(&ctx, p);
    return rc == TL_OK ? 0 : 1;
}
