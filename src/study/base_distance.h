/* base_distance.h -- how far the question's data lies from a base, in words a beginner
 * understands.  Floor 4, study. */
#ifndef TL_STUDY_BASE_DISTANCE_H
#define TL_STUDY_BASE_DISTANCE_H
#include "study/compare_internal.h"

/* Of a base of pictures or texts and some rows of the training part; *out (owned):
 *   base
 *   norms      {rows, layers, shift, kl, first} of a net with batch norms (distance.h), else null
 *   tokenizer  of texts {texts, tokens_per_word, broken, unknown, english: {tokens_per_word,
 *              broken}}: the data's, and the same tokenizer's on plain English; else null
 *   drift      with `parts` and where the files name a test part {rows: [training, test], frechet,
 *              mmd2, p}: the base's features of the two parts; else null
 *   far        the data lies far from what the base was trained on;  why  in words, or null */
tl_status tl_base_distance(tl_ctx *ctx, tl_study *s, const tl_entry *e, tl_rows rows, bool parts,
                           json_t **out);
/* What of it is to be told, as a finding of a profile (profile.h). */
void      tl_base_distance_say(const json_t *distance, json_t *profile);
#endif
