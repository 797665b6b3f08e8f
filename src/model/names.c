/* names.c -- other projects' tensor names into ours.  Floor 2, model. */
#include "model/family.h"

#include <stdio.h>
#include <string.h>

bool tl_names_apply(const tl_names_map *map, const char *name, char *out, size_t room)
{
    const size_t bytes = strlen(name) + 1;

    if (bytes > room) return false;
    memcpy(out, name, bytes);
    for (size_t i = 0; i < map->rules; i++) {
        const tl_rename *rule  = &map->rule[i];
        const bool       start = rule->from[0] == '^';
        const char      *from  = rule->from + start;
        char            *at    = strstr(out, from);
        const size_t     gone = strlen(from), made = strlen(rule->to);
        if (!at || (start && at != out)) continue;
        if (strlen(out) - gone + made + 1 > room) return false;
        memmove(at + made, at + gone, strlen(at + gone) + 1);
        memcpy(at, rule->to, made);
    }
    return true;
}

bool tl_names_part(const char *name, int k, char *out, size_t room)
{
    const char *open = strchr(name, '{'), *close = open ? strchr(open, '}') : NULL, *at = open;

    if (!close) return k == 0 && (size_t)snprintf(out, room, "%s", name) < room;
    for (at++; k > 0; k--, at++) {
        at += strcspn(at, ",}");
        if (*at != ',') return false;
    }
    return (size_t)snprintf(out, room, "%.*s%.*s%s", (int)(open - name), name,
                            (int)strcspn(at, ",}"), at, close + 1) < room;
}

const tl_shape *tl_tensors_find(const tl_tensors *tensors, const char *name)
{
    for (size_t i = 0; i < tensors->count; i++)
        if (strcmp(tensors->name[i], name) == 0) return &tensors->shape[i];
    return NULL;
}
