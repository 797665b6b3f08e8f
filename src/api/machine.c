/* machine.c -- tailor_doctor: this machine and the libraries underneath.  Floor 4.5, api. */
#include "core/machine.h"
#include "api/handles.h"

#include <openssl/crypto.h>
#include <sqlite3.h>
#include <zlib.h>

tailor_status tailor_doctor(tailor *t, char **json)
{
    tl_ctx *ctx = tl_api_begin(t);
    json_t *value;

    *json = NULL;
    value = json_pack("{s:s, s:s, s:s, s:b, s:i, s:i, s:I, s:s, s:{s:s, s:s, s:s, s:s}}",
                      "version",
                      tailor_version(), "cpu", tl_machine_cpu(), "instruction_set",
                      tl_isa_name(tl_machine_isa()), "bf16", tl_machine_bf16(), "cores",
                      tl_machine_threads(), "threads", t->world.threads, "memory_bytes",
                      (json_int_t)tl_machine_memory_bytes(), "backend", tl_api_backend()->name,
                      "libraries", "sqlite", sqlite3_libversion(), "zlib", zlibVersion(),
                      "jansson",
                      jansson_version_str(), "openssl",
                      OpenSSL_version(OPENSSL_VERSION_STRING));
    return tl_api_status(tl_api_text(ctx, value, json));
}
