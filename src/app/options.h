/* options.h -- what stands on the command line, in --config and in TAILOR_* variables, by one
 * table of options (options.def).  Floor 5, app. */
#ifndef TL_APP_OPTIONS_H
#define TL_APP_OPTIONS_H
#include "core/core.h"

typedef enum {
#define COMMAND(id, operands, least, most, doc, example, function) TL_CMD_##id,
#include "app/commands.def"
#undef COMMAND
    TL_COMMANDS
} tl_command_id;

typedef enum {
#define OPTION(id, name, letter, kind, placeholder, setting, commands, group, help) TL_OPT_##id,
#include "app/options.def"
#undef OPTION
    TL_OPTIONS
} tl_option_id;

typedef enum { TL_KIND_FLAG, TL_KIND_TEXT, TL_KIND_LIST, TL_KIND_INT, TL_KIND_REAL,
               TL_KIND_SECONDS, TL_KIND_BYTES, TL_KIND_CHOICE } tl_option_kind;

typedef struct {
    const char    *name;        /* without the dashes                                        */
    char           letter;      /* its one-letter form, or 0                                 */
    tl_option_kind kind;
    const char    *placeholder; /* of its value; the choices, divided by `|`; NULL for flags */
    const char    *setting;     /* dotted name it overrides, or NULL                         */
    uint32_t       commands;    /* bit 1 << tl_command_id for each it applies to             */
    const char    *group, *help;
} tl_option;
const tl_option *tl_option_at(size_t i); /* NULL past the end */
bool tl_option_applies(const tl_option *option, tl_command_id command);

/* Where a value came from; a later one rules over an earlier one. */
typedef enum { TL_FROM_NOWHERE, TL_FROM_FILE, TL_FROM_ENVIRONMENT, TL_FROM_OPTION } tl_from;

typedef struct {
    char  **text; /* values in order; more than one only for lists */
    size_t  count;
    tl_from from;
} tl_value;

typedef struct {
    char   *pair; /* "name=value" */
    tl_from from;
} tl_dotted;

typedef struct {
    const char *command;             /* the first operand; NULL when none                     */
    const char **operand;            /* the rest; borrowed from argv                          */
    size_t       operands;
    tl_value     value[TL_OPTIONS];
    tl_dotted   *dotted;             /* given by a dotted name that no option has             */
    size_t       dotteds;
    char       **setting;            /* once complete: "optim.lr=0.1" in rising precedence,   */
    size_t       settings;           /* NULL behind the last; NULL when there is none         */
} tl_args;

/* The command line alone: options before or after operands, --name=value or --name value, `--`
 * ends options.  TL_EUSAGE with what was probably meant. */
tl_status tl_args_parse(tl_ctx *ctx, int argc, char **argv, tl_args *out);
/* Adds --config and TAILOR_* below what the command line says, checks that every option applies
 * to `command`, and turns options with a setting into settings. */
tl_status tl_args_complete(tl_ctx *ctx, tl_args *args, tl_command_id command);
void      tl_args_free(tl_ctx *ctx, tl_args *args);

bool        tl_args_given(const tl_args *args, tl_option_id id);
const char *tl_args_text(const tl_args *args, tl_option_id id); /* NULL: not given            */
/* These were checked when they were read; `fallback` when not given. */
int64_t     tl_args_int(const tl_args *args, tl_option_id id, int64_t fallback);
double      tl_args_real(const tl_args *args, tl_option_id id, double fallback);
double      tl_args_seconds(const tl_args *args, tl_option_id id);
size_t      tl_args_bytes(const tl_args *args, tl_option_id id);

/* Give an option a value, checked against its kind; `where` names the place in errors. */
tl_status tl_args_give(tl_ctx *ctx, tl_args *args, const char *where, tl_option_id id,
                       const char *value, tl_from from);
/* A setting by its dotted name; where an option stands for it, the same as that option. */
tl_status tl_args_set(tl_ctx *ctx, tl_args *args, const char *where, const char *name,
                      const char *value, tl_from from);
bool tl_is_setting(const char *name); /* of a candidate's hyperparameters, by dotted name */
/* A copy of `text` behind the last of *list, which grows. */
tl_status tl_list_add(tl_ctx *ctx, char ***list, size_t *count, const char *text);
void      tl_list_free(tl_ctx *ctx, char ***list, size_t *count);
/* The option of a name or alias (dashes or underscores), or NULL; *id when found. */
const tl_option *tl_option_find(const char *name, tl_option_id *id);
/* In app/config.c. */
tl_status tl_config_read(tl_ctx *ctx, const char *path, tl_args *args);
tl_status tl_config_environment(tl_ctx *ctx, tl_args *args);
#endif
