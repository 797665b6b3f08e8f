/* schema.c -- see schema.h. */
#include "support/schema.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

typedef struct {
    const json_t *root;
    char         *why;
    size_t        room;
} check;

static bool holds(check *c, const json_t *schema, const json_t *value, const char *at);

static bool no(check *c, const char *at, const char *what)
{
    snprintf(c->why, c->room, "%s: %s", *at ? at : "the value", what);
    return false;
}

static bool is_type(const char *name, const json_t *v)
{
    return (strcmp(name, "object") == 0 && json_is_object(v)) ||
           (strcmp(name, "array") == 0 && json_is_array(v)) ||
           (strcmp(name, "string") == 0 && json_is_string(v)) ||
           (strcmp(name, "number") == 0 && json_is_number(v)) ||
           (strcmp(name, "integer") == 0 && json_is_integer(v)) ||
           (strcmp(name, "boolean") == 0 && json_is_boolean(v)) ||
           (strcmp(name, "null") == 0 && json_is_null(v));
}

static bool any_type(const json_t *word, const json_t *v)
{
    size_t  i;
    json_t *one;

    if (json_is_string(word)) return is_type(json_string_value(word), v);
    json_array_foreach(word, i, one) if (is_type(json_string_value(one), v)) return true;
    return false;
}

static bool in_list(const json_t *list, const json_t *v)
{
    size_t  i;
    json_t *one;

    json_array_foreach(list, i, one) if (json_equal(one, v)) return true;
    return false;
}

static bool any_of(check *c, const json_t *list, const json_t *v, const char *at)
{
    size_t  i;
    json_t *one;

    json_array_foreach(list, i, one) if (holds(c, one, v, at)) return true;
    return false;
}

static bool refers(check *c, const json_t *word, const json_t *v, const char *at)
{
    static const char before[] = "#/$defs/";
    const char       *name     = json_string_value(word);

    if (strncmp(name, before, strlen(before)) != 0)
        return no(c, at, "a $ref out of $defs");
    return holds(
        c, json_object_get(json_object_get(c->root, "$defs"), name + strlen(before)), v,
        at);
}

static bool members(check *c, const json_t *schema, const json_t *v, const char *at)
{
    const json_t *known = json_object_get(schema, "properties");
    const char   *key;
    json_t       *one;
    size_t        i;
    char          path[300];

    json_array_foreach(json_object_get(schema, "required"), i,
                       one) if (!json_object_get(v, json_string_value(one)))
    {
        snprintf(path, sizeof path, "%s is missing", json_string_value(one));
        return no(c, at, path);
    }
    json_object_foreach((json_t *)(uintptr_t)v, key, one)
    {
        const json_t *inner = json_object_get(known, key);
        snprintf(path, sizeof path, "%s/%s", at, key);
        if (!inner && json_is_false(json_object_get(schema, "additionalProperties")))
            return no(c, path, "is not in the schema");
        if (inner && !holds(c, inner, one, path)) return false;
    }
    return true;
}

static bool items(check *c, const json_t *schema, const json_t *v, const char *at)
{
    size_t  i;
    json_t *one;
    char    path[300];

    json_array_foreach(v, i, one)
    {
        snprintf(path, sizeof path, "%s/%zu", at, i);
        if (!holds(c, schema, one, path)) return false;
    }
    return true;
}

static bool word_holds(check *c, const json_t *schema, const char *word, const json_t *is,
                       const json_t *v, const char *at)
{
    const double n = json_number_value(v), limit = json_number_value(is);

    if (*word == '$' && strcmp(word, "$ref") != 0) return true;
    if (strcmp(word, "title") == 0 || strcmp(word, "required") == 0) return true;
    if (strcmp(word, "additionalProperties") == 0 || strcmp(word, "pattern") == 0)
        return true;
    if (strcmp(word, "$ref") == 0) return refers(c, is, v, at);
    if (strcmp(word, "type") == 0)
        return any_type(is, v) || no(c, at, "is of another type");
    if (strcmp(word, "enum") == 0)
        return in_list(is, v) || no(c, at, "is not one of the words");
    if (strcmp(word, "const") == 0)
        return json_equal(is, v) || no(c, at, "is another value");
    if (strcmp(word, "anyOf") == 0) return any_of(c, is, v, at);
    if (strcmp(word, "properties") == 0) return members(c, schema, v, at);
    if (strcmp(word, "items") == 0) return items(c, is, v, at);
    if (strcmp(word, "minimum") == 0)
        return !json_is_number(v) || n >= limit || no(c, at, "too low");
    if (strcmp(word, "maximum") == 0)
        return !json_is_number(v) || n <= limit || no(c, at, "too high");
    if (strcmp(word, "minItems") == 0)
        return (double)json_array_size(v) >= limit || no(c, at, "too few");
    if (strcmp(word, "maxItems") == 0)
        return (double)json_array_size(v) <= limit || no(c, at, "too many");
    if (strcmp(word, "minLength") == 0)
        return (double)json_string_length(v) >= limit || no(c, at, "too short");
    return no(c, word, "is a word the check does not know");
}

static bool holds(check *c, const json_t *schema, const json_t *v, const char *at)
{
    const char *word;
    json_t     *is;

    if (!schema) return no(c, at, "has no schema");
    json_object_foreach((json_t *)(uintptr_t)schema, word,
                        is) if (!word_holds(c, schema, word, is, v, at)) return false;
    return true;
}

bool test_schema(const json_t *schema, const json_t *value, char *why, size_t room)
{
    check c = { schema, why, room };

    *why = 0;
    return holds(&c, schema, value, "");
}
