/* options.c -- the command line by the table of options.  Floor 5, app. */
#include "app/options.h"
#include "core/text.h"
#include "tailor.h"

#include <stdio.h>
#include <string.h>

#define ON(command) (1u << TL_CMD_##command)
static const tl_option options[] = {
#define OPTION(id, name, letter, kind, placeholder, setting, commands, group, help) \
    [TL_OPT_##id] = { name, letter, TL_KIND_##kind, placeholder, setting, commands, \
                      group, help },
#include "app/options.def"
#undef OPTION
};
#undef ON

static const struct {
    const char  *name;
    tl_option_id id;
} aliases[] = {
#define OPTION(id, name, letter, kind, placeholder, setting, commands, group, help)
#define ALIAS(name, id) { name, TL_OPT_##id },
#include "app/options.def"
#undef ALIAS
#undef OPTION
};

const tl_option *tl_option_at(size_t i)
{
    return i < TL_COUNT(options) ? &options[i] : NULL;
}

bool tl_option_applies(const tl_option *option, tl_command_id command)
{
    return (option->commands >> command & 1u) != 0;
}

/* Every spelling that is known, for "did you mean". */
static const char *spelling_at(size_t i)
{
    if (i < TL_COUNT(options)) return options[i].name;
    i -= TL_COUNT(options);
    return i < TL_COUNT(aliases) ? aliases[i].name : NULL;
}

/* Equal, with `-` and `_` taken as one. */
static bool same_name(const char *a, const char *b)
{
    for (; *a && *b; a++, b++)
        if (*a != *b && !((*a == '-' || *a == '_') && (*b == '-' || *b == '_'))) return false;
    return *a == *b;
}

const tl_option *tl_option_find(const char *name, tl_option_id *id)
{
    for (size_t i = 0; i < TL_COUNT(options) + TL_COUNT(aliases); i++) {
        if (!same_name(name, spelling_at(i))) continue;
        *id = i < TL_COUNT(options) ? (tl_option_id)i : aliases[i - TL_COUNT(options)].id;
        return &options[*id];
    }
    return NULL;
}

/* ("a|b|c", "b") */
static bool is_choice(const char *choices, const char *value)
{
    const size_t n = strlen(value);

    for (const char *at = choices; at; at = strchr(at, '|')) {
        at += *at == '|';
        if (n && strncmp(at, value, n) == 0 && (at[n] == '|' || at[n] == 0)) return true;
    }
    return false;
}

static tl_status check_value(tl_ctx *ctx, const char *where, const tl_option *o,
                             const char *value)
{
    int64_t n;
    double  x;
    size_t  bytes;

    switch (o->kind) {
    case TL_KIND_INT:
        if (tl_parse_int(value, &n) && n >= 0) return TL_OK;
        return tl_fail(ctx, TL_EUSAGE, where, "\"%s\" is not a whole number (give --%s %s)",
                       value, o->name, o->placeholder);
    case TL_KIND_REAL:
        if (tl_parse_double(value, &x)) return TL_OK;
        return tl_fail(ctx, TL_EUSAGE, where, "\"%s\" is not a number (give --%s %s)", value,
                       o->name, o->placeholder);
    case TL_KIND_SECONDS:
        if (tl_parse_seconds(value, &x)) return TL_OK;
        return tl_fail(ctx, TL_EUSAGE, where,
                       "\"%s\" is not a time (try 90s, 30m or 1h30m)", value);
    case TL_KIND_BYTES:
        if (tl_parse_bytes(value, &bytes)) return TL_OK;
        return tl_fail(ctx, TL_EUSAGE, where, "\"%s\" is not a size (try 512M or 8G)", value);
    case TL_KIND_CHOICE:
        if (is_choice(o->placeholder, value)) return TL_OK;
        return tl_fail(ctx, TL_EUSAGE, where, "\"%s\" is not known (choose %s)", value,
                       o->placeholder);
    default:
        if (*value) return TL_OK;
        return tl_fail(ctx, TL_EUSAGE, where, "it is empty (give --%s %s)", o->name,
                       o->placeholder ? o->placeholder : "");
    }
}

static bool is_true(const char *text)
{
    return strcmp(text, "true") == 0 || strcmp(text, "1") == 0 || strcmp(text, "yes") == 0;
}

void tl_list_free(tl_ctx *ctx, char ***list, size_t *count)
{
    for (size_t i = 0; i < *count; i++) tl_free(ctx, (*list)[i]);
    tl_free(ctx, *list);
    *list  = NULL;
    *count = 0;
}

static void clear(tl_ctx *ctx, tl_value *v)
{
    tl_list_free(ctx, &v->text, &v->count);
    v->from = TL_FROM_NOWHERE;
}

tl_status tl_list_add(tl_ctx *ctx, char ***list, size_t *count, const char *text)
{
    tl_status rc;

    TL_TRY(tl_realloc(ctx, (*count + 1) * sizeof **list, list));
    TL_TRY(tl_strdup(ctx, text, &(*list)[*count]));
    (*count)++;
done:
    return rc;
}

tl_status tl_args_give(tl_ctx *ctx, tl_args *args, const char *where, tl_option_id id,
                       const char *value, tl_from from)
{
    tl_value *v = &args->value[id];
    tl_status rc;

    if (v->from > from) return TL_OK;
    if (options[id].kind == TL_KIND_FLAG && !is_true(value)) return TL_OK;
    TL_TRY(check_value(ctx, where, &options[id], value));
    if (v->from < from || options[id].kind != TL_KIND_LIST) clear(ctx, v);
    v->from = from;
    TL_TRY(tl_list_add(ctx, &v->text, &v->count, value));
done:
    return rc;
}

static const char *setting_at(size_t i)
{
    return tailor_known("setting", i, NULL);
}

bool tl_is_setting(const char *name)
{
    const char *known;

    for (size_t i = 0; (known = setting_at(i)); i++)
        if (strcmp(known, name) == 0) return true;
    return false;
}

static tl_status unknown_setting(tl_ctx *ctx, const char *where, const char *name)
{
    const char *meant = tl_did_you_mean(name, setting_at);

    return tl_fail(ctx, TL_EUSAGE, where, "unknown setting \"%s\" (%s%s%s)", name,
                   meant ? "did you mean " : "see `tailor help train`", meant ? meant : "",
                   meant ? "?" : "");
}

tl_status tl_args_set(tl_ctx *ctx, tl_args *args, const char *where, const char *name,
                      const char *value, tl_from from)
{
    tl_text   pair = tl_text_make(ctx);
    tl_status rc;

    for (size_t i = 0; i < TL_OPTIONS; i++)
        if (options[i].setting && strcmp(options[i].setting, name) == 0)
            return tl_args_give(ctx, args, where, (tl_option_id)i, value, from);
    if (!tl_is_setting(name)) return unknown_setting(ctx, where, name);
    TL_TRY(tl_realloc(ctx, (args->dotteds + 1) * sizeof *args->dotted, &args->dotted));
    tl_text_printf(&pair, "%s=%s", name, value);
    TL_TRY(pair.status);
    args->dotted[args->dotteds++] = (tl_dotted){ pair.text, from };
    pair.text                     = NULL;
done:
    tl_text_free(&pair);
    return rc;
}

static tl_status unknown_option(tl_ctx *ctx, const char *name)
{
    char        where[80];
    const char *meant = tl_did_you_mean(name, spelling_at);

    snprintf(where, sizeof where, "--%.60s", name);
    if (meant)
        return tl_fail(ctx, TL_EUSAGE, where, "unknown option (did you mean --%s?)",
                       meant);
    return tl_fail(ctx, TL_EUSAGE, where, "unknown option (see `tailor help COMMAND`)");
}

/* One option at argv[*i], which begins with `--`; takes the next word as its value if need be. */
static tl_status long_option(tl_ctx *ctx, int argc, char **argv, int *i, tl_args *args)
{
    const char      *word = argv[*i] + 2, *equals = strchr(word, '=');
    const size_t     n = equals ? (size_t)(equals - word) : strlen(word);
    const tl_option *option;
    tl_option_id     id;
    char             name[80], where[84];

    if (n >= sizeof name) return unknown_option(ctx, word);
    memcpy(name, word, n);
    name[n] = 0;
    snprintf(where, sizeof where, "--%s", name);
    option = tl_option_find(name, &id);
    if (!option && !strchr(name, '.') && !tl_is_setting(name)) return unknown_option(ctx, name);
    if (option && option->kind == TL_KIND_FLAG) {
        if (equals && !is_true(equals + 1))
            return tl_fail(ctx, TL_EUSAGE, where, "takes no value (leave out \"%s\")", equals);
        return tl_args_give(ctx, args, where, id, "true", TL_FROM_OPTION);
    }
    if (!equals && *i + 1 >= argc)
        return tl_fail(ctx, TL_EUSAGE, where, "its value is missing (give %s %s)", where,
                       option ? option->placeholder : "VALUE");
    const char *value = equals ? equals + 1 : argv[++*i];
    return option ? tl_args_give(ctx, args, where, id, value, TL_FROM_OPTION)
                  : tl_args_set(ctx, args, where, name, value, TL_FROM_OPTION);
}

/* -q, -o DIR, -oDIR; flags may stand together: -qy. */
static tl_status short_options(tl_ctx *ctx, int argc, char **argv, int *i, tl_args *args)
{
    const char *word = argv[*i] + 1;

    for (; *word; word++) {
        const char where[3] = { '-', *word, 0 };
        size_t     k        = 0;
        tl_status  rc;
        while (k < TL_COUNT(options) && options[k].letter != *word) k++;
        if (k == TL_COUNT(options))
            return tl_fail(ctx, TL_EUSAGE, where, "unknown option (see `tailor help`)");
        if (options[k].kind == TL_KIND_FLAG) {
            rc = tl_args_give(ctx, args, where, (tl_option_id)k, "true", TL_FROM_OPTION);
            if (rc != TL_OK) return rc;
            continue;
        }
        if (!word[1] && *i + 1 >= argc)
            return tl_fail(ctx, TL_EUSAGE, where, "its value is missing (give %s %s)", where,
                           options[k].placeholder);
        return tl_args_give(ctx, args, where, (tl_option_id)k, word[1] ? word + 1 : argv[++*i],
                            TL_FROM_OPTION);
    }
    return TL_OK;
}

tl_status tl_args_parse(tl_ctx *ctx, int argc, char **argv, tl_args *out)
{
    tl_status rc;
    bool      ended = false;

    *out = (tl_args){ 0 };
    TL_TRY(tl_alloc_array(ctx, (size_t)TL_MAX(argc, 1), sizeof *out->operand, &out->operand));
    for (int i = 1; i < argc; i++) {
        if (ended || argv[i][0] != '-' || !argv[i][1]) {
            if (out->command) out->operand[out->operands++] = argv[i];
            else out->command = argv[i];
        } else if (strcmp(argv[i], "--") == 0) {
            ended = true;
        } else if (argv[i][1] == '-') {
            TL_TRY(long_option(ctx, argc, argv, &i, out));
        } else {
            TL_TRY(short_options(ctx, argc, argv, &i, out));
        }
    }
done:
    if (rc != TL_OK) tl_args_free(ctx, out);
    return rc;
}

static tl_status check_applies(tl_ctx *ctx, const tl_args *args, tl_command_id command)
{
    for (size_t i = 0; i < TL_OPTIONS; i++) {
        char where[80];
        if (args->value[i].from != TL_FROM_OPTION || tl_option_applies(&options[i], command))
            continue;
        snprintf(where, sizeof where, "--%s", options[i].name);
        return tl_fail(ctx, TL_EUSAGE, where,
                       "`tailor %s` does not take it (see `tailor help %s`)",
                       args->command, args->command);
    }
    return TL_OK;
}

/* --set NAME=VALUE is the same as --NAME=VALUE. */
static tl_status spread_set(tl_ctx *ctx, tl_args *args)
{
    const tl_value *v  = &args->value[TL_OPT_set];
    tl_text         t  = tl_text_make(ctx);
    tl_status       rc = TL_OK;

    for (size_t i = 0; i < v->count; i++) {
        const char *pair = v->text[i], *equals = strchr(pair, '=');
        if (!equals || equals == pair)
            TL_FAIL(TL_EUSAGE, "--set",
                    "\"%s\" is not NAME=VALUE (try --set optim.lr=0.01)", pair);
        t.bytes = 0;
        tl_text_add_bytes(&t, pair, (size_t)(equals - pair));
        TL_TRY(t.status);
        TL_TRY(tl_args_set(ctx, args, "--set", t.text, equals + 1, v->from));
    }
done:
    tl_text_free(&t);
    return rc;
}

/* The settings a run is given: options that stand for one, then the rest by dotted name, those
 * of the file first, so that what rules comes last. */
static tl_status settle(tl_ctx *ctx, tl_args *args)
{
    size_t    n  = 0;
    tl_text   t  = tl_text_make(ctx);
    tl_status rc = TL_OK;

    for (size_t i = 0; i < TL_OPTIONS; i++) {
        if (!options[i].setting || !args->value[i].count) continue;
        t.bytes = 0;
        tl_text_printf(&t, "%s=%s", options[i].setting, args->value[i].text[0]);
        TL_TRY(t.status);
        TL_TRY(tl_list_add(ctx, &args->setting, &n, t.text));
    }
    for (tl_from from = TL_FROM_FILE; from <= TL_FROM_OPTION; from++)
        for (size_t i = 0; i < args->dotteds; i++)
            if (args->dotted[i].from == from)
                TL_TRY(tl_list_add(ctx, &args->setting, &n, args->dotted[i].pair));
    TL_TRY(tl_realloc(ctx, (n + 1) * sizeof *args->setting, &args->setting));
done:
    tl_text_free(&t);
    args->settings = n;
    return rc;
}

tl_status tl_args_complete(tl_ctx *ctx, tl_args *args, tl_command_id command)
{
    tl_status rc;

    TL_TRY(check_applies(ctx, args, command));
    TL_TRY(tl_config_environment(ctx, args));
    if (args->value[TL_OPT_config].count)
        TL_TRY(tl_config_read(ctx, args->value[TL_OPT_config].text[0], args));
    TL_TRY(spread_set(ctx, args));
    for (size_t i = 0; i < args->dotteds; i++)
        if (args->dotted[i].from == TL_FROM_OPTION &&
            !tl_option_applies(&options[TL_OPT_set], command))
            TL_FAIL(TL_EUSAGE, args->dotted[i].pair,
                    "`tailor %s` does not train (leave it out)",
                    args->command);
    TL_TRY(settle(ctx, args));
done:
    return rc;
}

void tl_args_free(tl_ctx *ctx, tl_args *args)
{
    for (size_t i = 0; i < TL_OPTIONS; i++) clear(ctx, &args->value[i]);
    tl_list_free(ctx, &args->setting, &args->settings);
    for (size_t i = 0; i < args->dotteds; i++) tl_free(ctx, args->dotted[i].pair);
    tl_free(ctx, args->dotted);
    tl_free(ctx, args->operand);
    *args = (tl_args){ 0 };
}

bool tl_args_given(const tl_args *args, tl_option_id id)
{
    return args->value[id].count > 0;
}

const char *tl_args_text(const tl_args *args, tl_option_id id)
{
    return args->value[id].count ? args->value[id].text[0] : NULL;
}

int64_t tl_args_int(const tl_args *args, tl_option_id id, int64_t fallback)
{
    int64_t n = fallback;

    return args->value[id].count && tl_parse_int(args->value[id].text[0], &n) ? n : fallback;
}

double tl_args_real(const tl_args *args, tl_option_id id, double fallback)
{
    double x = fallback;

    return args->value[id].count && tl_parse_double(args->value[id].text[0], &x) ? x : fallback;
}

double tl_args_seconds(const tl_args *args, tl_option_id id)
{
    double s = 0.0;

    return args->value[id].count && tl_parse_seconds(args->value[id].text[0], &s) ? s : 0.0;
}

size_t tl_args_bytes(const tl_args *args, tl_option_id id)
{
    size_t n = 0;

    return args->value[id].count && tl_parse_bytes(args->value[id].text[0], &n) ? n : 0;
}
