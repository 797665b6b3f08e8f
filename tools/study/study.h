/* study.h -- the study of real cells: every run of every setting of every route of a small data
 * set, kept as lines of JSON (record.c), and the decision code gone through again on them
 * (replay.c).  A record is a line that describes the cell and a line for each run; docs/study.md
 * says what they hold. */
#ifndef TOOLS_STUDY_H
#define TOOLS_STUDY_H
#include "study/compare_internal.h"

enum { SEEDS = 10, MOST_BASES = 4, MOST_WORDS = 32 };

typedef struct {
    const char *data, *test, *target, *arch, *metric, *out, *precision;
    const char *base[MOST_BASES + 1], *route[MOST_WORDS + 1], *setting[MOST_WORDS + 1];
    int         bases, routes, settings;
    int64_t     seeds, most, trials, curve, for_s, replays; /* most: of a verdict */
    double      share, rows; /* of the cost; of the test rows that a replay may see */
} options;

tl_status study_record(tl_ctx *ctx, const options *o);
tl_status study_replay(tl_ctx *ctx, const options *o);
tl_status study_crossing(tl_ctx *ctx, const options *o);

/* What a class is written as, a character a row. */
extern const char study_letters[];

/* A record read back, and a run of it by what it is. */
typedef struct {
    json_t *cell, *runs; /* runs: by "ENTRY TRIAL REPEAT ROWS"; owned */
} record;
tl_status     record_read(tl_ctx *ctx, const char *path, record *out);
void          record_free(record *r);
const json_t *record_run(const record *r, int entry, int trial, int repeat, int64_t rows);
void          record_key(char *out, size_t room, int entry, int trial, int repeat, int64_t rows);

typedef struct {
    record      r;
    tl_dataset  data; /* labels or targets of all test rows, nothing else */
    int64_t     rows; /* of the test part */
    tl_model   *base;
    tl_entry   *entry; /* as before any run */
    int         entries, bases, seeds;
    int64_t     order[SEEDS]; /* which recorded seed a repeat is given */
    double     *score; /* [entries][TL_STUDY_TRIALS] test metric over all seeds and rows; NaN */
    int        *best;  /* [entries] the trial that validates best over all seeds */
    tl_question q;
    tl_study    s;
} theatre;
tl_status theatre_open(tl_ctx *ctx, const options *o, theatre *t);
void      theatre_close(tl_ctx *ctx, theatre *t);
/* t->s as it is before any run, with a share of the test rows drawn by `seed`. */
tl_status theatre_open_study(tl_ctx *ctx, theatre *t, const tl_study_tape *tape, uint64_t seed,
                             double rows);
void      theatre_free_study(tl_ctx *ctx, tl_study *s);
const json_t *theatre_run(const theatre *t, int entry, int trial, int recorded);
/* As tl_study_ask gives them: a 1 at the class, or the number; `out` is zero before. */
void   theatre_answers(const theatre *t, const json_t *line, const tl_rows *rows, float *out);
int    theatre_trials(const theatre *t, int entry);
double theatre_score(const theatre *t, int entry, int trial); /* merit over all seeds and rows */
double theatre_best(const theatre *t); /* of all entries, each with its best setting */
#endif
