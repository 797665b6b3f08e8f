/* compare_internal.h -- what the files of the comparison share: the question made
 * concrete (data, bases, candidates), the budget in work units, and every run so far.
 * Floor 4, study. */
#ifndef TL_STUDY_COMPARE_INTERNAL_H
#define TL_STUDY_COMPARE_INTERNAL_H
#include "core/energy.h"
#include "core/io.h"
#include "data/texts/pack.h"
#include "study/compare.h"
#include "study/curve.h"
#include "study/labels.h"
#include "study/plan.h"
#include "study/race.h"
#include "train/evaluate.h"

enum {
    TL_STUDY_SEEDS     = 12,
    TL_STUDY_TRIALS    = 5,
    TL_STUDY_DRAWS     = 3,
    TL_STUDY_FOLDS     = 10,
    TL_STUDY_FINALISTS = 3
};

/* How often two good routes are assumed to disagree, before anything ran. */
#define TL_STUDY_DISCORDANCE 0.15

/* One slice of the data: which rows test, and which are for train and valid. */
typedef struct {
    tl_rows rest, test;
} tl_study_slice;

/* A decoded and resized view of the data, and what a base's body makes of it. */
typedef struct {
    tl_prep   prep;
    tl_cache *cache;
    size_t    fill_bytes; /* what the cache will hold when all rows were read */
} tl_prepared;

/* Body outputs of all rows, in a file that is mapped while its base is at work. */
typedef struct {
    tl_map map;
    size_t bytes; /* 0: not made */
} tl_study_frozen;

enum { TL_KEPT_KEY = 224 };

/* What frozen blocks put out for the rows of some runs, in a file that is mapped while they run. */
typedef struct {
    char      key[TL_KEPT_KEY]; /* what its bits depend on */
    tl_frozen frozen;
    tl_map    map;
} tl_study_kept;

/* What making something that is shared takes. */
typedef struct {
    double    began_s;
    size_t    peak_bytes; /* of the process, before */
    tl_energy energy;
} tl_study_watch;

/* What a comparison holds of a training that ended; NaN: not known. */
typedef struct {
    double  valid_metric, train_metric, least_loss; /* least_loss: the lowest on validation */
    double  seconds, joules, flops, peak_bytes;
    double  share; /* of its schedule; of one that was halted */
    int64_t best_epoch, epochs, trainable, parameters;
    char    stopped[16], fit[12];
    bool    failed;
    char   *text; /* why it failed, else its detail; owned; NULL: none */
} tl_run_facts;

/* One training that ended. */
typedef struct {
    int      candidate, trial, repeat, fold;
    int64_t  rows; /* it trained on, for a learning curve; 0: on all */
    int64_t  id;   /* in runs.db */
    uint64_t seed;
    json_t  *result; /* as runs.db keeps it; owned; NULL once the run is among the others */
    tl_run_facts facts;
} tl_study_run;

/* compare_facts.c: read from `result`, in the place of those there were. */
tl_status tl_study_take_facts(tl_ctx *ctx, tl_study_run *run);
void      tl_study_run_end(tl_ctx *ctx, tl_study_run *run); /* its result, too */

typedef struct {
    tl_candidate c; /* with the hyperparameters of the chosen trial */
    tl_hyper     trial[TL_STUDY_TRIALS]; /* [0]: the route's own */
    int          trials, chosen;
    int          second; /* the setting that may take its place (compare_order.c); `chosen`: none */
    int          base;       /* index; -1: none */
    int          view;       /* index into study.view */
    char         label[160]; /* "full from mobilenet-v2" */
    bool         active;     /* still gets runs */
    const char  *status;     /* "failed" or "not-run"; NULL: it runs, or is done */
    bool         stopped;    /* validation put it out before it had all seeds */
    char         why[400];
    tl_run_need  need;                  /* of one run */
    double       row_flops, body_flops; /* inference, per row: cost among the tied */
    double       setup_s, s_per_flop, head_s_per_row; /* its calibration: s_per_flop of
                            all that it does, looks and heads solved before it trains with it */
    double       first_s; /* forecast of its first run, features included */
    int64_t      micro_batch;
    char         kept[TL_KEPT_KEY]; /* what is kept for its first run, and may be shared; "" */
    bool         recompute;  /* with it, as --memory demands */
    bool         finalist;
    bool         gave_up; /* a later seed failed: it is asked for no more */
    tl_schema   *columns; /* of a table, as this candidate codes it; held */
    tl_texter   *texter;  /* of text, what it learns its vocabulary by; held */
    bool         barred; /* over --max-latency or --max-size: cannot win */
    tl_learn     learn;  /* of an update: which rows */
    bool         aside;  /* of an update: the verdict is between others (update_judge.c) */
} tl_entry;

/* One foretelling, and what was decided on it. */
typedef struct {
    int         candidate, trial, repeat;
    int         rung;    /* TL_RACE_RUNGS: after its first seeds, whether more are worth it */
    double      share;   /* of the schedule gone by */
    tl_foretold told;    /* merits */
    double      loss;    /* on validation, by which settings are told apart; NaN: by the score */
    bool        out;     /* it was stopped for this */
    double      against; /* foretold of the last that went on, or of the leader; NaN: it went on */
    double      ended;   /* merit in the end; NaN: it did not run so far */
} tl_study_told;

/* What an entry's answers say beside those of the model as it is. */
typedef struct {
    tl_interval test, gain;  /* its score on the new rows, and what it adds; NaN: not known */
    tl_interval old, change; /* the same on the old rows */
    double      gain_p, change_p;
    bool        forgets; /* shown to lose more of the old than may be lost */
} tl_update_result;

/* Of an update: the model in use, and which rows are whose. */
typedef struct {
    tl_model         *model; /* NULL: this is no update */
    int64_t           known; /* classes of its own: the data's first ones */
    tl_rows           mine, fresh; /* of NEW in its own order; of them, those OLD has not */
    tl_rows           rest, test;  /* of OLD */
    bool              unsure; /* the model may have learnt from rows of `test` */
    char              sha256[2][65]; /* of NEW and of OLD */
    double            forget;        /* what may be lost of the score on `test` */
    tl_update_result *result;        /* [entries] after tl_update_judge */
} tl_study_update;

typedef struct {
    int         seeds;
    double      level;
    int         outcome; /* as tl_decision's */
    const char *ends;    /* the study, and why: "tie", "better", "futile", "last"; NULL: goes on */
} tl_study_look;

/* Runs that took place before, in the place of training: the decisions gone through again without
 * data or models (tools/study/replay.c).  What they hand out is the caller's. */
typedef struct {
    tl_status (*run)(tl_ctx *ctx, void *user, tl_study_run *run); /* its id and result */
    tl_status (*rung)(tl_ctx *ctx, void *user, const tl_study_run *run, int rung,
                      json_t **out); /* what it looked like there; NULL: it ended before */
    tl_status (*answers)(tl_ctx *ctx, void *user, const tl_study_run *run, float **out);
    void *user;
} tl_study_tape;

typedef struct {
    const tl_question *q;
    const tl_study_tape *tape; /* NULL: runs are made */
    const tl_backend  *backend;
    tl_slab           *slab;
    tl_dtype           dtype;
    tl_store          *store;
    char              *checkpoints;
    tl_dataset        *data;
    char               sha256[65];
    const char        *metric;
    double             margin, budget_s;
    double             valid_share;
    int64_t            train_rows, valid_rows; /* of one run */
    int                folds; /* 0: one test part */
    bool               cut;   /* the test part was cut off, not named */
    tl_study_slice     slice[TL_STUDY_FOLDS];
    tl_study_update    update;
    tl_rows            test; /* all rows that are scored, in the order of the
                                              slices */
    tl_rows            shifted;  /* of --shifted; none otherwise */
    int32_t           *cluster;  /* [test.count] rows that are one unit; NULL: none are */
    tl_model         **base;
    int                bases;
    tl_prepared       *view;
    int                views;
    tl_study_frozen   *features; /* [2 bases]: by tl_entry_pass */
    json_t            *shared;   /* in runs.db: what making them took {seconds,
                                              flops}, by the entry first in need */
    tl_study_kept     *kept;     /* in the order they were first asked for */
    int                kepts;
    json_t            *passes;   /* in runs.db: what making them took {seconds, joules, flops,
                                    peak_bytes, entry}, by key */
    tl_entry          *entry;
    int                entries;
    tl_study_run      *run;
    int                runs;
    size_t             run_room;
    tl_study_run      *part; /* runs on a part of the rows, apart from the others */
    int                parts;
    size_t             part_room;
    struct {
        int     routes, sizes, draws; /* sizes 0: there is none */
        int     entry[TL_CURVE_ROUTES];
        int     base, scratch; /* their places; -1: none */
        int64_t rows[TL_CURVE_SIZES]; /* ascending; the last is train_rows */
        bool    too_dear; /* the budget had no room for it */
    } curve;
    double             used;       /* of budget_s, in forecast seconds */
    double             reserve;    /* of the rest: kept for seeds that a win needs */
    tl_study_look      look[TL_MOST_LOOKS]; /* at the test part, so far */
    int                looks;
    double             level;      /* of the last look; 0: as if it were the only one */
    int                trials;     /* of each route that is searched, raced; 1: no search */
    int                draws;      /* seeds that each of them races under; 0: not yet known */
    int                ends;       /* settings of a route that run to their end; 0: not yet known */
    tl_study_told     *told;       /* in the order of the decisions */
    int                tolds;
    size_t             told_room;
    tl_race_record     record[TL_RACE_RUNGS];
    double             detectable; /* said before anything ran */
    double  began_s, before_s;     /* clock now, and seconds of earlier processes */
    double  data_s, bases_s, views_s; /* what opening them took */
    json_t *saved;                 /* compare_saved.c; NULL: not yet counted */
    int64_t started;               /* unix seconds */
    json_t *plan;                  /* as kept in runs.db */
    json_t *profile;               /* of the data, as tl_inspect says it */
    json_t *warnings;              /* array of texts */
} tl_study;

typedef struct tl_judged tl_judged; /* below */

const tl_backend *tl_study_backend(void); /* forecast.c */
tl_status         tl_study_precision(tl_ctx *ctx, tl_study *s); /* compare.c: sets dtype */

/* compare_say.c */
void tl_study_say(tl_study *s, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void tl_study_warn(tl_study *s, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* One more sentence of a verdict's reasons. */
void tl_reason(json_t *list, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* "91.3 %"; "0.813" of a metric that is no share. */
char *tl_study_score(const tl_study *s, double value, char buffer[32]);
/* A difference: "1 point"; "0.02" of such a metric. */
char *tl_study_gap(const tl_study *s, double value, char buffer[32]);
double           tl_study_merit(const tl_study *s, double value); /* the better, the more */
const tl_metric *tl_study_metric_of(const tl_study *s);

/* compare_data.c */
tl_status tl_study_open_data(tl_ctx *ctx, tl_study *s);
void      tl_study_close_data(tl_ctx *ctx, tl_study *s);
tl_status tl_study_inspect(tl_ctx *ctx, tl_study *s);
/* How far the data lies from each base, into the profile; what is far is a warning. */
tl_status tl_study_hold_bases(tl_ctx *ctx, tl_study *s);
int       tl_study_slices(const tl_study *s);
/* Train and valid of a repeat on a slice, `rows` of them (0: all); ended with two tl_free.  Of an
 * update: what the entry learns of old rows is among train. */
tl_status tl_study_split(tl_ctx *ctx, const tl_study *s, const tl_entry *e, int repeat,
                         int fold, int64_t rows, tl_rows *train, tl_rows *valid);

/* compare_candidates.c */
tl_status tl_study_open_bases(tl_ctx *ctx, tl_study *s);
tl_status tl_study_list(tl_ctx *ctx, tl_study *s);
void      tl_study_close_candidates(tl_ctx *ctx, tl_study *s);
tl_status tl_study_view(tl_ctx *ctx, tl_study *s, const tl_prep *prep, int *out);
/* Sets what --set and its like say for this route. */
tl_status tl_study_override(tl_ctx *ctx, const tl_study *s, const tl_route *route, tl_hyper *h);
bool      tl_entry_searched(const tl_entry *e); /* its rate is worth a search */
void tl_entry_add_trials(tl_entry *e, int trials); /* up to so many, 0 is the default */

/* The route's own settings for so many rows, with the chosen trial's rate and decay. */
tl_status tl_study_part_hyper(tl_ctx *ctx, const tl_study *s, const tl_entry *e,
                              int64_t rows, tl_hyper *out);

/* forecast.c */
tl_status tl_study_forecast(tl_ctx   *ctx,
                            tl_study *s); /* FLOPs and memory, from plans */
tl_status tl_study_calibrate(tl_ctx *ctx, tl_study *s); /* seconds, measured once */
double    tl_study_slice_seconds(const tl_study *s, const tl_entry *e); /* one run */
double    tl_study_first_seconds(const tl_study *s,
                                 const tl_entry *e); /* with its features */
double    tl_study_likely_seconds(const tl_study *s, const tl_entry *e); /* of one slice, patience
                                 counted in; decisions are taken by the whole schedule */
double    tl_study_run_seconds(const tl_study *s,
                               const tl_entry *e); /* all slices of a repeat */
double    tl_study_more_seconds(const tl_study *s, const tl_entry *e); /* the same of one that
                                 finds what frozen blocks put out */
double    tl_study_spent(const tl_study *s, const tl_entry *e,
                         double flops);        /* of a run that
                                                            took so many FLOPs */
bool      tl_entry_trained(const tl_entry *e); /* by gradient over epochs */
/* FLOPs of a run, were what lies below its cut gone through in every epoch. */
tl_status tl_study_uncached_flops(tl_ctx *ctx, tl_study *s, const tl_entry *e, double *out);
/* Of one run on so many rows, all slices of a repeat. */
tl_status tl_study_part_seconds(tl_ctx *ctx, tl_study *s, const tl_entry *e, int64_t rows,
                                double *out);
/* Caches in memory now: those of `e`, or of all candidates (NULL). */
size_t    tl_study_held(const tl_study *s, const tl_entry *e);
/* Of what was allocated at most, this candidate's part, with what a process of its own holds. */
size_t    tl_study_own_bytes(const tl_study *s, const tl_entry *e, size_t accounted);
size_t    tl_study_memory(const tl_study *s);  /* --memory, or what is taken for it */

/* compare_features.c: body outputs of all rows, shared by the heads over e's base; left out when
 * too big to keep. */
tl_status    tl_study_features(tl_ctx *ctx, tl_study *s, const tl_entry *e);
bool         tl_entry_uses_features(const tl_entry *e); /* its head, or its first, is solved */
/* Which pass over its base that is: for heads, or for its vectors of texts.  It has a base. */
int          tl_entry_pass(const tl_entry *e);
size_t       tl_study_features_bytes(const tl_study *s, int64_t width); /* 0: too big to keep */
const float *tl_study_mapped(const tl_study *s, const tl_entry *e); /* NULL: not at work now */
void         tl_study_close_features(tl_ctx *ctx, tl_study *s);
/* What a frozen network puts out, into its file and mapped; where the disk is full it is held in
 * memory, with a warning: no comparison ends for what only saves it time. */
tl_status    tl_study_keep_pass(tl_ctx *ctx, tl_study *s, const char *path, const void *value,
                                size_t bytes, tl_map *out);

/* What it took from begin to end, as a cost of e: {seconds, joules, flops, peak_bytes}; owned. */
void    tl_study_watch_begin(tl_ctx *ctx, tl_study_watch *w);
json_t *tl_study_watch_end(tl_ctx *ctx, const tl_study *s, const tl_entry *e, tl_study_watch *w,
                           double flops);

/* compare_kept.c: what frozen blocks put out, shared by all runs that ask for the same. */
tl_status tl_study_note_kept(tl_ctx *ctx, tl_entry *e, const tl_run_spec *spec); /* into e->kept */
/* The one that the run may take, which is paid for the first time it is asked for; -1: none. */
tl_status tl_study_find_kept(tl_ctx *ctx, tl_study *s, const tl_study_run *run,
                             const tl_run_spec *spec, int *which);
/* It, made where it is not there, into the spec of a run that is to start. */
tl_status tl_study_map_kept(tl_ctx *ctx, tl_study *s, const tl_entry *e, int which,
                            tl_run_spec *spec);
bool      tl_study_has_kept(const tl_study *s, const tl_entry *e); /* of its first run's rows */
double    tl_study_passes_seconds(const tl_study *s, const char *label); /* charged to this entry */
void      tl_study_close_kept(tl_ctx *ctx, tl_study *s);

/* compare_run.c */
tl_status tl_study_spec(tl_ctx *ctx, tl_study *s, const tl_entry *e, tl_run_spec *out);
/* One that waits at a rung ends there. */
tl_status tl_study_halt(tl_ctx *ctx, tl_study *s, int candidate, int trial, int repeat,
                        const json_t *rung);
bool      tl_run_halted(const tl_study_run *run);
bool      tl_run_whole(const tl_study_run *run); /* to its end, and did not fail */
void      tl_study_fail(tl_study *s, int candidate, const tl_study_run *run);
const tl_study_run *tl_study_find(const tl_study *s, int candidate, int trial, int repeat,
                                  int fold);
const tl_study_run *tl_study_find_part(const tl_study *s, int candidate, int repeat, int fold,
                                       int64_t rows);
int       tl_study_repeats(const tl_study *s, int candidate, int trial); /* whole ones */
double    tl_study_valid(const tl_study *s, int candidate, int trial,
                         int repeat); /* over folds */
/* Settings of a route are told apart by validation's loss; of numbers the score says as much. */
bool      tl_study_by_loss(const tl_study *s);
/* Validation's lowest loss in such a run; NaN where that is not asked for, or not known. */
double    tl_study_loss(const tl_study *s, int candidate, int trial, int repeat);
/* Over the repeats that all race under (tl_study_draws), as far as they are there; NaN: none. */
double    tl_study_valid_first(const tl_study *s, int candidate, int trial);
double    tl_study_valid_mean(const tl_study *s,
                              int             candidate); /* over its repeats; NaN */
tl_status tl_study_model_path(tl_ctx *ctx, const tl_study *s, int64_t run, char **out);
/* The run of the chosen trial with the best validation metric; NULL: none. */
const tl_study_run *tl_study_best_run(const tl_study *s, int candidate);

/* compare_curve.c: the same on nested parts of the rows, up to `draws` repeats each while
 * the budget lasts; and what the test part says of it, after tl_study_judge. */
tl_status tl_study_curve(tl_ctx *ctx, tl_study *s, int draws);
void      tl_study_curve_anew(tl_study *s, int candidate); /* its setting is another now */
tl_status tl_study_read_curve(tl_ctx *ctx, tl_study *s, tl_judged *j);
int       tl_study_part_repeats(const tl_study *s, int candidate, int64_t rows);

typedef struct {
    double mean, doubt; /* no more than the doubt: validation does not tell the two apart */
} tl_study_lead;

/* By how much an entry's second setting is ahead of its chosen one over so many seeds of both. */
tl_study_lead tl_study_second_lead(const tl_study *s, int candidate, int seeds);
/* compare_race.c: the first runs of each of so many trials of a candidate, raced to one that is
 * chosen; or none, where it is foretold to lose. */
int       tl_study_draws(const tl_study *s);
int       tl_study_ends(const tl_study *s);
/* As many as bring validation's standard error within the margin, of those there may be. */
int       tl_study_draws_wanted(const tl_study *s);
tl_status tl_study_race(tl_ctx *ctx, tl_study *s, int candidate, int trials);
/* By its first seeds it is foretold to lose: it needs no more of them. */
tl_status tl_study_needs_no_seeds(tl_ctx *ctx, tl_study *s, int candidate, bool *out);
json_t   *tl_study_race_json(const tl_study *s, int candidate); /* its foretellings */
json_t   *tl_study_races_json(const tl_study *s); /* of all; null: there were none */
void      tl_study_race_words(const tl_study *s, json_t *reasons);

/* compare_order.c */
tl_status tl_study_run_all(tl_ctx *ctx, tl_study *s);
double    tl_study_left(const tl_study *s); /* of the budget, without the reserve */
bool      tl_study_settled(const tl_study *s); /* rates and decays are the user's */

/* compare_saved.c: s->saved, after all runs; and what the budget left out. */
tl_status tl_study_count_saved(tl_ctx *ctx, tl_study *s);
json_t   *tl_study_left_out_json(const tl_study *s);
int       tl_study_not_run(const tl_study *s); /* candidates left out, with their reason */
void      tl_study_left_out_words(const tl_study *s, json_t *reasons);

/* compare_looks.c: a look at the test part after so many seeds, of `most` there may be. */
tl_status tl_study_take_look(tl_ctx *ctx, tl_study *s, int seeds, int most, bool last,
                             bool *ends);
json_t   *tl_study_looks_json(const tl_study *s);
void      tl_study_looks_words(const tl_study *s, json_t *reasons);

tl_status tl_study_ask(tl_ctx *ctx, tl_study *s, const tl_model *model, tl_cache *cache,
                       tl_rows rows,
                       float **probability); /* [rows.count classes], owned */

/* plan of the study, in compare_plan.c */
void      tl_study_shorten(tl_hyper *h, double share); /* a share of its epochs */
tl_status tl_study_make_plan(tl_ctx *ctx, tl_study *s);
tl_budget_plan tl_study_fit(const tl_study *s); /* of its budget, as forecast */
void      tl_study_say_detectable(tl_study *s); /* after the first results */
json_t   *tl_study_dry_run(
      const tl_study *s); /* the plan and its forecast, for people */

/* What the test part says, read once. */
struct tl_judged {
    int         count;       /* candidates that were scored */
    int        *entry;       /* [count] their entries */
    int        *seeds;       /* [count] */
    int         most;        /* seeds of the one with most */
    int32_t    *label;       /* [test.count] */
    int32_t    *predicted;   /* [count][most][test.count] */
    double     *truth;       /* [test.count] of numbers, and what was said of them */
    float      *said;        /* [count][most][test.count] */
    float      *score;       /* the same, of tasks with marks: what each row adds; else NULL */
    tl_decision decision;    /* of candidates 0 .. count-1 */
    double     *ms_per_row;  /* [entries] measured; NaN */
    int64_t    *model_bytes; /* [entries] of the weights on disk; -1 */
    const tl_study_run *best_run; /* whose weights best/ holds */
    tl_curve_result curve; /* of s->curve.entry, where s->curve.sizes > 0 */
    double  best_test;   /* what best/ scores, loaded anew */
    tl_rows best_rows;   /* on these; borrowed */
    float  *best_answer; /* [best_rows.count classes] probabilities, or numbers */
    tl_calibration calibration[2]; /* of best/ on them: as it is, at its temperature */
    int64_t only_winner, only_runner_up; /* right of the two delivered models; -1: not known */
    tl_decision shifted; /* of the same candidates there; test NULL: none */
    json_t     *groups;  /* of --group, for verdict.json; owned */
    tl_label_audit labels; /* of the test part; joint NULL: not looked at */
    int         gap_group; /* the worst served; -1: not known */
    tl_interval gap;       /* how much further below the mean it is from a base */
    float  *best_threshold; /* [classes] of several labels; else NULL */
};
/* verdict.c */
tl_status tl_study_judge(tl_ctx *ctx, tl_study *s, tl_judged *out);
/* The decision alone, as it would be now: for a look. */
tl_status   tl_study_weigh(tl_ctx *ctx, tl_study *s, tl_judged *out);
const char *tl_outcome_name(int outcome);
void      tl_judged_free(tl_ctx *ctx, tl_judged *j);
int       tl_judged_place(const tl_judged *j,
                          int              entry); /* of an entry in the decision; -1 */
/* The stored answers of a repeat on `trained` training rows (0: all), its slices behind each
 * other: classes into `predicted`, or numbers into `said`. */
tl_status tl_study_answers(tl_ctx *ctx, const tl_study *s, int entry, int repeat,
                           int64_t trained, int32_t *predicted, float *said);
/* What a run kept under `name`, of so many rows. */
tl_status tl_study_read_answers(tl_ctx *ctx, const tl_study *s, const tl_study_run *run,
                                const char *name, int64_t rows, int32_t *predicted,
                                float *said);
/* What rows of numbers add to the metric, more is better; their mean is the metric. */
void      tl_study_score_numbers(const tl_study *s, const double *truth, const float *said,
                                 int64_t rows, float *score);
double tl_study_metric(const tl_study *s, const int32_t *label, const int32_t *predicted,
                       int64_t rows);
double tl_study_metric_of_numbers(tl_ctx *ctx, const tl_study *s, const double *truth,
                                  const float *said, int64_t rows);
/* A run of the chosen trial on `trained` rows (0: all), and its stored answers (owned). */
const tl_study_run *tl_study_run_of(const tl_study *s, int entry, int repeat, int fold,
                                    int64_t trained);
tl_status tl_study_stored(tl_ctx *ctx, const tl_study *s, const tl_study_run *run,
                          const char *name, int64_t rows, float **out);
/* verdict_marks.c, of several labels and of ranks: what is said (of several labels whether all of
 * a row's are right) and what each row adds to the metric, more is better. */
bool      tl_study_scores_marks(const tl_study *s); /* or entities */
tl_status tl_study_score_marks(tl_ctx *ctx, const tl_study *s, int entry, int repeat,
                               int64_t trained, int32_t *predicted, float *score);
tl_status tl_study_metric_of_marks(tl_ctx *ctx, const tl_study *s, const float *threshold,
                                   tl_rows rows, const float *answer, double *out);
tl_status tl_study_keep_thresholds(tl_ctx *ctx, const tl_study *s, int64_t run,
                                   const tl_model *model);
/* verdict_best.c: best/ from the winner's weights, and what it scores when opened
 * anew. */
tl_status tl_study_write_best(tl_ctx *ctx, tl_study *s, tl_judged *j);
/* The metric of answers [rows.count classes] as tl_study_ask gives them; threshold [classes] of
 * several labels, NULL: a half. */
tl_status tl_study_score_rows(tl_ctx *ctx, const tl_study *s, tl_rows rows,
                              const float *answer, const float *threshold, double *out);
tl_status tl_study_measure_inference(tl_ctx *ctx, tl_study *s, tl_judged *j);
/* verdict_json.c: verdict.json's value. */
json_t *tl_study_verdict_json(tl_study *s, const tl_judged *j);
/* What is known of it while it runs: validation only. */
json_t *tl_study_running_json(tl_study *s);
json_t *tl_interval_json(tl_interval i); /* {mean, ci95}; unknown is null */
/* verdict_curve.c: the learning curve in verdict.json, in words and for the report. */
void    tl_study_curve_json(const tl_study *s, const tl_judged *j, json_t *verdict);
void    tl_study_curve_words(const tl_study *s, const tl_judged *j, json_t *reasons);
json_t *tl_study_curve_detail(const tl_study *s, const tl_judged *j);
int32_t tl_study_top(const float *probability, int64_t classes);
/* verdict_model.c: of best/; count[true * classes + predicted]. */
tl_status tl_study_calibrate_best(tl_ctx *ctx, tl_study *s, tl_judged *j, const tl_model *model,
                                  tl_cache *cache);
json_t   *tl_study_calibration_json(const tl_study *s, const tl_judged *j);
void      tl_study_calibration_words(const tl_study *s, const tl_judged *j, json_t *reasons);
json_t   *tl_study_per_class_json(const tl_study *s, const int64_t *count);
json_t   *tl_study_class_json(const tl_study *s, int64_t c);
tl_status tl_study_mcnemar(tl_ctx *ctx, tl_study *s, tl_judged *j);
json_t   *tl_study_mcnemar_json(const tl_judged *j);
/* verdict_shifted.c */
tl_status tl_study_judge_shifted(tl_ctx *ctx, tl_study *s, tl_judged *j);
json_t   *tl_study_shifted_json(const tl_study *s, const tl_judged *j);
void      tl_study_shifted_words(const tl_study *s, const tl_judged *j, json_t *reasons);
/* verdict_card.c: {license, datasets} as the base's own card has them, or null. */
tl_status tl_study_card(tl_ctx *ctx, const char *base, json_t **out);
/* verdict_labels.c */
tl_status tl_study_judge_labels(tl_ctx *ctx, tl_study *s, tl_judged *j);
json_t   *tl_study_labels_json(const tl_study *s, const tl_judged *j);
void      tl_study_labels_words(const tl_study *s, const tl_judged *j, json_t *reasons);
tl_status tl_study_labels_detail(tl_ctx *ctx, const tl_study *s, const tl_judged *j,
                                 json_t **out);
/* A row for people: {row, true, predicted, probability, image, text}. */
tl_status tl_study_row_json(tl_ctx *ctx, const tl_study *s, int64_t row, int32_t said,
                            double probability, json_t **out);
/* verdict_groups.c */
tl_status tl_study_judge_groups(tl_ctx *ctx, tl_study *s, tl_judged *j);
void      tl_study_groups_words(const tl_study *s, const tl_judged *j, json_t *reasons);
/* The best place of a way: from a base, from scratch, baseline; -1: none was judged. */
typedef enum { TL_FROM_BASE, TL_ANEW, TL_BASELINE } tl_way;
tl_way    tl_entry_way(const tl_entry *e);
int       tl_study_best_of(const tl_study *s, const tl_judged *j, tl_way way);
/* verdict_words.c */
json_t *tl_study_reasons(tl_study *s, const tl_judged *j);
void    tl_study_sentence(const tl_study *s, const tl_judged *j, char *text, size_t room);
/* verdict_detail.c: what the report shows beside the verdict (compare.h). */
tl_status tl_study_detail(tl_ctx *ctx, tl_study *s, const tl_judged *j, json_t **out);
/* verdict_several.c, of several labels: per_class and the rows it is most wrong about. */
tl_status tl_study_several_json(tl_ctx *ctx, const tl_study *s, const tl_judged *j, json_t *out);
/* The text of a row, or as much of it as people look at. */
json_t   *tl_study_text_json(const tl_study *s, int64_t row);
tl_status tl_study_detail_so_far(tl_ctx *ctx, tl_study *s, json_t **out);
/* compare_say.c: to whoever looks on (tl_question.live). */
void tl_study_show(tl_ctx *ctx, tl_study *s);
#endif
