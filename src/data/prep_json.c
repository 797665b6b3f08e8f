/* prep_json.c -- preprocessing as Hugging Face's preprocessor_config.json, in and out.
 * Sources: transformers' BitImageProcessor, ViTImageProcessor, ConvNextImageProcessor (crop_pct),
 * Pillow's resampling codes.  Floor 2, data. */
#include "data/prep.h"

#include <math.h>

enum { MOST_SIDE = 8192 };

static json_t *triple(const double v[3])
{
    json_t *list = json_array();

    for (int c = 0; c < 3; c++) json_array_append_new(list, json_real(v[c]));
    return list;
}

static json_t *sides(int64_t height, int64_t width)
{
    return json_pack("{s:I, s:I}", "height", (json_int_t)height, "width",
                     (json_int_t)width);
}

json_t *tl_prep_to_json(const tl_prep *p)
{
    static const int code[] = { [TL_NEAREST] = 0, [TL_BILINEAR] = 2, [TL_BICUBIC] = 3 };
    json_t          *j      = json_object();

    if (p->table) {
        json_object_set_new(j, "table", tl_schema_to_json(p->table));
        return j;
    }
    if (p->text) {
        json_object_set_new(j, "text", tl_texter_to_json(p->text));
        if (p->target_scale > 0.0)
            json_object_set_new(j, "target", json_pack("{s:f, s:f}", "mean", p->target_mean,
                                                       "scale", p->target_scale));
        return j;
    }
    json_object_set_new(j, "image_processor_type", json_string("BitImageProcessor"));
    json_object_set_new(j, "do_resize", json_true());
    json_object_set_new(j, "size",
                        p->resize_short > 0 ? json_pack("{s:I}", "shortest_edge",
                                                        (json_int_t)p->resize_short)
                                            : sides(p->height, p->width));
    json_object_set_new(j, "resample", json_integer(code[p->interpolation]));
    json_object_set_new(j, "do_center_crop", json_boolean(p->crop));
    json_object_set_new(j, "crop_size", sides(p->height, p->width));
    json_object_set_new(j, "do_rescale", json_true());
    json_object_set_new(j, "rescale_factor", json_real(p->scale));
    json_object_set_new(j, "do_normalize", json_true());
    json_object_set_new(j, "image_mean", triple(p->mean));
    json_object_set_new(j, "image_std", triple(p->std));
    json_object_set_new(j, "channels", json_integer(p->channels));
    json_object_set_new(j, "bgr", json_boolean(p->bgr));
    return j;
}

tl_status tl_prep_take_target(tl_ctx *ctx, const char *where, const json_t *prep, tl_prep *out)
{
    const json_t *target = json_object_get(prep, "target");
    const double  mean = tl_json_number(target, "mean", 0.0),
                 scale = tl_json_number(target, "scale", 0.0);

    if (target && !(isfinite(mean) && isfinite(scale) && scale > 0.0))
        return tl_fail(ctx, TL_EDATA, where, "its target's scale is not right (copy it again)");
    out->target_mean  = mean;
    out->target_scale = scale;
    return TL_OK;
}

/* "size" and "crop_size" are a number, {height, width} or {shortest_edge}: *edge is the number
 * or the shortest edge, else 0. */
static void read_size(const json_t *v, int64_t *height, int64_t *width, int64_t *edge)
{
    *edge =
        json_is_integer(v) ? json_integer_value(v) : tl_json_int(v, "shortest_edge", 0);
    *height = tl_json_int(v, "height", *height);
    *width  = tl_json_int(v, "width", *width);
}

static tl_status read_three(tl_ctx *ctx, const char *where, const json_t *value,
                            const char *key, double out[3])
{
    const json_t *list = json_object_get(value, key);

    if (!list || json_is_null(list)) return TL_OK;
    for (size_t c = 0; c < 3; c++) {
        const size_t  n = json_array_size(list);
        const json_t *item =
            json_is_number(list) ? list : json_array_get(list, n == 1 ? 0 : c);
        out[c] = json_number_value(item);
        if (!json_is_number(item) || !isfinite(out[c]))
            return tl_fail(ctx, TL_EDATA, where,
                           "%s is not one number or three (mend the file)", key);
    }
    return TL_OK;
}

static tl_status read_sizes(tl_ctx *ctx, const char *where, const json_t *value,
                            tl_prep *p)
{
    const double share = tl_json_number(value, "crop_pct", 0.0);
    int64_t      edge = 0, crop_edge = 0;

    read_size(json_object_get(value, "size"), &p->height, &p->width, &edge);
    p->crop         = tl_json_bool(value, "do_center_crop", false);
    p->resize_short = tl_json_bool(value, "do_resize", true) ? edge : 0;
    if (edge > 0) p->height = p->width = edge;
    if (p->crop) {
        const int64_t high = p->height, wide = p->width;
        read_size(json_object_get(value, "crop_size"), &p->height, &p->width, &crop_edge);
        if (crop_edge > 0) p->height = p->width = crop_edge;
        if (p->resize_short == 0 && edge == 0 && (p->height != high || p->width != wide))
            return tl_fail(ctx, TL_EDATA, where,
                           "size with height and width and a crop of another "
                           "size is not supported (give size as shortest_edge)");
    } else if (edge > 0 && share > 0.1 && share <= 1.0 && edge < 384) {
        p->resize_short = (int64_t)((double)edge / share);
        p->crop         = true;
    } else if (edge > 0 && json_is_integer(json_object_get(value, "size"))) {
        p->resize_short = 0; /* a bare number without a crop: a square */
    }
    if (p->resize_short > 0 && !p->crop) p->crop = true;
    if (p->height < 1 || p->width < 1 || p->height > MOST_SIDE || p->width > MOST_SIDE ||
        p->resize_short < 0 || p->resize_short > MOST_SIDE)
        return tl_fail(ctx, TL_EDATA, where,
                       "size %" PRId64 "x%" PRId64 " (shortest edge %" PRId64
                       ") is not from 1 to %d (mend the file)",
                       p->height, p->width, p->resize_short, MOST_SIDE);
    return TL_OK;
}

tl_status tl_prep_from_json(tl_ctx *ctx, const char *where, const json_t *value,
                            tl_prep *out)
{
    const int64_t code = tl_json_int(value, "resample", 2);
    tl_prep       p    = {
                 .height = 224, .width = 224, .mean = { 0.5, 0.5, 0.5 }, .std = { 0.5, 0.5, 0.5 }
    };
    tl_status rc;

    *out = (tl_prep){ 0 };
    if (!json_is_object(value))
        TL_FAIL(TL_EDATA, where, "is not a JSON object (mend the file)");
    if (json_object_get(value, "text"))
        TL_FAIL(TL_EDATA, where, "is of text, and no tokenizer lies beside it (copy the model "
                "again)");
    if (json_object_get(value, "table"))
        return tl_schema_from_json(ctx, where, json_object_get(value, "table"), &out->table);
    TL_TRY(read_sizes(ctx, where, value, &p));
    p.channels = tl_json_int(value, "channels", 3);
    if (p.channels != 1 && p.channels != 3)
        TL_FAIL(TL_EDATA, where, "channels %" PRId64 " (1 or 3 are possible)",
                p.channels);
    if (code != 0 && code != 2 && code != 3)
        TL_FAIL(TL_EDATA, where,
                "resample %" PRId64 " is not supported (0 nearest, 2 bilinear, 3 "
                "bicubic are)",
                code);
    p.interpolation = code == 0 ? TL_NEAREST : code == 2 ? TL_BILINEAR : TL_BICUBIC;
    p.bgr =
        tl_json_bool(value, "bgr", tl_json_bool(value, "do_flip_channel_order", false));
    p.scale = tl_json_bool(value, "do_rescale", true)
                  ? tl_json_number(value, "rescale_factor", 1.0 / 255.0)
                  : 1.0;
    TL_TRY(read_three(ctx, where, value, "image_mean", p.mean));
    TL_TRY(read_three(ctx, where, value, "image_std", p.std));
    for (int c = 0; c < 3; c++) {
        if (!tl_json_bool(value, "do_normalize", true)) p.mean[c] = 0.0, p.std[c] = 1.0;
        if (!(p.std[c] > 0.0))
            TL_FAIL(TL_EDATA, where, "image_std is not above 0 (mend the file)");
    }
    if (!isfinite(p.scale))
        TL_FAIL(TL_EDATA, where, "rescale_factor is no number (mend the file)");
    *out = p;
done:
    return rc;
}
