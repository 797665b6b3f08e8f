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

const tl_part *tl_hold_part(const tl_dataset *d, int64_t i, int64_t *local);
/* Row i's pixels where they are held as bytes (borrowed), else NULL. */
const uint8_t *tl_hold_pixels(const tl_dataset *d, int64_t i, tl_image *size);
#endif
