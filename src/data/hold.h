/* hold.h -- what lies behind tl_dataset.hold.  Inside the data room only.  Floor 2, data. */
#ifndef TL_DATA_HOLD_H
#define TL_DATA_HOLD_H
#include "data/part.h"

#include <pthread.h>

typedef struct {
    tl_part        *part;
    size_t          parts;
    int64_t        *start; /* [parts + 1] first row of each part                        */
    pthread_mutex_t lock;  /* of group                                                  */
    int64_t        *group; /* [rows] of tl_dataset_duplicates, once it was asked for    */
} tl_hold;

/* Fills group, groups and their names from a column of tables or texts.  TL_EUSAGE where there is
 * none such.  In data/groups.c. */
tl_status tl_dataset_take_groups(tl_ctx *ctx, tl_dataset *d, const char *column);
/* out[position in rows] = part, by the parts' shares (they sum to 1), groups whole.  TL_EDATA with
 * fewer groups than parts.  In data/split_groups.c. */
tl_status tl_split_groups(tl_ctx *ctx, const tl_dataset *d, const tl_rows *rows,
                          const double *share, int parts, uint64_t seed, uint64_t stream,
                          int8_t *out);
const tl_part *tl_hold_part(const tl_dataset *d, int64_t i, int64_t *local);
/* Row i's pixels where they are held as bytes (borrowed), else NULL. */
const uint8_t *tl_hold_pixels(const tl_dataset *d, int64_t i, tl_image *size);
#endif
