/* app.h -- what every command is given, and the table of commands.  Floor 5, app. */
#ifndef TL_APP_APP_H
#define TL_APP_APP_H
#include "app/options.h"
#include "app/term.h"
#include "core/json.h"

typedef struct tl_app tl_app;
typedef struct {
    const char *name, *operands;
    int         least, most;     /* operands; most -1: any number        */
    const char *doc, *example;
    tl_status (*run)(tl_app *app);
} tl_command;
const tl_command *tl_command_at(size_t i); /* NULL past the end */
/* TL_EUSAGE, with what was probably meant, or that a later version has it. */
tl_status tl_command_named(tl_ctx *ctx, const char *name, const tl_command **out);

struct tl_app {
    tl_world world;              /* of the program's own memory           */
    tl_ctx   ctx;                /* its message is what main prints       */
    tailor  *lib;
    tl_term  term;
    tl_args  args;
    const tl_command *command;
};

#define COMMAND(id, operands, least, most, doc, example, function) tl_status function(tl_app *app);
#include "app/commands.def"
#undef COMMAND

/* One whole command line: parse, check, run.  `resume` calls it with the stored one. */
tl_status tl_app_run(tl_app *app, int argc, char **argv);

/* A library status as ours, its message taken over. */
tl_status tl_app_lib(tl_app *app, tailor_status status);
/* *json, as a library call gave it (freed here), parsed; TL_FAIL on a failed status. */
tl_status tl_app_json(tl_app *app, tailor_status status, char *text, json_t **out);
/* Prints a value for --json. */
tl_status tl_app_print_json(tl_app *app, const json_t *value);
/* --out, or a new tailor-runs/NAME-N after the data's name; owned. */
tl_status tl_app_out(tl_app *app, const char *data, char **out);
/* rc; where it is an interruption and `out` (may be NULL) holds a run: how to go on is said. */
tl_status tl_app_ended(tl_app *app, tl_status rc, const char *out);
/* "--base" values with NULL behind them; *out is freed, its texts are borrowed. */
tl_status tl_app_list(tl_app *app, tl_option_id id, const char ***out);
/* The command that `tailor resume` replays, with what the file and the environment said spelled
 * out; NULL behind the last; ended with tl_list_free. */
tl_status tl_app_stored_command(tl_app *app, const char *out, char ***argv, size_t *count);
/* Data with --valid, --test, --seed and, where `skip_bad` does not say it, --skip-bad. */
/* What stands for new inputs of a task in the commands that are suggested. */
const char *tl_app_new_inputs(const char *task);
tl_status tl_app_open_data(tl_app *app, const char *path, bool skip_bad,
                           const tailor_model *like,
                           tailor_data **out);
/* The same of plain text; `like`: the language model that is to be scored on it, or NULL. */
tl_status tl_app_open_corpus(tl_app *app, const char *path, const tailor_model *like,
                             tailor_data **out);
uint64_t  tl_app_seed(const tl_app *app);
/* How language models write, from the options; in a chat they draw unless told otherwise. */
tl_status tl_app_writing(tl_app *app, bool chat);

/* In app/inspect_table.c: task, target and columns of what tailor_data_inspect says. */
tl_status tl_inspect_print_table(tl_app *app, const json_t *profile);

/* In app/help.c. */
void tl_help_overview(const tl_app *app);
void tl_help_command(const tl_app *app, tl_command_id id);
void tl_help_man(void);
void tl_help_completion(void);
/* In app/verdict.c: a verdict.json's value for people; `folder` holds the report. */
tl_status tl_verdict_print(tl_app *app, const json_t *verdict, const char *folder);
/* Why candidates of a verdict or a plan do not run, or not to their end. */
void tl_verdict_whys(const tl_app *app, const json_t *verdict);
/* The test score of the candidate with the route and base of `like` (the winner, a candidate of
 * another verdict): "91.3 % [90.1, 92.4]", "-" where there is none. */
const char *tl_verdict_score(const json_t *verdict, const json_t *like, char buffer[64]);
#endif
