/* loader.h -- rows to batches, ahead of the trainer: reader threads decode, resize into a cache
 * within the memory budget, augment and normalise.  What a batch holds is a function of
 * (seed, epoch, position) alone, whatever the threads do.  Floor 2, data. */
#ifndef TL_DATA_LOADER_H
#define TL_DATA_LOADER_H
#include "data/dataset.h"
#include "data/prep.h"
#include "tensor/batch.h"

/* Pictures decoded and resized once (before augmentation), shared by all loaders with the same
 * preprocessing; thread-safe; bytes beyond the budget are decoded anew each time. */
typedef struct tl_cache tl_cache;
tl_status tl_cache_new(tl_ctx *ctx, const tl_dataset *d, const tl_prep *prep, size_t budget_bytes,
                       tl_cache **out);
void      tl_cache_free(tl_ctx *ctx, tl_cache *cache);
/* Row `row` of a table, coded: x [prep.table->width]. */
tl_status tl_cache_code(tl_ctx *ctx, tl_cache *cache, int64_t row, float *x);
/* For forecasts; pictures of unknown size count as the dataset's first.  tl_cache_full_bytes: of
 * `rows` pictures, `cropped` of them cut by an augmentation besides; tl_cache_bytes: of those held
 * by now; tl_cache_will_take: what reading these lists, the first with the augmentation so named,
 * will add to them. */
size_t    tl_cache_full_bytes(const tl_dataset *d, const tl_prep *prep, int64_t rows,
                              int64_t cropped);
size_t    tl_cache_bytes(const tl_cache *cache);
size_t    tl_cache_will_take(const tl_cache *cache, const tl_rows *lists, int count,
                             const char *augment);

typedef struct {
    tl_cache         *cache;
    tl_rows           rows;      /* borrowed: what an epoch covers                            */
    int64_t           batch;     /* rows of a batch                                           */
    bool              shuffle;   /* a new order each epoch, from (seed, epoch)                */
    bool              balanced;  /* as many rows of each class as of any other, in turns      */
    bool              drop_short;/* the short last batch's rows lead the next epoch instead   */
    const tl_augment *augment;   /* NULL: none                                                */
    uint64_t          seed;
    int               readers;   /* threads; 0: chosen                                        */
    int64_t           first_epoch; /* what is drawn starts with this one's numbers            */
    const float      *table;     /* borrowed [.. width]: takes the place of pictures; the cache
                                    still has the labels; NULL: none                         */
    const int64_t    *place;     /* borrowed [rows.count] where each row stands in it        */
    int64_t           width;
    double            target_mean, target_scale; /* of numbers: (y - mean) / scale           */
    const float      *target;    /* borrowed [rows.count outputs]: of the batch; NULL: none   */
    int64_t           outputs;
} tl_loader_spec;
typedef struct tl_loader tl_loader;
/* How many batches a loader holds: so many rows of so many values. */
int64_t   tl_loader_slots(int64_t batch, int64_t row_values);
tl_status tl_loader_new(tl_ctx *ctx, const tl_loader_spec *spec, tl_loader **out);
void      tl_loader_free(tl_ctx *ctx, tl_loader *loader);
/* Go to batch `position` of `epoch` (resume): the same batches as if all before were taken. */
tl_status tl_loader_seek(tl_ctx *ctx, tl_loader *loader, int64_t epoch, int64_t position);
int64_t   tl_loader_batches(const tl_loader *loader, int64_t epoch); /* in that epoch */
/* The next batch; borrowed until the next call.  rows = 0 at an epoch's end, then it goes on
 * with the next epoch.  Reader errors arrive here. */
tl_status tl_loader_next(tl_ctx *ctx, tl_loader *loader, const tl_batch **out);
#endif
