/* features.c -- what Hugging Face's datasets note in a file's footer of its columns: the names of
 * classes that are stored as whole numbers.  Source: huggingface.co/docs/datasets, ClassLabel.
 * Floor 2, data. */
#include "data/parquet/inside.h"

#include <string.h>

enum { MOST_NOTE = 16 << 20 };

void tl_pq_take_note(tl_pq_file *f, tl_pq_bytes key, tl_pq_bytes text)
{
    static const char name[] = "huggingface";
    json_t           *all;

    if (f->features || key.bytes != sizeof name - 1 || memcmp(key.at, name, key.bytes) != 0 ||
        text.bytes > MOST_NOTE)
        return;
    all         = json_loadb((const char *)text.at, text.bytes, 0, NULL);
    f->features = json_incref(json_object_get(json_object_get(all, "info"), "features"));
    json_decref(all);
}

/* A list of texts; NULL: it is none. */
static const json_t *names_of(const json_t *feature)
{
    const json_t *names = json_object_get(feature, "names");
    size_t        texts = 0;

    for (size_t i = 0; i < json_array_size(names); i++)
        texts += json_is_string(json_array_get(names, i));
    return texts && texts == json_array_size(names) ? names : NULL;
}

/* Of lists it stands within: {"feature": {...}} or [{...}]. */
static const json_t *innermost(const json_t *feature)
{
    for (;;) {
        const json_t *inner = json_is_array(feature) ? json_array_get(feature, 0)
                                                     : json_object_get(feature, "feature");
        if (!inner) return feature;
        feature = inner;
    }
}

/* Of columns that are a leaf, or lists of one. */
void tl_pq_name_classes(tl_pq_file *f)
{
    int64_t next;

    for (int64_t i = 1; f->features && i < f->node->end; i = next) {
        const json_t *names = names_of(innermost(json_object_get(f->features, f->node[i].name)));
        int64_t       leaf  = i;
        next = f->node[i].end;
        while (f->node[leaf].group && leaf + 1 < next && f->node[leaf + 1].end == next) leaf++;
        if (names && !f->node[leaf].group) tl_pq_take_class_names(&f->node[leaf], names);
    }
}
