/* words_page.c -- report.html of a language model: its scores, the loss as it learnt, what it
 * wrote on the way.  One page without scripts that opens offline.  Floor 4.5, api. */
#include "api/words.h"
#include "core/io.h"
#include "core/text.h"

#include <math.h>
#include <string.h>

enum { WIDE = 720, HIGH = 280, LEFT = 56, LOW = 28 }; /* of the plot, and of its axes */

static const char head[] =
    "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
    "'unsafe-inline'\">\n<meta name=\"color-scheme\" content=\"light dark\">\n"
    "<title>Tailor report</title>\n<style>\n"
    "body { font: 16px/1.5 system-ui, \"Noto Sans\", \"DejaVu Sans\", sans-serif; max-width: 60em; "
    "margin: 2em auto; padding: 0 1em; }\n"
    "table { border-collapse: collapse; }\n"
    "td, th { text-align: left; padding: .2em 1.5em .2em 0; }\n"
    "svg { width: 100%; height: auto; } svg text { font-size: 12px; fill: currentColor; }\n"
    ".axis { stroke: currentColor; opacity: .4; } .train { stroke: #888; } .valid { stroke: "
    "#c2571a; }\npolyline { fill: none; stroke-width: 2; } pre { white-space: pre-wrap; margin: 0; "
    "}\n.given { opacity: .6; }\n</style></head><body>\n";

static void put_text(tl_text *to, const char *text)
{
    for (; *text; text++) {
        const char c = *text;
        if (c == '<') tl_text_printf(to, "&lt;");
        else if (c == '&') tl_text_printf(to, "&amp;");
        else if ((unsigned char)c >= ' ' || c == '\n' || c == '\t') tl_text_add_bytes(to, &c, 1);
    }
}

typedef struct { double step, low, high; } frame;

static frame frame_of(const json_t *curve)
{
    static const char *const keys[] = { "train_loss", "valid_loss" };
    frame                    f      = { 1.0, INFINITY, -INFINITY };

    for (size_t i = 0; i < json_array_size(curve); i++) {
        const json_t *p = json_array_get(curve, i);
        f.step          = fmax(f.step, tl_json_number(p, "step", 0.0));
        for (int k = 0; k < 2; k++) {
            const double loss = tl_json_number(p, keys[k], NAN);
            if (isfinite(loss)) f.low = fmin(f.low, loss), f.high = fmax(f.high, loss);
        }
    }
    if (!(f.high > f.low)) f.high = f.low + 1.0;
    return f;
}

static void put_line(tl_text *to, const json_t *curve, const char *key, const char *class,
                     const frame *f)
{
    tl_text_printf(to, "<polyline class=\"%s\" points=\"", class);
    for (size_t i = 0; i < json_array_size(curve); i++) {
        const json_t *p    = json_array_get(curve, i);
        const double  loss = tl_json_number(p, key, NAN), step = tl_json_number(p, "step", 0.0);
        if (isfinite(loss))
            tl_text_printf(to, "%.1f,%.1f ", LEFT + (WIDE - LEFT) * step / f->step,
                           (HIGH - LOW) * (f->high - loss) / (f->high - f->low));
    }
    tl_text_printf(to, "\"/>\n");
}

static void put_curve(tl_text *to, const json_t *curve)
{
    const frame f = frame_of(curve);

    if (!json_array_size(curve) || !isfinite(f.low)) return;
    tl_text_printf(to, "<h2>Loss of a token</h2>\n<svg viewBox=\"0 -8 %d %d\" role=\"img\" "
                   "aria-label=\"loss by step\">\n"
                   "<path class=\"axis\" fill=\"none\" d=\"M%d 0V%dH%d\"/>\n",
                   WIDE + 8, HIGH + 16, LEFT, HIGH - LOW, WIDE);
    tl_text_printf(to, "<text x=\"0\" y=\"8\">%.3f</text><text x=\"0\" y=\"%d\">%.3f</text>\n",
                   f.high, HIGH - LOW, f.low);
    tl_text_printf(to, "<text x=\"%d\" y=\"%d\">0</text>"
                   "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%.0f steps</text>\n",
                   LEFT, HIGH - 8, WIDE, HIGH - 8, f.step);
    put_line(to, curve, "train_loss", "train", &f);
    put_line(to, curve, "valid_loss", "valid", &f);
    tl_text_printf(to, "</svg>\n<p>Grey: training, so far in the epoch. Orange: validation.</p>\n");
}

static void put_score(tl_text *to, const char *name, const json_t *s)
{
    const json_t *ci   = json_object_get(s, "loss_ci95");
    const double  bits = tl_json_number(s, "bits_per_byte", NAN);

    if (!s) return;
    tl_text_printf(to, "<tr><td>%s</td><td>%.4g</td><td>%.4f (%.4f to %.4f)</td><td>", name,
                   tl_json_number(s, "mean", NAN), tl_json_number(s, "loss", NAN),
                   json_number_value(json_array_get(ci, 0)),
                   json_number_value(json_array_get(ci, 1)));
    if (isfinite(bits)) tl_text_printf(to, "%.4f", bits);
    tl_text_printf(to, "</td><td>%" PRId64 "</td></tr>\n", tl_json_int(s, "rows", 0));
}

static void put_samples(tl_text *to, const json_t *samples)
{
    if (!json_array_size(samples)) return;
    tl_text_printf(to, "<h2>What it writes</h2>\n<table>\n");
    for (size_t i = 0; i < json_array_size(samples); i++) {
        const json_t *one = json_array_get(samples, i);
        tl_text_printf(to, "<tr><td>step %" PRId64 "</td><td><pre><span class=\"given\">",
                       tl_json_int(one, "step", 0));
        put_text(to, tl_json_text(one, "prompt", ""));
        tl_text_printf(to, "</span>");
        put_text(to, tl_json_text(one, "text", ""));
        tl_text_printf(to, "</pre></td></tr>\n");
    }
    tl_text_printf(to, "</table>\n");
}

tl_status tl_words_page(tl_ctx *ctx, const json_t *result, const char *name, const char *folder)
{
    tl_text   page = tl_text_make(ctx);
    char     *path = NULL;
    tl_status rc;

    tl_text_printf(&page, "%s<h1>", head);
    put_text(&page, name);
    tl_text_printf(&page, "</h1>\n<p>%" PRId64 " parameters, %" PRId64 " steps, %.0f s; "
                   "seed %" PRId64 ".</p>\n<table><tr><th></th><th>perplexity</th>"
                   "<th>loss of a token, 95 %% interval</th><th>bits a byte</th>"
                   "<th>tokens</th></tr>\n",
                   tl_json_int(result, "parameters", 0), tl_json_int(result, "steps", 0),
                   tl_json_number(json_object_get(result, "cost"), "seconds", 0.0),
                   tl_json_int(result, "seed", 0));
    put_score(&page, "validation", json_object_get(result, "valid"));
    put_score(&page, "test", json_object_get(result, "test"));
    tl_text_printf(&page, "</table>\n");
    put_curve(&page, json_object_get(result, "curve"));
    put_samples(&page, json_object_get(result, "samples"));
    tl_text_printf(&page, "</body></html>\n");
    TL_TRY(page.status);
    TL_TRY(tl_path_join(ctx, folder, "report.html", &path));
    rc = tl_file_write(ctx, path, page.text, page.bytes);
done:
    tl_free(ctx, path);
    tl_text_free(&page);
    return rc;
}
