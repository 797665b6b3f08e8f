/* machine.c -- tailor_doctor: this machine and the libraries underneath.  Floor 4.5, api. */
#include "core/machine.h"
#include "api/handles.h"
#include "backend/cpu/onednn.h"
#include "backend/cpu/peak.h"

#include <openssl/crypto.h>
#include <sqlite3.h>
#include <zlib.h>

static json_t *libraries(void)
{
    json_t *list = json_object();

#ifndef TAILOR_PORTABLE
    char version[32];
    json_object_set_new(list, "oneDNN", json_string(tl_dnn_version(version)));
#endif
    json_object_set_new(list, "sqlite", json_string(sqlite3_libversion()));
    json_object_set_new(list, "zlib", json_string(zlibVersion()));
    json_object_set_new(list, "jansson", json_string(jansson_version_str()));
    json_object_set_new(list, "openssl", json_string(OpenSSL_version(OPENSSL_VERSION_STRING)));
    return list;
}

tailor_status tailor_doctor(tailor *t, char **json)
{
    tl_ctx   *ctx = tl_api_begin(t);
    tl_peak   peak;
    json_t   *value;
    tl_status rc;

    *json = NULL;
    TL_TRY(tl_cpu_peak(ctx, &peak));
    value = json_pack("{s:s, s:s, s:s, s:b, s:i, s:i, s:I, s:s, s:{s:o, s:o, s:o}, s:o}", "version",
                      tailor_version(), "cpu", tl_machine_cpu(), "instruction_set",
                      tl_isa_name(tl_machine_isa()), "bf16", (int)tl_machine_bf16(), "cores",
                      tl_machine_threads(), "threads", t->world.threads, "memory_bytes",
                      (json_int_t)tl_machine_memory_bytes(), "backend", tl_api_backend()->name,
                      "peak", "f32_gflops", tl_json_real(peak.f32_gflops), "bf16_gflops",
                      tl_json_real(peak.bf16_gflops), "memory_gb_s", tl_json_real(peak.memory_gb_s),
                      "libraries", libraries());
    TL_TRY(tl_api_text(ctx, value, json));
done:
    return tl_api_status(rc);
}
