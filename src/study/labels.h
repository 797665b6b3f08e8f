/* labels.h -- which labels are probably wrong, from probabilities that were given to each row by
 * a model that had not seen it.  Over arrays only.  Floor 4, study.
 * Source: Northcutt, Jiang and Chuang 2021, "Confident learning", arXiv:1911.00068: the joint of
 * given and true labels is counted where the model is as sure of a class as it usually is of
 * that class's own rows; its off-diagonal says how many labels of each kind are wrong, and those
 * rows go where the true class leads the given one by most ("prune by noise rate"). */
#ifndef TL_STUDY_LABELS_H
#define TL_STUDY_LABELS_H
#include "core/core.h"

typedef struct {
    int64_t row;           /* place in the arrays */
    int32_t given, likely; /* classes */
    double  own, other;    /* their probabilities */
} tl_suspect;

typedef struct {
    tl_suspect *suspect; /* the least likely label first; owned */
    int64_t     count;
    double      noise;   /* share of all labels that the joint puts off its diagonal */
    int64_t    *joint;   /* [classes classes] given x true, as rows; owned */
} tl_label_audit;

/* probability [rows classes], label [rows].  `clean`: the model has not learned from suspects
 * (those of a first audit); then they are so many as the joint has off its diagonal, whatever the
 * pair of classes: of the rows where another class is likelier those whose own is the least likely;
 * and all where another is five times as likely. */
tl_status tl_labels_audit(tl_ctx *ctx, const float *probability, const int32_t *label,
                          int64_t rows, int32_t classes, bool clean, tl_label_audit *out);
/* Share of the rows whose given label is the likeliest.  Below TL_LABELS_LEAST nothing is to be
 * said of labels: the model's own mistakes would be taken for theirs. */
double    tl_labels_agreement(const float *probability, const int32_t *label, int64_t rows,
                              int32_t classes);
#define TL_LABELS_LEAST 0.75
void      tl_label_audit_free(tl_ctx *ctx, tl_label_audit *a); /* safe to repeat */
#endif
