/* tailor.h -- the public library: open or make a network, load data, train, evaluate, predict,
 * save, and ask which way of training suits the data.
 *
 *     tailor       *t = tailor_new();
 *     tailor_data  *d = NULL;
 *     tailor_model *m = NULL;
 *     if (tailor_data_open(t, "flowers/", NULL, &d) != TAILOR_OK ||
 *         tailor_model_open(t, "squeezenet.pth", NULL, &m) != TAILOR_OK ||
 *         tailor_fit(t, m, d, &(tailor_fit_options){ .route = "full", .epochs = 5 }, NULL))
 *         fprintf(stderr, "%s\n", tailor_error(t));
 *
 * Every call that can fail returns a tailor_status; results come last, are NULL or zero on error
 * and belong to the caller.  tailor_error gives one line: "WHERE: WHAT (WHAT TO DO)".
 * A context and what was opened with it are used by one thread at a time; tailor_interrupt may be
 * called from anywhere, signal handlers too.  Free models and data before their context.
 * Texts are UTF-8.  Times are seconds, sizes bytes.  Options may be zero: defaults are meant.
 * Structs may grow at their end between minor versions: make them with designated initialisers. */
#ifndef TAILOR_H
#define TAILOR_H
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#if defined(__GNUC__)
#define TAILOR_API __attribute__((visibility("default")))
#else
#define TAILOR_API
#endif

/* The same numbers as the exit status of the command. */
typedef enum {
    TAILOR_OK          = 0,
    TAILOR_FAILED      = 1,   /* something failed while running; reading or writing failed    */
    TAILOR_USAGE       = 2,   /* an argument or option is wrong                               */
    TAILOR_BAD_DATA    = 3,   /* a data or model file is wrong                                */
    TAILOR_LIMIT       = 4,   /* not enough memory, disk or budget                            */
    TAILOR_INTERRUPTED = 130  /* tailor_interrupt was called; state is saved where asked      */
} tailor_status;

typedef struct tailor       tailor;       /* a context: settings, limits, last error           */
typedef struct tailor_data  tailor_data;  /* rows with labels, and which part each belongs to  */
typedef struct tailor_model tailor_model; /* network, weights, preprocessing, class names      */

/* ---- context ---- */
TAILOR_API const char *tailor_version(void);            /* "0.1.0"                             */
TAILOR_API tailor     *tailor_new(void);                /* NULL: no memory                     */
TAILOR_API void        tailor_free(tailor *t);          /* NULL is fine                        */
TAILOR_API const char *tailor_error(const tailor *t);   /* of the last failure; "" when none   */
TAILOR_API tailor_status tailor_set_threads(tailor *t, int threads);      /* 0: all cores      */
TAILOR_API tailor_status tailor_set_memory(tailor *t, size_t bytes);      /* 0: no limit       */
TAILOR_API tailor_status tailor_set_precision(tailor *t, const char *precision); /* auto f32 bf16 */
/* Finish the step, save, return TAILOR_INTERRUPTED.  Safe in a signal handler. */
TAILOR_API void tailor_interrupt(tailor *t);
/* Texts that calls below return are ended with this. */
TAILOR_API void tailor_text_free(tailor *t, char *text);

typedef struct {
    const char *route, *phase;       /* "full"; "features", "head", "train"                   */
    int64_t epoch, epochs;           /* from 1                                                */
    int64_t step, steps;             /* of this epoch                                         */
    double  loss, metric;            /* of training so far in this epoch; NaN: not known      */
    double  valid_loss, valid_metric;/* at an epoch's end; NaN: not known                     */
    double  lr, seconds, eta_seconds;
    int     epoch_end;               /* 1: the epoch's last report                            */
    const char *metric_name;         /* "accuracy", "macro-f1"                                */
} tailor_progress;
/* Both may be NULL.  A progress call that returns non-zero interrupts. */
TAILOR_API void tailor_on_progress(tailor *t, int (*call)(void *user, const tailor_progress *p),
                                   void *user);
TAILOR_API void tailor_on_message(tailor *t, void (*call)(void *user, const char *line),
                                  void *user);

/* ---- data ---- */
typedef struct {
    const char *valid, *test; /* paths of these parts; NULL: as found beside or in the data   */
    int         skip_bad;     /* 1: leave unreadable rows out instead of failing               */
    uint64_t    seed;         /* of the cut where the files name no test part                  */
    const char *target;       /* of a table: the column to be predicted; NULL: inferred        */
    const char *task;         /* of a table: "classification", "regression"; NULL: inferred    */
    const tailor_model *like; /* of a table or texts: columns as this model has them           */
    const char *text, *label; /* columns of texts ("a,b": pairs) and their classes; NULL: found */
    const char *group;        /* column whose rows of one value stay on one side; NULL: none   */
    const char *order;        /* of ordinal classes: "low,medium,high"; NULL: they are numbers   */
} tailor_data_options;
/* A folder of class folders, an IDX file or a folder of them, CIFAR's binary form, a CSV, TSV,
 * JSONL (also .gz) or Parquet table or texts, a folder with a text file for each class.  A JSONL,
 * JSON or Parquet file of conversations ("messages", ShareGPT's "conversations", "prompt" with
 * "completion", Alpaca's "instruction" with "output") has the task "language-modelling":
 * tailor_fit trains a causal language model on what the assistant says in them. */
TAILOR_API tailor_status tailor_data_open(tailor *t, const char *path,
                                          const tailor_data_options *options, tailor_data **out);
/* Plain text to learn a language from: a .txt file, a CSV, TSV, JSONL or Parquet of texts, or a
 * folder of them; of the options valid, test, text and seed count.  Where no part is named test
 * or valid, a twentieth of the documents is cut off for each (of fewer than 20 the end of each);
 * with `like`, a language model, only where it was trained on this very text. */
TAILOR_API tailor_status tailor_corpus_open(tailor *t, const char *path,
                                            const tailor_data_options *options,
                                            tailor_data **out);
/* Pictures in memory: pixels [rows height width channels] bytes with channels 1 or 3, row-major;
 * label [rows] from 0 to classes - 1.  Both are copied. */
TAILOR_API tailor_status tailor_data_from_arrays(tailor *t, const uint8_t *pixels,
                                                 const int32_t *label, int64_t rows,
                                                 int64_t height, int64_t width, int64_t channels,
                                                 int64_t classes, tailor_data **out);
/* Generated stroke-drawn digits, 28 x 28 grey: no download, the same for the same seed. */
TAILOR_API tailor_status tailor_data_demo(tailor *t, int64_t rows, uint64_t seed,
                                          tailor_data **out);
/* The demo's files: generated digits as IDX files in FOLDER/digits, and in FOLDER/letters the
 * base that Tailor trained on generated letters. */
TAILOR_API tailor_status tailor_demo_files(tailor *t, const char *folder, uint64_t seed);
/* "image-classification", "table-classification", "text-classification", the last two also as
 * "...-multi-label-classification", "...-ordinal-classification", "...-regression";
 * "language-modelling". */
TAILOR_API const char *tailor_data_task(const tailor_data *data);
TAILOR_API int64_t     tailor_data_rows(const tailor_data *data);
TAILOR_API int64_t     tailor_data_classes(const tailor_data *data);
TAILOR_API const char *tailor_data_class_name(const tailor_data *data, int64_t label);
TAILOR_API void        tailor_data_free(tailor *t, tailor_data *data);
/* What the data looks like, as JSON: counts, balance, sizes, unreadable files, duplicates and
 * leaks between parts. */
TAILOR_API tailor_status tailor_data_inspect(tailor *t, const tailor_data *data, char **json);

/* ---- models ---- */
/* A model directory, a bare weight file, or a folder holding exactly one; `arch` names the
 * network where the file does not say ("squeezenet1_0"; NULL: recognise it). */
TAILOR_API tailor_status tailor_model_open(tailor *t, const char *path, const char *arch,
                                           tailor_model **out);
/* A new network for this data (of texts `arch` may be NULL: a small one): "resnet20", "mlp",
 * "bert-mini", or layers in words, "conv 32 3 relu, pool 2,
 * dense 64 relu".  Input size and output layer follow from the data. */
TAILOR_API tailor_status tailor_model_new(tailor *t, const char *arch, const tailor_data *data,
                                          uint64_t seed, tailor_model **out);
typedef struct {
    const char *tokenizer; /* "chars", "bpe", "wordpiece"; NULL: as the family has it            */
    int64_t     vocab;     /* tokens of its vocabulary; 0: 8192, fewer for little text           */
    int64_t     block;     /* tokens that the network sees together; 0: 256                      */
} tailor_language_options;
/* A new language model for a corpus: "gpt2-tiny", "llama-15m", "gpt2:6x384" for the next word,
 * "bert-mini" for hidden ones.  Its vocabulary is learnt from the training part. */
TAILOR_API tailor_status tailor_language_model_new(tailor *t, const char *arch,
                                                   const tailor_data *corpus,
                                                   const tailor_language_options *options,
                                                   uint64_t seed, tailor_model **out);
TAILOR_API tailor_status tailor_model_save(tailor *t, const tailor_model *model,
                                           const char *folder);
TAILOR_API tailor_status tailor_model_summary(tailor *t, const tailor_model *model, char **text);
TAILOR_API int64_t     tailor_model_parameters(const tailor_model *model);
TAILOR_API int64_t     tailor_model_outputs(const tailor_model *model);
TAILOR_API const char   *tailor_model_task(
      const tailor_model *model); /* as tailor_data_task */
/* NULL: not known. */
TAILOR_API const char *tailor_model_class_name(const tailor_model *model, int64_t label);
TAILOR_API void        tailor_model_free(tailor *t, tailor_model *model);

/* ---- training ---- */
typedef struct {
    const char *route;      /* NULL: "full" for an opened model, "scratch" for a new one         */
    const char *optimizer;  /* a name of tailor_known("optimizer"); NULL: the route's            */
    const char *loss;       /* NULL or "categorical_crossentropy"                                */
    const char *metric;     /* chooses the best weights: "accuracy", "macro-f1", "rmse"...        */
    double      epochs, lr; /* 0: the route's                                                    */
    int64_t     batch_size; /* rows of an optimiser step; 0: the route's                         */
    double      valid_share;/* of the training rows, where no part is named valid; 0: 0.1 to 0.15*/
    uint64_t    seed;       /* order, initialisation and split                                   */
    const char *const *settings; /* "optim.momentum=0.9", NULL-terminated; may be NULL           */
    const char *out;        /* folder for runs.db, events/, checkpoints/, best/; NULL: no files   */
    const char *const *command;  /* kept in runs.db for `tailor resume`; NULL-terminated, or NULL */
    int64_t     train_rows; /* use at most so many; 0: all                                       */
    int         dry_run;    /* 1: only the resolved plan and its forecast, in *json              */
    int         find_rate;  /* 1: only a range test of learning rates: losses and a suggestion    */
} tailor_fit_options;
/* Trains; the model then holds the best weights by validation, with a head for the data's classes.
 * Of route qlora the model's own weights go before the first step: after an error open it again.
 * `json` (may be NULL): what was run, curve, scores with intervals, cost. */
TAILOR_API tailor_status tailor_fit(tailor *t, tailor_model *model, const tailor_data *data,
                                    const tailor_fit_options *options, char **json);

/* ---- evaluation and prediction ---- */
typedef struct {
    int64_t rows;
    double  loss;                                   /* mean per row, natural log                */
    double  accuracy, accuracy_low, accuracy_high;  /* 95 % Wilson interval                     */
    double  macro_f1, macro_f1_low, macro_f1_high;  /* 95 % bootstrap interval over rows        */
    double  roc_auc, roc_auc_low, roc_auc_high;     /* of two classes, else NaN                 */
    double  rmse, rmse_low, rmse_high;              /* of numbers, else NaN: 95 % interval      */
    double  mae, mae_low, mae_high;
    double  r2, r2_low, r2_high;
    double  micro_f1, micro_f1_low, micro_f1_high;  /* of several labels, else NaN: bootstrap    */
    double  map, map_low, map_high;                 /* ... mean of their average precisions      */
    double  qwk, qwk_low, qwk_high;                 /* of ranks, else NaN: bootstrap; mae, too   */
    double  entity_f1, entity_f1_low, entity_f1_high; /* of words with tags, else NaN: bootstrap
                                                       over texts, as accuracy's there          */
} tailor_metrics;
/* part: "train", "valid", "test" or "all"; NULL: the test part if there is one, else all.  Where
 * the files name no test part, "test" is what was cut off when the model was trained.
 * `json` (may be NULL): the same, with every class and the confusion counts. */
TAILOR_API tailor_status tailor_evaluate(tailor *t, const tailor_model *model,
                                         const tailor_data *data, const char *part,
                                         tailor_metrics *out, char **json);
/* Pictures by path, one call of `each` a picture in their order (of a table model: tables by
 * path, one call a row, {"input": "new.csv:2", ...}; a number as {"input", "value"}; of a text
 * model: CSV, TSV, JSONL and Parquet files by row, others by line), with a
 * JSON line such as
 * {"input": "a.png", "label": "rose", "score": 0.93, "top5": [{"label": ..., "score": ...}]}.
 * An unreadable picture gets {"input": ..., "error": ...} and the call ends with
 * TAILOR_BAD_DATA after the last one.  Non-zero from `each` stops. */
TAILOR_API tailor_status tailor_predict(tailor *t, const tailor_model *model,
                                        const char *const *path, size_t paths,
                                        int (*each)(void *user, const char *json), void *user);

/* The same of a table in memory, `bytes` of CSV or TSV text with a header; `name` stands for its
 * path. */
TAILOR_API tailor_status tailor_predict_table(tailor *t, const tailor_model *model,
                                              const char *name, const char *text,
                                              size_t bytes,
                                              int (*each)(void *user, const char *json),
                                              void *user);
/* The same of texts as they are, of a text model: {"input": the text, "label": ...}; of one made
 * for pairs with a tab between the two. */
TAILOR_API tailor_status tailor_predict_text(tailor *t, const tailor_model *model,
                                             const char *const *text, size_t count,
                                             int (*each)(void *user, const char *json),
                                             void *user);

/* ---- embeddings ---- */
typedef struct {
    const char *pooling;    /* of a text's last hidden states: "mean", "cls" (the first token's) or
                               "last"; NULL: as the model's folder says (modules.json of
                               sentence-transformers, with its normalisation), else mean         */
    int         normalize;  /* to length 1, whatever the folder says                              */
} tailor_embedding;
typedef struct {
    const char  *input, *error; /* error: NULL, or why there is no vector                        */
    const float *vector;        /* [width]                                                       */
    int64_t      width;
} tailor_vector;
/* A vector for each text, of any transformer of text: rows of CSV, TSV, JSONL and Parquet files,
 * lines of other files; or texts as they are.  One call of `each` a text, in their order; non-zero
 * stops.  `how` may be NULL.  In f32 unless another precision was asked for. */
TAILOR_API tailor_status tailor_embed(tailor *t, const tailor_model *model,
                                      const tailor_embedding *how, const char *const *path,
                                      size_t paths,
                                      int (*each)(void *user, const tailor_vector *row),
                                      void *user);
TAILOR_API tailor_status tailor_embed_text(tailor *t, const tailor_model *model,
                                           const tailor_embedding *how,
                                           const char *const *text, size_t count,
                                           int (*each)(void *user, const tailor_vector *row),
                                           void *user);

/* ---- language models ---- */
/* Does it continue texts (a causal language model)?  Then tailor_predict and tailor_predict_text
 * give {"input": ..., "output": what follows, "tokens": so many, "finish": "stop" (the model or a
 * stop string ended it) or "length"}. */
TAILOR_API int tailor_model_writes(const tailor_model *model);

typedef struct {
    int64_t  max_tokens;         /* of what is written; 0: 256                                  */
    double   temperature;        /* 0: always the likeliest token                               */
    int64_t  top_k;              /* among the k likeliest; 0: all                               */
    double   top_p, min_p;       /* among the fewest that hold this share; among those of at
                                    least this share of the likeliest's; 0: all                 */
    double   repetition_penalty; /* of tokens that were there; 0 and 1: none                    */
    uint64_t seed;
    const char *const *stop;     /* texts that end it, NULL-terminated; may be NULL             */
    int64_t  context;            /* tokens kept at most; 0: as many as the model knows, up to
                                    4,096                                                       */
} tailor_writing;
/* How texts are written from here on; a copy is kept.  NULL: all defaults. */
TAILOR_API tailor_status tailor_set_writing(tailor *t, const tailor_writing *writing);

/* A conversation with a language model, which outlives it.  With a chat template in the model's
 * directory (tokenizer_config.json or chat_template.jinja) texts are messages between user and
 * assistant; without one the model continues what was said so far.  `system` (may be NULL): the
 * message that comes first. */
typedef struct tailor_chat tailor_chat;
TAILOR_API tailor_status tailor_chat_open(tailor *t, const tailor_model *model, const char *system,
                                          tailor_chat **out);
TAILOR_API int tailor_chat_has_template(const tailor_chat *chat);
/* What the model answers to `text`: `each` (may be NULL) gets it piece by piece, whole characters,
 * and ends it with non-zero.  *json (may be NULL): {"input", "output", "tokens", "prompt_tokens",
 * "finish"}.  On error the conversation is as before. */
TAILOR_API tailor_status tailor_chat_say(tailor *t, tailor_chat *chat, const char *text,
                                         int (*each)(void *user, const char *piece), void *user,
                                         char **json);
TAILOR_API void tailor_chat_free(tailor *t, tailor_chat *chat); /* NULL is fine */

/* ---- the question ---- */
typedef struct {
    const char *data, *valid, *test; /* as for tailor_data_open                                 */
    const char *const *base;         /* paths of pretrained models, NULL-terminated; or NULL     */
    const char *arch;                /* network for `scratch` without a base, or of bare files   */
    const char *const *routes;       /* NULL-terminated; NULL: the usual ones that apply         */
    const char *metric;              /* NULL: by task                                            */
    double      margin;              /* differences below it do not matter; 0: the default       */
    double      budget_s;            /* 0: a default, which is said                              */
    double      budget_most_s;       /* a slow machine may take up to it, rather than leave routes
                                        out or cut them short; 0: budget_s                       */
    double      max_latency_ms, max_size_mb; /* of the winner; 0: none                           */
    double      cost_per_hour, retrain_s; /* of this machine; between trainings; 0: not said   */
    double      predictions; /* a day that will be asked of the model; 0: not said             */
    int         seeds, folds;        /* 0: by budget, by rule                                    */
    int64_t     train_rows;          /* 0: all                                                   */
    uint64_t    seed;
    const char *const *settings;     /* "optim.lr=0.01", NULL-terminated; may be NULL            */
    int         skip_bad, dry_run;
    const char *out;                 /* folder; made; a run that was interrupted goes on there   */
    const char *const *command;      /* as in tailor_fit_options                                 */
    const char *target, *task, *text, *label, *order; /* as in tailor_data_options               */
    const char *shifted;             /* path of a second test set, from elsewhere; NULL: none     */
    const char *group;               /* as in tailor_data_options                                */
    /* What report.html would show, whenever there is more of it: {"verdict", "detail"}; the
     * verdict's outcome is "running" until it is known.  May be NULL. */
    void (*live)(void *user, const char *json);
    void *live_user;
    const char *model, *old;         /* of tailor_update: the model in use, and the data it was
                                        made from, which may be NULL                            */
    double      forget;              /* ... what may be lost on the old data; 0: the margin      */
} tailor_question;
/* Runs the routes and writes verdict.json, report.html, best/, runs.db, events/ under `out`.
 * *json: the text of verdict.json; with dry_run the plan and its forecast. */
TAILOR_API tailor_status tailor_compare(tailor *t, const tailor_question *question, char **json);
/* Is it worth training question->model again, now that there are new data, and how?  Keeps it as
 * it is, fine-tunes it on the new rows, on new and old ones, averages the weights, retrains it,
 * from scratch or from a `base`; the rest as tailor_compare does it. */
TAILOR_API tailor_status tailor_update(tailor *t, const tailor_question *question, char **json);
/* The question's data as tailor_data_inspect has them, with the labels that are probably wrong:
 * by its first base's features, or by the classical baseline; and how far it lies from each base.
 * Uses data, base, seed and columns;
 * bad rows are left out and counted. */
TAILOR_API tailor_status tailor_inspect(tailor *t, const tailor_question *question, char **json);
/* Orders the question's bases by their features on some of its training rows; trains none of
 * them, writes nothing, does not look at the test part.  *json: best first, with the scores. */
TAILOR_API tailor_status tailor_rank(tailor *t, const tailor_question *question, char **json);

/* The report's page without numbers: it asks "study.json" beside it every second for {"number",
 * "now": a line of text, "page": what `live` was given last}; asked with ?after=NUMBER, "page" may
 * be null where there is no news. */
TAILOR_API tailor_status tailor_live_page(tailor *t, char **html);

/* ---- past runs, and this machine, as JSON ---- */
/* {"folder", "command", "finished", "runs": [...]} of one --out folder. */
TAILOR_API tailor_status tailor_runs(tailor *t, const char *folder, char **json);
/* One run with its settings, result and curve. */
TAILOR_API tailor_status tailor_run_show(tailor *t, const char *folder, int64_t run, char **json);
/* Cores, instruction sets, memory, libraries, measured peak. */
TAILOR_API tailor_status tailor_doctor(tailor *t, char **json);
/* The i-th name of a list, NULL past its end; *doc (may be NULL) says what it is.
 * kind: "route", "update" (what is done with a model in use), "action" (routes, what each asks to
 * be done, @ for the base: "fine-tune @"), "action-with-base" (of a route that can do without one,
 * where one takes part), "optimizer", "schedule", "family", "setting" (names for .settings). */
TAILOR_API const char *tailor_known(const char *kind, size_t i, const char **doc);

#ifdef __cplusplus
}
#endif
#endif
