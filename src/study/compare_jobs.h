/* compare_jobs.h -- runs that are asked for together: taken from runs.db where they ended before,
 * else trained (from their checkpoint, if they have one), asked for the test rows, and kept, in
 * their order.  Floor 4, study. */
#ifndef TL_STUDY_COMPARE_JOBS_H
#define TL_STUDY_COMPARE_JOBS_H
#include "study/compare_internal.h"

/* One run that is asked for. */
typedef struct {
    int     candidate, trial, repeat, fold;
    int64_t rows;  /* training rows, for a learning curve; 0: all                    */
    int     rung;  /* it goes as far as this one; -1: to its end                     */
    bool    vital; /* its failure is the candidate's, which gets no more runs        */
    json_t *at;    /* what it looks like there; owned; NULL: it ended                */
    int     place; /* of one that ended, in s->run (or s->part); -1                  */
} tl_study_job;

typedef struct {
    tl_study_job *job;
    size_t        room;
    int           count;
} tl_study_jobs;

/* Asks for a trial's run of a repeat: all of its slices, vital if the trial is the chosen one; or
 * as far as a rung. */
tl_status tl_study_want(tl_ctx *ctx, const tl_study *s, tl_study_jobs *jobs, int candidate,
                        int trial, int repeat);
tl_status tl_study_want_rung(tl_ctx *ctx, tl_study_jobs *jobs, int candidate, int trial, int repeat,
                             int rung);
/* On `rows` training rows with the chosen trial's settings. */
tl_status tl_study_want_part(tl_ctx *ctx, const tl_study *s, tl_study_jobs *jobs, int candidate,
                             int repeat, int64_t rows);
/* Makes them, those side by side that are to be trained and share what is held in memory: as many
 * as divide the threads and find room.  How many depends on what is asked for alone, not on what
 * ended before, so that a resumed comparison's runs have the same bits. */
tl_status tl_study_run_jobs(tl_ctx *ctx, tl_study *s, tl_study_jobs *jobs);
void      tl_study_jobs_end(tl_ctx *ctx, tl_study_jobs *jobs);
/* So many runs of no more than `bytes` each, beside what all hold. */
int       tl_study_lanes(tl_ctx *ctx, const tl_study *s, int runs, size_t bytes);

/* compare_run.c: what a job is made of. */
/* A run starts without what the one before took, so that its memory is its own. */
tl_status    tl_study_fresh_slab(tl_ctx *ctx, tl_study *s);
tl_study_run tl_study_run_named(const tl_study *s, int candidate, int trial, int repeat, int fold,
                                int64_t rows);
/* What the run is asked, and its place in runs.db; `stored`: it ended before. */
tl_status    tl_study_open_run(tl_ctx *ctx, tl_study *s, tl_study_run *run, tl_run_spec *spec,
                               bool *stored);
/* After its training: asks the test rows, keeps weights and answers, and only then calls the run
 * ended.  *rung: it was paused before its end.  `kept`: what it took of others, or -1. */
tl_status    tl_study_conclude(tl_ctx *ctx, tl_study *s, int kept, const tl_run_spec *spec,
                               tl_study_run *run, const tl_run_result *r, json_t **rung);
/* A failure that is the candidate's own is kept as its result; the study goes on.  Memory may be
 * free another time: `tailor resume` tries such a run again. */
tl_status    tl_study_note_failure(tl_ctx *ctx, tl_study *s, tl_study_run *run, tl_status failed);
/* An ended run joins the others, its result with it. */
tl_status    tl_study_take_run(tl_ctx *ctx, tl_study *s, tl_study_run *run, bool stored);
/* The folder of its checkpoint. */
tl_status    tl_study_checkpoint_path(tl_ctx *ctx, const tl_study *s, int64_t run, char **out);
#endif
