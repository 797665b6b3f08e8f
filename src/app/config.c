/* config.c -- options from a file and from the environment: file < environment < command line.
 * A file is JSON (objects nest into dotted names), or lines of `name: value` or `name = value`
 * with `#` comments.  Floor 5, app. */
#include "app/options.h"
#include "core/io.h"
#include "core/json.h"
#include "core/text.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CONFIG_BYTES = 1 << 20, CONFIG_DEPTH = 8, NAME_BYTES = 160 };

static tl_status give(tl_ctx *ctx, tl_args *args, const char *where, const char *name,
                      const char *value, tl_from from)
{
    tl_option_id id;

    if (tl_option_find(name, &id) && id != TL_OPT_config)
        return tl_args_give(ctx, args, where, id, value, from);
    if (strchr(name, '.') || tl_is_setting(name))
        return tl_args_set(ctx, args, where, name, value, from);
    return tl_fail(ctx, TL_EUSAGE, where,
                   "unknown option \"%s\" (see `tailor help train`)", name);
}

static tl_status give_json(tl_ctx *ctx, tl_args *args, const char *where, const char *name,
                           const json_t *value, int depth);

static tl_status give_object(tl_ctx *ctx, tl_args *args, const char *where, const char *prefix,
                             const json_t *object, int depth)
{
    const char *key;
    json_t     *value;

    if (depth > CONFIG_DEPTH)
        return tl_fail(ctx, TL_EUSAGE, where,
                       "objects nest too deep at \"%.60s\" (write it "
                       "flat)",
                       prefix);
    json_object_foreach((json_t *)(uintptr_t)object, key, value) {
        char      name[NAME_BYTES];
        tl_status rc;
        if (snprintf(name, sizeof name, "%s%s%s", prefix, *prefix ? "." : "", key) >=
            NAME_BYTES)
            return tl_fail(ctx, TL_EUSAGE, where,
                           "the name \"%.60s...\" is too long (shorten it)", key);
        rc = give_json(ctx, args, where, name, value, depth);
        if (rc != TL_OK) return rc;
    }
    return TL_OK;
}

static tl_status give_json(tl_ctx *ctx, tl_args *args, const char *where, const char *name,
                           const json_t *value, int depth)
{
    char   number[40];
    size_t i;
    json_t *item;

    if (json_is_object(value)) return give_object(ctx, args, where, name, value, depth + 1);
    if (json_is_array(value)) {
        json_array_foreach(value, i, item) {
            tl_status rc =
                json_is_array(item)
                    ? tl_fail(ctx, TL_EUSAGE, where,
                              "\"%s\" is a list of lists (name one level)", name)
                    : give_json(ctx, args, where, name, item, depth + 1);
            if (rc != TL_OK) return rc;
        }
        return TL_OK;
    }
    if (json_is_null(value)) return TL_OK;
    if (json_is_integer(value))
        snprintf(number, sizeof number, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    else if (json_is_real(value))
        snprintf(number, sizeof number, "%.17g", json_real_value(value));
    else snprintf(number, sizeof number, "%s", json_is_true(value) ? "true" : "false");
    return give(ctx, args, where, name, json_is_string(value) ? json_string_value(value)
                : number,
                TL_FROM_FILE);
}

/* Cuts white space and one pair of quotes off both ends, in place. */
static char *trim(char *s)
{
    size_t n;

    while (isspace((unsigned char)*s)) s++;
    n = strlen(s);
    while (n && isspace((unsigned char)s[n - 1])) n--;
    if (n >= 2 && (*s == '"' || *s == '\'') && s[n - 1] == *s) s++, n -= 2;
    s[n] = 0;
    return s;
}

static tl_status read_lines(tl_ctx *ctx, const char *path, char *text, tl_args *args)
{
    char  where[300];
    int   number = 0;
    char *next;

    for (char *line = text; line; line = next) {
        char *cut;
        next = strchr(line, '\n');
        if (next) *next++ = 0;
        number++;
        snprintf(where, sizeof where, "%.250s:%d", path, number);
        if ((cut = strchr(line, '#')) && (cut == line || isspace((unsigned char)cut[-1])))
            *cut = 0;
        line = trim(line);
        if (!*line || strcmp(line, "---") == 0) continue;
        cut = line + strcspn(line, ":=");
        if (!*cut)
            return tl_fail(ctx, TL_EUSAGE, where, "this is not `name: value` (mend the line)");
        *cut = 0;
        tl_status rc = give(ctx, args, where, trim(line), trim(cut + 1), TL_FROM_FILE);
        if (rc != TL_OK) return rc;
    }
    return TL_OK;
}

tl_status tl_config_read(tl_ctx *ctx, const char *path, tl_args *args)
{
    uint8_t  *data = NULL;
    size_t    bytes;
    json_t   *json = NULL;
    tl_status rc;

    TL_TRY(tl_file_read(ctx, path, CONFIG_BYTES, &data, &bytes));
    if (strlen((char *)data) != bytes)
        TL_FAIL(TL_EUSAGE, path, "this is not text (give JSON, or lines of `name: value`)");
    if (data[strspn((char *)data, " \t\r\n")] == '{') {
        TL_TRY(tl_json_parse(ctx, path, (char *)data, bytes, &json));
        TL_TRY(give_object(ctx, args, path, "", json, 0));
    } else {
        TL_TRY(read_lines(ctx, path, (char *)data, args));
    }
done:
    if (json) json_decref(json);
    tl_free(ctx, data);
    return rc;
}

/* TAILOR_BATCH_SIZE=32; a dotted name has two underscores: TAILOR_OPTIM__BETA1.  Other variables
 * of that prefix mean something else (TAILOR_ISA), so that unknown ones are left alone. */
tl_status tl_config_environment(tl_ctx *ctx, tl_args *args)
{
    extern char **environ;

    for (char **at = environ; at && *at; at++) {
        char         name[NAME_BYTES], where[NAME_BYTES];
        const char  *equals = strchr(*at, '=');
        size_t       n = 0;
        tl_option_id id;
        tl_status    rc = TL_OK;
        if (strncmp(*at, "TAILOR_", 7) != 0 || !equals || equals - *at >= NAME_BYTES) continue;
        snprintf(where, sizeof where, "%.*s", (int)(equals - *at), *at);
        for (const char *c = *at + 7; c < equals; c++) {
            const bool dot = c[0] == '_' && c + 1 < equals && c[1] == '_';
            name[n++]      = dot ? '.' : (char)tolower((unsigned char)*c);
            c += dot;
        }
        name[n] = 0;
        if (strchr(name, '.'))
            rc = tl_args_set(ctx, args, where, name, equals + 1, TL_FROM_ENVIRONMENT);
        else if (tl_option_find(name, &id) && id != TL_OPT_help && id != TL_OPT_version)
            rc = tl_args_give(ctx, args, where, id, equals + 1, TL_FROM_ENVIRONMENT);
        if (rc != TL_OK) return rc;
    }
    return TL_OK;
}
