/* sentencepiece.c -- tokenizer.model, a protobuf message; and llama2.c's tokenizer.bin.
 * Source: google/sentencepiece, sentencepiece_model.proto; karpathy/llama2.c, tokenizer.py.
 * Floor 2, data. */
#include "data/tokenizer/files/pieces.h"

#include <string.h>

/* A message under way; `bad` once it runs over its end. */
typedef struct {
    const uint8_t *at, *end;
    bool           bad;
} message;
typedef struct {
    uint32_t number, wire;
    uint64_t value;
    message  body;
} field;

static uint64_t varint(message *m)
{
    uint64_t v = 0;

    for (int shift = 0; shift < 64; shift += 7) {
        if (m->at >= m->end) break;
        const uint8_t b = *m->at++;
        v |= (uint64_t)(b & 0x7f) << shift;
        if (!(b & 0x80)) return v;
    }
    m->bad = true;
    return 0;
}

/* The next field; false at the end or where the message is broken. */
static bool next_field(message *m, field *f)
{
    if (m->bad || m->at >= m->end) return false;
    const uint64_t key = varint(m);
    *f                 = (field){ .number = (uint32_t)(key >> 3), .wire = key & 7 };
    const size_t left  = (size_t)(m->end - m->at);
    if (f->wire == 0) {
        f->value = varint(m);
    } else if (f->wire == 1 || f->wire == 5) {
        const size_t bytes = f->wire == 1 ? 8 : 4;
        if (left < bytes) return m->bad = true, false;
        for (size_t i = 0; i < bytes; i++) f->value |= (uint64_t)m->at[i] << 8 * i;
        m->at += bytes;
    } else if (f->wire == 2) {
        const uint64_t bytes = varint(m);
        if (m->bad || bytes > (uint64_t)(m->end - m->at)) return m->bad = true, false;
        f->body = (message){ m->at, m->at + bytes, false };
        m->at += bytes;
    } else {
        m->bad = true;
    }
    return !m->bad;
}

static tl_string body_text(const field *f)
{
    return (tl_string){ (const char *)f->body.at, (size_t)(f->body.end - f->body.at) };
}

static float real(uint64_t bits)
{
    const uint32_t low = (uint32_t)bits;
    float          v;

    memcpy(&v, &low, sizeof v);
    return v;
}

static tl_scored read_piece(message m, bool *bad)
{
    tl_scored p = { .text = { "", 0 }, .type = TL_PIECE_NORMAL };
    field     f;

    while (next_field(&m, &f)) {
        if (f.number == 1 && f.wire == 2) p.text = body_text(&f);
        if (f.number == 2 && f.wire == 5) p.score = real(f.value);
        if (f.number == 3 && f.wire == 0) p.type = (uint8_t)f.value;
    }
    *bad |= m.bad;
    return p;
}

static void read_trainer(message m, tl_pieces_file *out, uint64_t *kind, bool *bad)
{
    field f;

    while (next_field(&m, &f)) {
        if (f.number == 3) *kind = f.value;
        if (f.number == 35) out->fallback = f.value != 0;
        if (f.number == 40) out->unk = (int32_t)f.value;
        if (f.number == 41) out->bos = (int32_t)f.value;
        if (f.number == 42) out->eos = (int32_t)f.value;
        if (f.number == 43) out->pad = (int32_t)f.value;
    }
    *bad |= m.bad;
}

static void read_normalizer(message m, tl_pieces_file *out, bool *bad)
{
    field f;

    while (next_field(&m, &f)) {
        if (f.number == 2 && f.wire == 2) out->charsmap = body_text(&f);
        if (f.number == 3) out->prefix = f.value != 0;
        if (f.number == 4) out->squeeze = f.value != 0;
    }
    *bad |= m.bad;
}

static tl_status read_model(tl_ctx *ctx, const char *path, message m, tl_pieces_file *out)
{
    uint64_t  kind = 1;
    bool      bad  = false;
    field     f;
    tl_status rc = TL_OK;

    *out = (tl_pieces_file){
        .prefix = true, .squeeze = true, .unk = 0, .bos = 1, .eos = 2, .pad = -1
    };
    while (next_field(&m, &f)) {
        if (f.wire != 2) continue;
        if (f.number == 1) TL_TRY(tl_scored_add(ctx, out, read_piece(f.body, &bad)));
        if (f.number == 2) read_trainer(f.body, out, &kind, &bad);
        if (f.number == 3) read_normalizer(f.body, out, &bad);
    }
    if (bad || m.bad)
        TL_FAIL(TL_EDATA, path, "not a whole SentencePiece model (fetch the file again)");
    if (kind != 1 && kind != 2)
        TL_FAIL(
            TL_EDATA, path,
            "a SentencePiece model by words or characters (unigram and bpe are read)");
    out->unigram = kind == 1;
done:
    return rc;
}

static tl_status load_model(tl_ctx *ctx, const char *path, tl_tokenizer *t)
{
    uint8_t       *data   = NULL;
    json_t        *config = NULL;
    tl_pieces_file f      = { 0 };
    size_t         bytes;
    tl_status      rc;

    TL_TRY(tl_tokenizer_read(ctx, t, path, &data, &bytes));
    TL_TRY(tl_tokenizer_beside(ctx, t, path, "tokenizer_config.json", &config));
    TL_TRY(read_model(ctx, path, (message){ data, data + bytes, false }, &f));
    const bool t5 = !strncmp(tl_json_text(config, "tokenizer_class", ""), "T5", 2);
    f.add_bos     = tl_json_bool(config, "add_bos_token", !t5);
    f.add_eos     = tl_json_bool(config, "add_eos_token", t5);
    TL_TRY(tl_pieces_load(ctx, path, &f, t));
done:
    json_decref(config);
    tl_free(ctx, f.at);
    tl_free(ctx, data);
    return rc;
}

/* llama2.c writes the blank's sign as a blank and line ends around <s> and </s>. */
static tl_status add_llama2c(tl_ctx *ctx, tl_pieces_file *f, tl_text *texts, tl_string s,
                             float score)
{
    const size_t id = f->count;
    tl_scored    p = { { NULL, 0 }, score, id == 0 ? TL_PIECE_UNKNOWN : TL_PIECE_NORMAL };
    const size_t from = texts->bytes;

    if (id == 1 || id == 2) {
        p.type = TL_PIECE_CONTROL;
        tl_text_add(texts, id == 1 ? "<s>" : "</s>");
    } else {
        if (tl_byte_token(s) >= 0) p.type = TL_PIECE_BYTE, f->fallback = true;
        for (size_t i = 0; i < s.bytes; i++)
            if (s.text[i] == ' ')
                tl_text_add(texts, "\xe2\x96\x81");
            else
                tl_text_add_bytes(texts, s.text + i, 1);
    }
    p.text.bytes = texts->bytes - from; /* the address once all are there */
    return texts->status == TL_OK ? tl_scored_add(ctx, f, p) : texts->status;
}

static tl_status read_llama2c(tl_ctx *ctx, const char *path, const uint8_t *data,
                              size_t bytes, tl_pieces_file *f, tl_text *texts)
{
    message   m    = { data, data + bytes, false };
    size_t    from = 0;
    tl_status rc   = TL_OK;

    *f = (tl_pieces_file){
        .prefix = true, .unk = 0, .bos = 1, .eos = 2, .pad = -1, .add_bos = true
    };
    for (m.at += TL_MIN(bytes, (size_t)4); m.end - m.at >= 8;) {
        uint32_t head[2];
        for (int k = 0; k < 2; k++, m.at += 4)
            head[k] = (uint32_t)m.at[0] | (uint32_t)m.at[1] << 8 |
                      (uint32_t)m.at[2] << 16 | (uint32_t)m.at[3] << 24;
        if (head[1] > (size_t)(m.end - m.at)) break;
        TL_TRY(add_llama2c(ctx, f, texts, (tl_string){ (const char *)m.at, head[1] },
                           real(head[0])));
        m.at += head[1];
    }
    if (m.at != m.end || f->count < 3)
        TL_FAIL(TL_EDATA, path,
                "not a whole tokenizer of llama2.c (fetch the file again)");
    for (size_t i = 0; i < f->count; from += f->at[i++].text.bytes)
        f->at[i].text.text = texts->text + from;
done:
    return rc;
}

static tl_status load_llama2c(tl_ctx *ctx, const char *path, tl_tokenizer *t)
{
    uint8_t       *data  = NULL;
    tl_text        texts = tl_text_make(ctx);
    tl_pieces_file f     = { 0 };
    size_t         bytes;
    tl_status      rc;

    TL_TRY(tl_tokenizer_read(ctx, t, path, &data, &bytes));
    TL_TRY(read_llama2c(ctx, path, data, bytes, &f, &texts));
    TL_TRY(tl_pieces_load(ctx, path, &f, t));
done:
    tl_text_free(&texts);
    tl_free(ctx, f.at);
    tl_free(ctx, data);
    return rc;
}

const tl_tokenizer_file tl_tokenizer_file_sentencepiece = {
    .name   = "tokenizer.model",
    .doc    = "SentencePiece's model",
    .file   = { "tokenizer.model", "spiece.model", "sentencepiece.bpe.model" },
    .ending = { ".model" },
    .load   = load_model
};
const tl_tokenizer_file tl_tokenizer_file_llama2c = {
    .name   = "tokenizer.bin",
    .doc    = "llama2.c's form of a SentencePiece model",
    .file   = { "tokenizer.bin" },
    .ending = { ".bin" },
    .load   = load_llama2c
};
