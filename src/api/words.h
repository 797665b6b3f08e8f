/* words.h -- scores of a language model on blocks of text.  Floor 4.5, api. */
#ifndef TL_API_WORDS_H
#define TL_API_WORDS_H
#include "api/handles.h"
#include "data/texts/pack.h"

typedef struct {
    const tl_model *model;
    const tl_cache *cache;
    tl_asking       how;
    tl_dtype        dtype;
    tl_rows         rows;  /* of the cache                                                  */
    int64_t         bytes; /* of their text; 0: that is not asked                            */
} tl_words_in;
typedef struct {
    double  loss, low, high; /* of a token, natural log, with a 95 % interval over blocks    */
    double  bits_per_byte;   /* NaN where hidden tokens are asked, or bytes are not known     */
    int64_t tokens;
} tl_words_score;
tl_status tl_words_measure(tl_ctx *ctx, const tl_words_in *in, tl_words_score *out);
/* report.html into a folder, from tailor_fit's result on a model called `name`. */
tl_status tl_words_page(tl_ctx *ctx, const json_t *result, const char *name, const char *folder);
/* tailor_evaluate of a language model on a corpus. */
tl_status tl_words_evaluate(tailor *t, const tl_model *model, const tl_dataset *corpus,
                            const char *part, tailor_metrics *out, char **json);
#endif
