/* json.c -- JSON through jansson, SHA-256 through OpenSSL.  Floor 0. */
#include "core/json.h"
#include "core/io.h"
#include "core/text.h"

#include <math.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct tl_hash { EVP_MD_CTX *md; };

tl_status tl_json_parse(tl_ctx *ctx, const char *where, const char *text, size_t bytes,
                        json_t **out)
{
    json_error_t error;
    char         place[512];

    *out = json_loadb(text, bytes, JSON_ALLOW_NUL, &error);
    if (*out) return TL_OK;
    snprintf(place, sizeof place, "%.480s:%d", where, error.line);
    return tl_fail(ctx, TL_EDATA, place, "not valid JSON: %s (mend or fetch the file again)",
                   error.text);
}

tl_status tl_json_read(tl_ctx *ctx, const char *path, size_t limit, json_t **out)
{
    uint8_t  *data  = NULL;
    size_t    bytes = 0;
    tl_status rc;

    *out = NULL;
    TL_TRY(tl_file_read(ctx, path, limit, &data, &bytes));
    TL_TRY(tl_json_parse(ctx, path, (const char *)data, bytes, out));
done:
    tl_free(ctx, data);
    return rc;
}

json_t *tl_json_name(const char *name)
{
    json_t *value = json_string(name);
    char   *plain;

    if (value) return value;
    plain = strdup(name);
    if (!plain) return NULL;
    tl_one_line(plain);
    value = json_string(plain);
    free(plain);
    return value;
}

static tl_status write_digits(tl_ctx *ctx, const char *path, const json_t *value, size_t digits)
{
    char     *text = json_dumps(value, JSON_INDENT(2) | JSON_ENCODE_ANY |
                                           JSON_REAL_PRECISION(digits));
    tl_status rc;

    if (!text) return tl_fail(ctx, TL_ENOMEM, path, "no room to write JSON (free memory)");
    rc = tl_file_write(ctx, path, text, strlen(text));
    free(text);
    return rc;
}

tl_status tl_json_write(tl_ctx *ctx, const char *path, const json_t *value)
{
    return write_digits(ctx, path, value, 12);
}

tl_status tl_json_write_exact(tl_ctx *ctx, const char *path, const json_t *value)
{
    return write_digits(ctx, path, value, 17);
}

tl_status tl_json_save(tl_ctx *ctx, const char *folder, const char *name, json_t *value)
{
    char     *path = NULL;
    tl_status rc;

    TL_TRY(tl_path_join(ctx, folder, name, &path));
    if (!value) TL_FAIL(TL_ENOMEM, path, "no room (free memory)");
    TL_TRY(tl_json_write_exact(ctx, path, value));
done:
    tl_free(ctx, path);
    json_decref(value);
    return rc;
}

int64_t tl_json_int(const json_t *object, const char *key, int64_t fallback)
{
    const json_t *v = json_object_get(object, key);

    return json_is_integer(v) ? (int64_t)json_integer_value(v) : fallback;
}

double tl_json_number(const json_t *object, const char *key, double fallback)
{
    const json_t *v = json_object_get(object, key);

    return json_is_number(v) ? json_number_value(v) : fallback;
}

bool tl_json_bool(const json_t *object, const char *key, bool fallback)
{
    const json_t *v = json_object_get(object, key);

    return json_is_boolean(v) ? json_is_true(v) : fallback;
}

const char *tl_json_text(const json_t *object, const char *key, const char *fallback)
{
    const json_t *v = json_object_get(object, key);

    return json_is_string(v) ? json_string_value(v) : fallback;
}

json_t *tl_json_real(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

tl_status tl_hash_new(tl_ctx *ctx, tl_hash **out)
{
    tl_status rc = tl_alloc(ctx, sizeof **out, out);

    if (rc != TL_OK) return rc;
    (*out)->md = EVP_MD_CTX_new();
    if ((*out)->md && EVP_DigestInit_ex((*out)->md, EVP_sha256(), NULL)) return TL_OK;
    EVP_MD_CTX_free((*out)->md);
    tl_free(ctx, *out);
    *out = NULL;
    return tl_fail(ctx, TL_ENOMEM, "sha256", "cannot start (free memory)");
}

void tl_hash_add(tl_hash *hash, const void *data, size_t bytes)
{
    EVP_DigestUpdate(hash->md, data, bytes);
}

static void say_hex(const uint8_t digest[32], char hex[65])
{
    for (int i = 0; i < 32; i++) snprintf(hex + 2 * i, 3, "%02x", digest[i]);
}

void tl_hash_end(tl_ctx *ctx, tl_hash *hash, char hex[65])
{
    uint8_t digest[EVP_MAX_MD_SIZE];

    EVP_DigestFinal_ex(hash->md, digest, NULL);
    say_hex(digest, hex);
    EVP_MD_CTX_free(hash->md);
    tl_free(ctx, hash);
}

void tl_hash_bytes(const void *data, size_t bytes, char hex[65])
{
    uint8_t digest[EVP_MAX_MD_SIZE];

    EVP_Digest(data, bytes, digest, NULL, EVP_sha256(), NULL);
    say_hex(digest, hex);
}

tl_status tl_hash_file(tl_ctx *ctx, const char *path, char hex[65])
{
    tl_map    map;
    tl_status rc = TL_OK;

    if (tl_file_bytes(path) == 0) {
        tl_hash_bytes("", 0, hex);
        return TL_OK;
    }
    TL_TRY(tl_map_open(ctx, path, &map));
    tl_hash_bytes(map.data, map.bytes, hex);
    tl_map_close(ctx, &map);
done:
    return rc;
}
