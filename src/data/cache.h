/* cache.h -- what loaders ask the cache for.  Inside the data room only.  Floor 2, data. */
#ifndef TL_DATA_CACHE_H
#define TL_DATA_CACHE_H
#include "core/io.h"
#include "data/loader.h"
#include "data/texts/pack.h"
#include "data/window.h"

/* Windows of long rows behind the first (texts/windows.h). */
typedef struct {
    int64_t *first;   /* [rows + 1] those of each row; NULL: no row is too long                  */
    int64_t  windows;
    int64_t *start;   /* [windows + 1] where each one's ids begin                                */
    int32_t *id;
    uint8_t *part;
} tl_text_more;

/* Rows of text as ids, one after another. */
typedef struct {
    int64_t *start;      /* [rows + 1] where each row's ids begin                              */
    int64_t  rows;
    int32_t *id;
    int64_t  tokens;     /* of all rows, where they run on                                     */
    uint8_t *part;       /* which of two texts each is of; NULL: the first                     */
    float   *value;      /* of weighed words; else NULL                                        */
    uint8_t *mark;       /* [tokens] tl_token_mark; NULL: each row is one text, all of it asked */
    bool     runs_on;    /* what follows a row's last token is in the next row, unless marked  */
    int64_t  most_texts; /* that begin in one row; 0 reads as 1                                */
    tl_map   id_map, mark_map; /* where they are, if not in memory                            */
    int64_t  cut_rows, cut_tokens;
    tl_text_more more;
    int32_t *of;         /* of words that are asked one by one (texts/tagged.h): the dataset's rows
                            are [words], those here are windows of texts, and this is which window
                            a word is asked in; NULL: both are the same                        */
    int32_t *token;      /* [words] where it begins there; ~token: where nothing of it stands  */
    int64_t *word_at;    /* [rows + 1] the first word that each window asks                    */
} tl_text_rows;
void tl_text_rows_free(tl_ctx *ctx, tl_text_rows *t);

/* How a picture is asked for: as prep's resize makes it; or what random crops are cut from, with
 * TL_RICH times the pixels a side, so that a small crop is not blown up from few. */
typedef enum { TL_FORM_SIZED, TL_FORM_RICH, TL_FORMS } tl_form;
#define TL_RICH 1.5
typedef struct {
    _Atomic(uint8_t *) *data; /* [rows] NULL: not held                             */
    _Atomic uint64_t   *size; /* [rows] height << 32 | width, written before data  */
} tl_cache_store;

struct tl_cache {
    const tl_dataset *d;
    tl_prep           prep;
    tl_levels         levels;
    size_t            budget_bytes;
    _Atomic size_t    used_bytes;
    tl_cache_store    held[TL_FORMS];
    tl_prep           richly;      /* prep, its sizes those of TL_FORM_RICH                  */
    int32_t           *map;        /* of a table: tl_dataset_maps; prep.table is held        */
    float             *coded;      /* [rows width] of a table; NULL: over the budget         */
    tl_text_rows       text;       /* of text; prep.text is held                             */
};

/* tl_cache_new for the rows of a table, which are coded at once where the budget allows. */
tl_status tl_cache_of_table(tl_ctx *ctx, const tl_dataset *d, const tl_prep *prep,
                            size_t budget_bytes, tl_cache **out);
/* tl_cache_new for rows of text, which are made ids at once. */
tl_status tl_cache_of_text(tl_ctx *ctx, const tl_dataset *d, const tl_prep *prep, tl_cache **out);
/* Row `row` with prep's channels: as decoded, or as the form's resize makes it where that is
 * smaller; which of them depends on row and form alone.  *owned: the caller ends it. */
tl_status tl_cache_get(tl_ctx *ctx, tl_cache *cache, int64_t row, tl_form form, tl_image *out,
                       bool *owned);
/* Are all rows held as bytes, so that a get costs next to nothing? */
bool      tl_cache_is_quick(const tl_cache *cache);
#endif
