/* verdict_card.c -- what a base says of itself in the model card beside it: the head of README.md
 * between two lines of dashes, as Hugging Face has it.  Its licence and training data go into the
 * report: whoever uses best/ inherits both. Floor 4, study. */
#include "core/io.h"
#include "study/compare_internal.h"

#include <stdio.h>
#include <string.h>

enum { MOST_BYTES = 1 << 20, ROOM = 400 };

/* The value of `key: value`, or the items of a list below it, joined by commas; "" where it is not
 * said. */
static void find(const char *head, const char *end, const char *key, char out[ROOM])
{
    const size_t n    = strlen(key);
    bool         mine = false;

    out[0] = 0;
    for (const char *line = head; line < end;) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        if (!stop) stop = end;
        size_t      bytes = (size_t)(stop - line);
        const char *text  = line;
        if (bytes && text[bytes - 1] == '\r') bytes--;
        line = stop + 1;
        if (bytes > n && strncmp(text, key, n) == 0 && text[n] == ':') {
            mine = true;
            text += n + 1;
            bytes -= n + 1;
        } else if (mine && bytes && strchr("- \t", text[0])) {
            while (bytes && strchr("- \t", *text)) text++, bytes--;
        } else {
            mine = false;
            continue;
        }
        while (bytes && strchr(" \t'\"[", *text)) text++, bytes--;
        while (bytes && strchr(" \t'\"]", text[bytes - 1])) bytes--;
        if (bytes && strlen(out) + bytes + 3 < ROOM)
            snprintf(out + strlen(out), ROOM - strlen(out), "%s%.*s", *out ? ", " : "",
                     (int)bytes, text);
    }
}

static json_t *said(const char *text)
{
    return *text ? tl_json_name(text) : json_null();
}

tl_status tl_study_card(tl_ctx *ctx, const char *base, json_t **out)
{
    char     *path = NULL, license[ROOM] = "", datasets[ROOM] = "";
    uint8_t  *text = NULL;
    size_t    bytes = 0;
    tl_status rc;

    *out = NULL;
    TL_TRY(tl_path_join(ctx, base, "README.md", &path));
    if (tl_is_folder(base) && tl_exists(path) && tl_file_bytes(path) < MOST_BYTES)
        TL_TRY(tl_file_read(ctx, path, MOST_BYTES, &text, &bytes));
    if (bytes > 4 && memcmp(text, "---", 3) == 0) {
        const char *head = (const char *)text + 3;
        const char *end  = memmem(head, bytes - 3, "\n---", 4);
        if (end) {
            find(head, end, "license", license);
            find(head, end, "datasets", datasets);
        }
    }
    *out = json_pack("{s:o, s:o}", "license", said(license), "datasets", said(datasets));
done:
    tl_free(ctx, path);
    tl_free(ctx, text);
    return rc;
}
