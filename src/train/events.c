/* events.c -- see events.h.  Floor 3, train. */
#include "train/events.h"
#include "core/io.h"

#include <math.h>
#include <string.h>

/* CRC-32C (Castagnoli, reflected 0x82f63b78), bit by bit: records are a few hundred bytes. */
uint32_t tl_crc32c(const void *data, size_t bytes)
{
    const uint8_t *at  = data;
    uint32_t       crc = 0xffffffffu;

    for (size_t i = 0; i < bytes; i++) {
        crc ^= at[i];
        for (int k = 0; k < 8; k++) crc = crc >> 1 ^ (0x82f63b78u & (0u - (crc & 1u)));
    }
    return ~crc;
}

static uint32_t masked(const void *data, size_t bytes)
{
    const uint32_t crc = tl_crc32c(data, bytes);

    return (crc >> 15 | crc << 17) + 0xa282ead8u;
}

/* A protobuf message being written; full once it does not fit, which the caller checks. */
typedef struct { uint8_t data[1024]; size_t bytes; bool full; } message;

static void put_bytes(message *m, const void *data, size_t bytes)
{
    if (bytes > sizeof m->data - m->bytes) {
        m->full = true;
        return;
    }
    memcpy(m->data + m->bytes, data, bytes);
    m->bytes += bytes;
}

static void put_little(message *m, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        put_bytes(m, &(uint8_t){ (uint8_t)(value >> (8 * i)) }, 1);
}

static void put_varint(message *m, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        put_bytes(m, &(uint8_t){ (uint8_t)(value | 0x80) }, 1);
    put_bytes(m, &(uint8_t){ (uint8_t)value }, 1);
}

static void put_text(message *m, uint8_t key, const void *text, size_t bytes)
{
    put_bytes(m, &key, 1);
    put_varint(m, bytes);
    put_bytes(m, text, bytes);
}

static void put_wall_time(message *m, double wall_s)
{
    uint64_t bits;

    memcpy(&bits, &wall_s, sizeof bits);
    put_bytes(m, "\x09", 1); /* Event.wall_time = 1, double */
    put_little(m, bits, 8);
}

static void put_scalar(message *summary, const tl_scalar *s)
{
    message  value = { .bytes = 0 };
    float    f     = (float)s->value;
    uint32_t bits;

    memcpy(&bits, &f, sizeof bits);
    put_text(&value, 0x0a, s->tag, strlen(s->tag)); /* Value.tag = 1 */
    put_bytes(&value, "\x15", 1);                   /* Value.simple_value = 2, float */
    put_little(&value, bits, 4);
    put_text(summary, 0x0a, value.data, value.bytes); /* Summary.value = 1 */
}

/* u64 length, its masked CRC, the event, its masked CRC. */
static void put_record(message *file, const message *event)
{
    const size_t at = file->bytes;

    put_little(file, event->bytes, 8);
    put_little(file, masked(file->data + at, 8), 4);
    put_bytes(file, event->data, event->bytes);
    put_little(file, masked(event->data, event->bytes), 4);
}

static void put_version(message *file, double wall_s)
{
    static const char version[] = "brain.Event:2";
    message           event     = { .bytes = 0 };

    put_wall_time(&event, wall_s);
    put_text(&event, 0x1a, version, sizeof version - 1); /* Event.file_version = 3 */
    put_record(file, &event);
}

tl_status tl_events_append(tl_ctx *ctx, const char *path, int64_t step, double wall_s,
                           const tl_scalar *scalar, size_t scalars)
{
    message file = { .bytes = 0 }, event = { .bytes = 0 }, summary = { .bytes = 0 };

    if (tl_file_bytes(path) <= 0) put_version(&file, wall_s);
    put_wall_time(&event, wall_s);
    put_bytes(&event, "\x10", 1); /* Event.step = 2 */
    put_varint(&event, (uint64_t)step);
    for (size_t i = 0; i < scalars; i++)
        if (isfinite(scalar[i].value)) put_scalar(&summary, &scalar[i]);
    put_text(&event, 0x2a, summary.data, summary.bytes); /* Event.summary = 5 */
    put_record(&file, &event);
    if (file.full || event.full || summary.full)
        return tl_fail(ctx, TL_EFAIL, path, "too many scalars for one event");
    return tl_file_append(ctx, path, file.data, file.bytes);
}

/* Event.step of a record written above; 0 where it has none. */
static int64_t step_of(const uint8_t *event, size_t bytes)
{
    uint64_t step = 0;

    if (bytes < 11 || event[0] != 0x09 || event[9] != 0x10) return 0;
    for (size_t i = 10, shift = 0; i < bytes && shift < 64; i++, shift += 7) {
        step |= (uint64_t)(event[i] & 0x7f) << shift;
        if (!(event[i] & 0x80)) break;
    }
    return (int64_t)step;
}

tl_status tl_events_cut(tl_ctx *ctx, const char *path, int64_t after_step)
{
    enum { AROUND = 16 };
    uint8_t  *data = NULL;
    size_t    bytes, keep = 0;
    tl_status rc = TL_OK;

    if (tl_file_bytes(path) <= 0) return TL_OK;
    TL_TRY(tl_file_read(ctx, path, (size_t)1 << 30, &data, &bytes));
    while (bytes - keep >= AROUND) {
        const uint64_t length = tl_le64(data + keep);
        if (length > bytes - keep - AROUND ||
            step_of(data + keep + 12, length) > after_step)
            break;
        keep += (size_t)length + AROUND;
    }
    if (keep < bytes) TL_TRY(tl_file_cut(ctx, path, keep));
done:
    tl_free(ctx, data);
    return rc;
}
