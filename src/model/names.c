/* names.c -- other projects' tensor names into ours.  Floor 2, model. */
#include "model/family.h"

#include <stdio.h>
#include <string.h>

/* The first `from` of a text becomes `to`; one that `start` ties must stand there.  False: no
 * room. */
static bool replace(char *text, size_t room, const char *from, const char *to, bool start)
{
    char        *at   = strstr(text, from);
    const size_t gone = strlen(from), made = strlen(to);

    if (!at || (start && at != text)) return true;
    if (strlen(text) - gone + made + 1 > room) return false;
    memmove(at + made, at + gone, strlen(at + gone) + 1);
    memcpy(at, to, made);
    return true;
}

/* `back`: from our names to the others'. */
static bool rename_by(const tl_names_map *map, bool back, const char *name, char *out,
                      size_t room)
{
    const size_t bytes = strlen(name) + 1;
    bool         fits  = bytes <= room;

    if (fits) memcpy(out, name, bytes);
    for (size_t i = 0; fits && i < map->rules; i++) {
        const bool  start = map->rule[i].from[0] == '^';
        const char *from = map->rule[i].from + start, *to = map->rule[i].to;
        fits = replace(out, room, back ? to : from, back ? from : to, start);
    }
    return fits;
}

bool tl_names_apply(const tl_names_map *map, const char *name, char *out, size_t room)
{
    return rename_by(map, false, name, out, room);
}

bool tl_names_outside(const tl_family *family, const char *name, char *out, size_t room)
{
    for (size_t k = 0; k < family->n_maps; k++)
        if (strcmp(family->maps[k].scheme, "hugging-face-5") == 0)
            return rename_by(&family->maps[k], true, name, out, room);
    return (size_t)snprintf(out, room, "%s", name) < room;
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
