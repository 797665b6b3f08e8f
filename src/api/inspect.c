/* inspect.c -- tailor_data_inspect: what the data looks like.  Floor 4.5, api. */
#include "api/handles.h"

tailor_status tailor_data_inspect(tailor *t, const tailor_data *data, char **json)
{
    tl_ctx           *ctx   = tl_api_begin(t);
    const tl_dataset *d     = data->set;
    json_t           *names = json_array();

    *json = NULL;
    for (int64_t c = 0; c < d->classes; c++)
        json_array_append_new(names, json_string(d->class_name ? d->class_name[c] : "?"));
    return tl_api_status(tl_api_text(ctx, json_pack("{s:s, s:I, s:o}", "format",
                                                    d->format, "rows",
                                                    (json_int_t)d->rows, "classes",
                                                    names), json));
}
