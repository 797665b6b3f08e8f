/* inspect.c -- tailor_data_inspect: what the data looks like.  Floor 4.5, api. */
#include "study/profile.h"
#include "api/handles.h"

tailor_status tailor_data_inspect(tailor *t, const tailor_data *data, char **json)
{
    tl_ctx   *ctx   = tl_api_begin(t);
    json_t   *value = NULL;
    tl_status rc;

    *json = NULL;
    if (data->set->task->words)
        TL_FAIL(TL_EUSAGE, data->set->path, "holds text without classes (tailor train and "
                "pretrain take it)");
    TL_TRY(tl_profile(ctx, data->set, &value));
    TL_TRY(tl_api_text(ctx, value, json));
done:
    return tl_api_status(rc);
}
