/* attributes.h -- plain facts of a row that are no lesson: how large a picture is, what its border
 * looks like, how long a text is, what stands in the columns beside it.  Where one of them alone
 * foretells the label, or differs between the parts, people want to know.  Floor 2, data.
 * A new one: a record in attributes_of_pictures.c or attributes_of_texts.c. */
#ifndef TL_DATA_ATTRIBUTES_H
#define TL_DATA_ATTRIBUTES_H
#include "data/dataset.h"

enum { TL_MOST_LEVELS_SEEN = 255 }; /* of a category; the rest share the last */

typedef enum {
    TL_FACT_ASIDE,  /* the model should have no need of it: foretelling is suspicious        */
    TL_FACT_INPUT,  /* a column that the model reads: only foretelling almost all is         */
    TL_FACT_UNSEEN, /* the model does not see it: foretelling is worth a note                */
    TL_FACT_DRIFTS  /* part of what is learnt: only whether it drifts is looked at           */
} tl_fact_role;

typedef struct {
    char         name[100];  /* "the picture's width"                                        */
    const char  *todo;       /* where it foretells the label                                 */
    tl_fact_role role;
    bool         category;   /* values are numbers of levels                                 */
    int64_t      levels;
    double      *value;      /* [rows]; NaN: none; owned                                     */
} tl_fact;

typedef struct {
    tl_rows  rows;  /* looked at: of each part all, or so many drawn; rising                 */
    tl_fact *fact;
    int64_t  facts;
    int64_t *language; /* of texts [TL_LANGUAGES] rows by languages.h; else NULL             */
} tl_facts;

/* Damaged pictures have no values of what must be decoded.  TL_ENOMEM, TL_EIO, TL_ECANCEL. */
tl_status tl_facts_take(tl_ctx *ctx, const tl_dataset *d, tl_facts *out);
void      tl_facts_free(tl_ctx *ctx, tl_facts *f); /* safe to repeat */

/* Inside: a fact more, its values to be filled ([f->rows.count], NaN before). */
tl_status tl_facts_add(tl_ctx *ctx, tl_facts *f, const char *name, tl_fact_role role,
                       const char *todo, tl_fact **out);
/* Hashes of words (0: none) become the levels of a category, the commonest first. */
tl_status tl_facts_levels(tl_ctx *ctx, const uint64_t *word, int64_t rows, tl_fact *out);
uint64_t  tl_facts_hash(const char *text, size_t bytes);
tl_status tl_facts_of_pictures(tl_ctx *ctx, const tl_dataset *d, tl_facts *f);
tl_status tl_facts_of_texts(tl_ctx *ctx, const tl_dataset *d, tl_facts *f);
#endif
