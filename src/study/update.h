/* update.h -- a model in use and new data: what a study of that question has beside a
 * comparison. Floor 4, study.
 *
 * Candidates are the routes of train/updates.def.  They differ in what they begin with
 * and in the rows they learn.  Is it worth acting?  What is shown to lose too much on
 * the old data's test rows is out; of the others validation chooses one, and the new
 * data's test rows say whether it beats the model as it is: one question, asked once.
 * If it does, the comparison's statistics choose among all that do; if not, the model
 * stays, unless it is shown to be worse. */
#ifndef TL_STUDY_UPDATE_H
#define TL_STUDY_UPDATE_H
#include "study/compare_internal.h"

/* update.c: the model is opened first, so that the data's columns and classes are its
 * own. */
tl_status tl_update_open_model(tl_ctx *ctx, tl_study *s, tl_dataset_source *source);
/* Which rows are new, and which of the old ones test.  After the data, before the test
 * is cut. */
tl_status tl_update_part(tl_ctx *ctx, tl_study *s);
void      tl_update_free(tl_ctx *ctx, tl_study *s);
void      tl_update_say_rows(tl_study *s);
/* `train` holds new rows; the old ones that the entry learns join it, all in rising
 * order. */
tl_status tl_update_rows(tl_ctx *ctx, const tl_study *s, const tl_entry *e, int repeat,
                         tl_rows *train);
/* How a row is numbered in the data as given: of an update in NEW; and the hash of
 * those. */
int64_t     tl_update_place(const tl_study *s, int64_t row);
const char *tl_update_sha256(const tl_study *s);
json_t     *tl_update_provenance(const tl_study *s); /* for tailor.json */

/* update_list.c: the candidates, and the one that is not trained. */
tl_status tl_update_list(tl_ctx *ctx, tl_study *s);
tl_status tl_update_keep(tl_ctx *ctx, tl_study *s, const tl_run_spec *spec, tl_run_result *out);
bool      tl_entry_is_kept(const tl_entry *e);
int       tl_update_kept(const tl_study *s); /* its entry */

/* update_judge.c: the old rows' answers of a run are kept beside those of its test
 * rows... */
tl_status tl_update_ask_old(tl_ctx *ctx, tl_study *s, const tl_study_run *run,
                            const tl_model *model, tl_cache *cache);
/* ... and read before the verdict: every entry beside the model as it is, and which of
 * them the verdict is between. */
tl_status tl_update_judge(tl_ctx *ctx, tl_study *s);
bool      tl_update_beats(const tl_study *s, int entry); /* on new rows, taken by itself */

/* update_words.c: the answer in words and in verdict.json. */
void    tl_update_sentence(const tl_study *s, const tl_judged *j, char *text, size_t room);
/* decision.why, where the verdict is between others than the words take for granted. */
void    tl_update_why(const tl_study *s, tl_judged *j);
void    tl_update_reasons(const tl_study *s, const tl_judged *j, json_t *reasons);
void    tl_update_json(const tl_study *s, const tl_judged *j, json_t *verdict);
void    tl_update_candidate_json(const tl_study *s, int entry, json_t *candidate);
#endif
