/* windows.h -- texts of more tokens than a network takes: training sees their beginning, and where
 * one is asked it is asked window by window, the mean of the answers being its own.
 * Inside the data room and above.  Floor 2, data. */
#ifndef TL_DATA_TEXTS_WINDOWS_H
#define TL_DATA_TEXTS_WINDOWS_H
#include "data/cache.h"

/* Windows behind the first of each row that the encoder cut; of pairs none.  Rows that were cut and
 * tokens that their beginning leaves out are counted, too. */
tl_status tl_cache_add_windows(tl_ctx *ctx, tl_cache *cache, const tl_string *text,
                               const tl_string *pair, int64_t count);
#endif
