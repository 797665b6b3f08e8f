/* levels.c -- see levels.h.  Floor 2, model. */
#include "model/levels.h"
#include "tensor/ops.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { FIELDS = 3, MOST_GROUPS = 512, MOST_PLACES = 1 << 24, MOST_SIZE = 600 };

/* What the fast.ai library takes: 1.6 n^0.56, at most 600. */
static int64_t size_of(int64_t width)
{
    return TL_MIN((int64_t)MOST_SIZE, (int64_t)lround(1.6 * pow((double)width, 0.56)));
}

static bool reads_levels(const tl_arch *arch)
{
    for (const char *const *key = arch->family->keys; key && *key; key++)
        if (strcmp(*key, "levels") == 0) return true;
    return false;
}

tl_status tl_arch_embed(tl_ctx *ctx, tl_arch *arch, int64_t at, int64_t width)
{
    json_t       *list     = json_object_get(arch->config, "levels");
    const int64_t field[3] = { at, width, size_of(width) };

    if (!reads_levels(arch) || width < TL_MANY_LEVELS) return TL_OK;
    if (!json_is_array(list)) {
        list = json_array();
        json_object_set_new(arch->config, "levels", list);
    }
    if (json_array_size(list) >= FIELDS * MOST_GROUPS) return TL_OK;
    for (int i = 0; i < FIELDS; i++)
        if (json_array_append_new(list, json_integer(field[i])) != 0)
            return tl_fail(ctx, TL_ENOMEM, arch->name, "no room (free some memory)");
    return TL_OK;
}

tl_status tl_levels_config(tl_ctx *ctx, const char *where, const json_t *config,
                           const tl_arch *arch, json_t **out)
{
    int64_t  *value = NULL, end = 0;
    int       count;
    tl_status rc;

    *out = NULL;
    TL_TRY(tl_alloc_array(ctx, FIELDS * MOST_GROUPS, sizeof *value, &value));
    TL_TRY(tl_config_ints(ctx, where, config, "levels", 0, MOST_PLACES, FIELDS * MOST_GROUPS,
                          value, &count));
    for (int i = 0; i + FIELDS <= count; i += FIELDS) {
        if (value[i] < end || value[i + 1] < 1 || value[i + 2] < 1 || value[i + 2] > MOST_SIZE)
            count = -1;
        end = value[i] + value[i + 1];
    }
    if (count < 0 || count % FIELDS || (count && (arch->row.ndim != 1 || end > arch->row.dim[0])))
        TL_FAIL(TL_EDATA, where, "its \"levels\" are no places of its row (copy it again)");
    *out = count ? tl_config_from_ints(value, count) : json_null();
    if (!*out) TL_FAIL(TL_ENOMEM, where, "no room (free some memory)");
done:
    tl_free(ctx, value);
    return rc;
}

/* All pieces side by side, a few at a time. */
static tl_tensor join(tl_net *net, tl_tensor *piece, int count)
{
    while (count > 1) {
        int kept = 0;
        for (int i = 0; i < count; i += TL_MOST_IN) {
            const int n   = TL_MIN(count - i, (int)TL_MOST_IN);
            piece[kept++] = n == 1 ? piece[i] : tl_concat(net->g, piece + i, n, 1);
        }
        count = kept;
    }
    return piece[0];
}

tl_tensor tl_net_levels(tl_net *net, const tl_arch *arch, tl_tensor x)
{
    const json_t *list = json_object_get(arch->config, "levels");
    const int     n    = (int)TL_MIN(json_array_size(list) / FIELDS, (size_t)MOST_GROUPS);
    tl_tensor     piece[2 * MOST_GROUPS + 1];
    int64_t       done = 0;
    int           count = 0;
    char          name[24];

    if (n == 0) return x;
    tl_net_push(net, "embeddings");
    for (int i = 0; i < n; i++) {
        int64_t field[FIELDS];
        for (int k = 0; k < FIELDS; k++)
            field[k] = json_integer_value(json_array_get(list, (size_t)(i * FIELDS + k)));
        if (field[0] > done)
            piece[count++] = tl_slice(net->g, x, 1, done, field[0] - done, 1);
        snprintf(name, sizeof name, "%d", i);
        piece[count++] =
            tl_net_linear(net, name, tl_slice(net->g, x, 1, field[0], field[1], 1), field[2],
                          false, TL_ACT_NONE, TL_INIT_GLOROT_UNIFORM);
        done = field[0] + field[1];
    }
    const int64_t width = tl_net_dim(net, x, -1);
    if (width > done) piece[count++] = tl_slice(net->g, x, 1, done, width - done, 1);
    tl_net_pop(net);
    return join(net, piece, count);
}
