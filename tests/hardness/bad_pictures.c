/* bad_pictures.c -- pictures that are cut, hostile or none: what `predict` says of each. */
#include "support/bad.h"
#include "support/pictures.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <zlib.h>

static const char predict[] = "predict ../good/m/best $";

static void make_good(void)
{
    test_class_folders("data", 2, 12, 8);
    test_bad_tailor("train data --arch mlp --epochs 1 --quiet --out m");
}

/* ---- PNG by hand ---- */
static size_t chunk(uint8_t *to, const char *kind, const void *data, size_t bytes)
{
    const uint32_t n = (uint32_t)bytes;
    uint32_t       crc;

    for (int i = 0; i < 4; i++) to[i] = (uint8_t)(n >> (24 - 8 * i));
    memcpy(to + 4, kind, 4);
    memcpy(to + 8, data, bytes);
    crc = (uint32_t)crc32(crc32(0, NULL, 0), to + 4, (uInt)(bytes + 4));
    for (int i = 0; i < 4; i++)
        to[8 + bytes + (size_t)i] = (uint8_t)(crc >> (24 - 8 * i));
    return bytes + 12;
}

typedef struct {
    uint32_t width, height;
    uint8_t  bits, colour, method, filter, lace;
} head;

static size_t begin(uint8_t *to, head h)
{
    uint8_t b[13];

    memcpy(to, "\x89PNG\r\n\x1a\n", 8);
    for (int i = 0; i < 4; i++) {
        b[i]     = (uint8_t)(h.width >> (24 - 8 * i));
        b[4 + i] = (uint8_t)(h.height >> (24 - 8 * i));
    }
    b[8] = h.bits, b[9] = h.colour, b[10] = h.method, b[11] = h.filter, b[12] = h.lace;
    return 8 + chunk(to + 8, "IHDR", b, sizeof b);
}

/* `zeros` bytes of zeros, packed. */
static size_t pack_zeros(uint8_t *to, size_t room, size_t zeros)
{
    uint8_t *plain = calloc(zeros, 1);
    uLongf   bytes = room;

    assert_non_null(plain);
    assert_int_equal(compress2(to, &bytes, plain, zeros, 1), Z_OK);
    free(plain);
    return bytes;
}

static void write_png(const test_bad *b, head h, size_t zeros)
{
    static uint8_t file[1 << 20], data[1 << 19];
    size_t         at = begin(file, h);

    at += chunk(file + at, "IDAT", data, pack_zeros(data, sizeof data, zeros));
    at += chunk(file + at, "IEND", "", 0);
    test_bad_write(b->file, file, at);
}

static const head small = { 8, 8, 8, 2, 0, 0, 0 };

/* Heads that libpng must not be led astray by; n picks one. */
static void odd_head(const test_bad *b)
{
    static const head odd[] = {
        { 0, 8, 8, 2, 0, 0, 0 },           { 8, 0, 8, 2, 0, 0, 0 },
        { 0x80000000u, 8, 8, 2, 0, 0, 0 }, { 0x7fffffffu, 0x7fffffffu, 8, 2, 0, 0, 0 },
        { 8, 8, 3, 2, 0, 0, 0 },           { 8, 8, 8, 7, 0, 0, 0 },
        { 8, 8, 8, 2, 9, 0, 0 },           { 8, 8, 8, 2, 0, 9, 0 },
        { 8, 8, 8, 2, 0, 0, 9 },           { 8, 8, 1, 2, 0, 0, 0 },
        { 60000, 60000, 1, 0, 0, 0, 0 },   { 8, 8, 8, 3, 0, 0, 0 },
        { 100000000, 1, 8, 0, 0, 0, 0 },
    };

    write_png(b, odd[b->n], 200);
}

static void png_bomb(const test_bad *b)
{
    write_png(b, (head){ 16000, 16000, 8, 0, 0, 0, 0 }, (size_t)64 << 20);
}

static void too_little_data(const test_bad *b)
{
    write_png(b, small, 100);
}

/* A text chunk that unpacks to 64 MiB, and no picture behind it. */
static void text_bomb(const test_bad *b)
{
    static uint8_t file[1 << 20], data[1 << 19];
    size_t         at = begin(file, small);

    memcpy(data, "k\0\0", 3);
    at += chunk(file + at, "zTXt", data,
                3 + pack_zeros(data + 3, sizeof data - 3, (size_t)64 << 20));
    at += chunk(file + at, "IEND", "", 0);
    test_bad_write(b->file, file, at);
}

static void no_data(const test_bad *b)
{
    uint8_t file[200];
    size_t  at = begin(file, small);

    at += chunk(file + at, "IEND", "", 0);
    test_bad_write(b->file, file, at);
}

static void chunk_longer_than_file(const test_bad *b)
{
    uint8_t file[200];
    size_t  at = begin(file, small);

    memcpy(file + at, "\x7f\xff\xff\xffIDATxx", 10);
    test_bad_write(b->file, file, at + 10);
}

static void two_heads(const test_bad *b)
{
    uint8_t file[300], second[100];
    size_t  at = begin(file, small), bytes = begin(second, (head){ 9, 9, 8, 2, 0, 0, 0 });

    memcpy(file + at, second + 8, bytes - 8);
    at += bytes - 8;
    at += chunk(file + at, "IEND", "", 0);
    test_bad_write(b->file, file, at);
}

/* The seed with the byte at share n of its length turned over (its check sum is then wrong). */
static void turn_byte(const test_bad *b)
{
    size_t bytes;
    char  *data = test_bad_seed(b->seed, &bytes);

    data[bytes * (size_t)b->n / 1000] = (char)~data[bytes * (size_t)b->n / 1000];
    test_bad_write(b->file, data, bytes);
    free(data);
}

/* ---- names that lead elsewhere ---- */
static void pipe_by_name(const test_bad *b)
{
    assert_int_equal(mkfifo(b->file, 0600), 0);
}

static void link_to(const test_bad *b)
{
    assert_int_equal(symlink(b->seed, b->file), 0);
}

static void folder_by_name(const test_bad *b)
{
    assert_int_equal(mkdir(b->file, 0700), 0);
}

static void socket_by_name(const test_bad *b)
{
    struct sockaddr_un at = { .sun_family = AF_UNIX };
    const int          fd = socket(AF_UNIX, SOCK_STREAM, 0);

    snprintf(at.sun_path, sizeof at.sun_path, "%s", b->file);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    close(fd);
}

static void add_cuts(test_bad_list *list)
{
    static const int         cuts[]  = { 0, 10, 50, 120, 250, 400, 500, 650, 800 };
    static const char *const seeds[] = { "cmyk.jpg", "grey.jpg",   "progressive.jpg",
                                         "rgb.jpg",  "la.png",     "palette.png",
                                         "rgba.png", "lossy.webp", "lossless.webp" };

    for (size_t i = 0; i < TL_COUNT(seeds); i++) {
        char name[80], seed[80], file[80];
        snprintf(name, sizeof name, "%s", seeds[i]);
        *strchr(name, '.') = '_';
        snprintf(seed, sizeof seed, "fuzz/corpus/image/%s", seeds[i]);
        snprintf(file, sizeof file, "cut-%s", seeds[i]);
        test_bad_cuts(list,
                      (test_bad){ .name    = name,
                                  .status  = 3,
                                  .command = predict,
                                  .says    = "cut|empty|ends early|damaged|not a JPEG",
                                  .file    = file,
                                  .seed    = seed },
                      cuts, TL_COUNT(cuts));
    }
}

static void add_heads(test_bad_list *list)
{
    char name[80];

    for (int i = 0; i < 13; i++) {
        snprintf(name, sizeof name, "png_odd_head_%d", i);
        test_bad_add(list, (test_bad){ .name    = name,
                                       .status  = 3,
                                       .command = predict,
                                       .file    = "odd.png",
                                       .make    = odd_head,
                                       .n       = i });
    }
    static const int turned[] = {
        20, 100, 160, 200, 580, 620, 700, 900
    }; /* not of EXIF */
    for (size_t i = 0; i < TL_COUNT(turned); i++) {
        const int at = turned[i];
        snprintf(name, sizeof name, "png_byte_turned_at_%d", at);
        test_bad_add(list, (test_bad){ .name    = name,
                                       .status  = 3,
                                       .command = predict,
                                       .file    = "turned.png",
                                       .make    = turn_byte,
                                       .n       = at,
                                       .seed    = "fuzz/corpus/image/rgba.png" });
    }
}

#define PREDICT(id, to, said, ...)                                                       \
    {                                                                                    \
        .name = id, .status = 3, .says = said, .command = predict, .file = to,           \
        __VA_ARGS__                                                                      \
    }

static const test_bad rows[] = {
    PREDICT("png_bomb_of_pixels", "bomb.png", "too many pixels", .make = png_bomb),
    PREDICT("png_bomb_of_text", "bomb.png", NULL, .make = text_bomb),
    PREDICT("png_without_data", "none.png", NULL, .make = no_data),
    PREDICT("png_with_too_little_data", "little.png", NULL, .make = too_little_data),
    PREDICT("png_chunk_longer_than_the_file", "long.png", NULL,
            .make = chunk_longer_than_file),
    PREDICT("png_with_two_heads", "two.png", NULL, .make = two_heads),
    PREDICT("jpeg_of_65535_squared", "bomb.jpg", "pixels",
            .text  = "\xff\xd8\xff\xc0\0\x11\x08\xff\xff\xff\xff\3\1\x11\0\2\x11"
                     "\0\3\x11\0\xff\xda\0\x0c\3\1\0\2\0\3\0\0\x3f\0",
            .bytes = 35),
    PREDICT("jpeg_of_two_markers", "tiny.jpg", NULL, BAD_TEXT("\xff\xd8\xff\xd9")),
    PREDICT("jpeg_of_0_lines", "zero.jpg", NULL,
            BAD_TEXT("\xff\xd8\xff\xc0\0\x0b\x08\0\0\0\0\1\1\x11\0\xff\xd9")),
    PREDICT("jpeg_of_noise", "noise.jpg", NULL,
            BAD_TEXT("\xff\xd8\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0%$#@!%^&*()")),
    PREDICT(
        "webp_of_16383_squared", "bomb.webp", NULL,
        BAD_TEXT(
            "RIFF\x1a\0\0\0WEBPVP8L\x0d\0\0\0\x2f\xff\xff\xff\x0f\0\0\0\0\0\0\0\0\0")),
    PREDICT("webp_whose_riff_lies", "lies.webp", NULL,
            BAD_TEXT("RIFF\xff\xff\xff\xffWEBPVP8 \xff\xff\xff\xff\0\0\0")),
    PREDICT("text_called_png", "text.png", "not a JPEG, PNG or WebP",
            BAD_TEXT("hello\n")),
    PREDICT("gif_called_png", "gif.png", "not a JPEG, PNG or WebP",
            BAD_TEXT("GIF89a\1\0\1\0\x80\0\0\0\0\0\xff\xff\xff!\xf9\4\1\0\0\0\0,"
                     "\0\0\0\0\1\0\1\0\0\2")),
    PREDICT("svg_called_jpg", "svg.jpg", "not a JPEG, PNG or WebP",
            BAD_TEXT("<svg xmlns='http://www.w3.org/2000/svg'><image "
                     "href='file:///etc/passwd'/></svg>")),
    PREDICT("zip_called_jpg", "zip.jpg", "not a JPEG, PNG or WebP",
            BAD_TEXT("PK\3\4\x14\0")),
    PREDICT("bmp_called_jpg", "bmp.jpg", "not a JPEG, PNG or WebP",
            BAD_TEXT("BM\x3a\0\0\0")),
    PREDICT("tiff_called_jpg", "tiff.jpg", "not a JPEG, PNG or WebP",
            BAD_TEXT("II*\0\x08")),
    PREDICT("program_called_jpg", "elf.jpg", "not a JPEG, PNG or WebP",
            BAD_TEXT("\x7f"
                     "ELF\2\1\1")),
    PREDICT("one_zero_byte", "zero.png", "not a JPEG, PNG or WebP", BAD_TEXT("\0")),
    PREDICT("empty_file", "empty.png", "empty file", BAD_TEXT("")),
    PREDICT("no_such_file", "not-there.png", "No such file"),
    PREDICT("name_with_a_newline", "a\ntailor: b: c (d).png", "not a JPEG",
            BAD_TEXT("x")),
    PREDICT("name_that_paints", "\x1b[31mred\x1b]0;title\a.png", "not a JPEG",
            BAD_TEXT("x")),
    PREDICT("name_that_is_no_utf8", "\xff\xfe\xc3.png", "not a JPEG", BAD_TEXT("x")),
    PREDICT("name_with_percent_signs", "%s%n%d.png", "not a JPEG", BAD_TEXT("x")),
    PREDICT(
        "name_of_250_bytes",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa."
        "png",
        "not a JPEG", BAD_TEXT("x")),
    PREDICT("pipe_called_png", "pipe.png", NULL, .make = pipe_by_name),
    PREDICT("socket_called_png", "socket.png", NULL, .make = socket_by_name),
    PREDICT("link_to_endless_zeros", "zeros.png", NULL, .make = link_to,
            .seed = "/dev/zero"),
    PREDICT("link_to_itself", "self.png", NULL, .make = link_to, .seed = "self.png"),
    PREDICT("link_to_nothing", "dangling.png", NULL, .make = link_to, .seed = "nowhere"),
    PREDICT("link_to_a_memory", "mem.png", NULL, .make = link_to,
            .seed = "/proc/self/mem"),
    PREDICT("folder_called_png", "folder.png", "no picture in it",
            .make = folder_by_name),
};

int main(void)
{
    test_bad_list list = { 0 };

    add_cuts(&list);
    add_heads(&list);
    for (size_t i = 0; i < TL_COUNT(rows); i++) test_bad_add(&list, rows[i]);
    return test_bad_run("bad_pictures", &list, make_good);
}
