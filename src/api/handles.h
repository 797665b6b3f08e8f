/* handles.h -- what the opaque handles of include/tailor.h hold.  Floor 4.5, api. */
#ifndef TL_API_HANDLES_H
#define TL_API_HANDLES_H
#include "bundle/model.h"
#include "bundle/tell.h"
#include "tailor.h"
#include "train/run.h"

struct tailor {
    tl_world world;
    tl_ctx   ctx;
    char     precision[8];
    int    (*progress)(void *user, const tailor_progress *p);
    void    *progress_user;
    void   (*message)(void *user, const char *line);
    void    *message_user;
    void (*live)(void       *user,
                 const char *json); /* of the comparison that runs              */
    void *live_user;
    tl_telling writing; /* as tailor_set_writing said; its texts are owned      */
    int64_t    context; /* tokens a writer keeps; 0: the default                */
};

struct tailor_data {
    tl_dataset *set;
    uint64_t    seed;  /* of the test cut */
};

struct tailor_model {
    tl_model *model;
    bool      fresh;   /* made here and not trained yet */
};

/* A status as the public one; ctx keeps the message. */
tailor_status tl_api_status(tl_status rc);
/* Forget the last error before a call begins. */
tl_ctx       *tl_api_begin(tailor *t);
/* A JSON value as text (value is freed, may be NULL: no memory). */
tl_status     tl_api_text(tl_ctx *ctx, json_t *value, char **out);
/* Passed to runs and studies as their progress and say; user is the tailor. */
void tl_api_progress(void *user, const tl_progress *p);
void tl_api_say(void *user, const char *line);
/* auto, f32 or bf16 on this machine; auto: what the model (may be NULL) was made with. */
tl_dtype          tl_api_dtype(const tailor *t, const tl_model *model);
const tl_backend *tl_api_backend(void);
/* A model ready to write, in f32 unless another precision was asked for, and how it is to. */
tl_status  tl_api_writer(tailor *t, const tl_model *model, tl_writer **out);
tl_telling tl_api_telling(const tailor *t);
void       tl_api_writing_free(tailor *t);

/* The rows of a part: "train", "valid", "test", "all"; NULL: the test part if there is one, else
 * all.  Where the files name no test part, the test rows are those that `model` (may be NULL) was
 * kept from, if it was trained on this very data; else those cut off by the data's seed.
 * *said (may be NULL): which part it was. */
tl_status tl_api_part(tl_ctx *ctx, const tailor_data *data, const tl_model *model,
                      const char *part, tl_rows *out, const char **said);
bool      tl_api_names_test(const tl_dataset *d); /* the files say which rows are test */
/* Share of rows cut off as test where the files name none, as the study has it too. */
extern const double tl_api_test_share;
double tl_api_valid_share(int64_t rest); /* of the rows that are not test */
/* Bytes of decoded pictures to keep. */
size_t   tl_api_cache_bytes(const tailor *t);

/* One process at a time in a folder: a lock that ends with the process.  TL_EFAIL "is in use". */
typedef struct { int fd; } tl_lock;
tl_status tl_lock_take(tl_ctx *ctx, const char *folder, tl_lock *out);
void      tl_lock_drop(tl_lock *lock);

/* Keep the command and the directory it was given in; then whether it finished. */
tl_status tl_api_keep_command(tl_ctx *ctx, const char *folder, const char *const *command);
tl_status tl_api_keep_finished(tl_ctx *ctx, const char *folder);

/* What a model says of rows against their labels, for tailor_evaluate and tailor_fit. */
typedef struct {
    int64_t  rows, classes;      /* classes of the model                                     */
    int32_t *label, *predicted;  /* [rows] in the model's classes; owned, as all below       */
    float   *score;              /* [rows] probability of class 1 of two; else NULL          */
    double  *truth, *value;      /* [rows] of numbers, the target and what the model says    */
    uint8_t *has, *says;         /* [rows classes] of several labels, with `probability`     */
    float   *probability;
    bool     ranks;              /* the classes are ranks                                    */
    double  *loss;               /* [rows] natural log; owned                                */
    int64_t  texts;              /* of words with tags: what those of each text add up to,   */
    double  *of_text;            /* [texts TL_OF_TEXT]; else NULL                            */
} tl_answers;
enum { TL_TEXT_RIGHT, TL_TEXT_WORDS, TL_TEXT_SPANS_RIGHT, TL_TEXT_SPANS_SAID, TL_TEXT_SPANS_THERE,
       TL_OF_TEXT };
tl_status tl_api_ask(tailor *t, const tl_model *model, const tl_dataset *set, tl_rows rows,
                     tl_answers *out);
void      tl_answers_free(tl_ctx *ctx, tl_answers *a);
/* measure_marks.c: of several labels, and of ranks what accuracy and F1 do not say. */
tl_status tl_measure_labels(tl_ctx *ctx, const tl_answers *a, tailor_metrics *out);
tl_status tl_measure_ranks(tl_ctx *ctx, const tl_answers *a, tailor_metrics *out);
/* measure_tags.c: of words with tags what each text adds, and the scores of words and entities with
 * intervals over texts. */
tl_status tl_count_texts(tl_ctx *ctx, const tl_model *m, const tl_dataset *d, tl_rows rows,
                         tl_answers *a);
tl_status tl_measure_tags(tl_ctx *ctx, const tl_answers *a, tailor_metrics *out);
tl_status tl_api_measure(tl_ctx *ctx, const tl_answers *a, tailor_metrics *out);
#endif
