/* io.c -- files in and out, with faults for tests.  zlib reads plain and gzip alike.
 * Floor 0. */
#include "core/io.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

struct tl_input {
    gzFile   file;
    uint64_t offset; /* of unpacked bytes */
    char    *path;
    char     where[512];
};

struct tl_output {
    int   fd;
    char *path, *part; /* part: the name until commit */
    bool  committed;
};

/* The path leads to no file that could be read; the disk is not to blame. */
static bool is_no_file(int error)
{
    return error == ENOENT || error == ENOTDIR || error == EISDIR || error == ELOOP ||
           error == ENAMETOOLONG || error == ENXIO;
}

static tl_status fail_errno(tl_ctx *ctx, const char *path, const char *what, int error)
{
    const tl_status rc     = error == ENOSPC || error == EDQUOT ? TL_ENOSPC
                             : is_no_file(error)                ? TL_EDATA
                                                                : TL_EIO;
    const char *remedy = rc == TL_ENOSPC ? "make room, then `tailor resume`"
                       : error == EACCES || error == EROFS ? "check the permissions"
                       : rc == TL_EDATA ? "check the path" : "check the disk";

    return tl_fail(ctx, rc, path, "%s: %s (%s)", what, strerror(error), remedy);
}

/* Pipes, devices and sockets are refused: they may never answer, or never end. */
static tl_status open_file(tl_ctx *ctx, const char *path, int *fd, struct stat *info)
{
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (*fd < 0 || fstat(*fd, info) != 0)
        return fail_errno(ctx, path, "cannot open", errno);
    if (S_ISDIR(info->st_mode))
        return tl_fail(ctx, TL_EDATA, path, "is a folder (give a file)");
    if (S_ISREG(info->st_mode)) return TL_OK;
    return tl_fail(ctx, TL_EDATA, path, "is a pipe or device (give a file)");
}

tl_status tl_input_open(tl_ctx *ctx, const char *path, tl_input **out)
{
    tl_input   *in = NULL;
    struct stat info;
    int         fd = -1;
    tl_status   rc;

    *out = NULL;
    TL_TRY(tl_alloc(ctx, sizeof *in, &in));
    TL_TRY(tl_strdup(ctx, path, &in->path));
    TL_TRY(open_file(ctx, path, &fd, &info));
    in->file = gzdopen(fd, "rb");
    if (!in->file) {
        rc = fail_errno(ctx, path, "cannot open", ENOMEM);
        goto done;
    }
    fd = -1; /* the reader's now */
    gzbuffer(in->file, 1 << 17);
    *out = in;
    in   = NULL;
done:
    if (fd >= 0) close(fd);
    tl_input_close(ctx, in);
    return rc;
}

void tl_input_close(tl_ctx *ctx, tl_input *in)
{
    if (!in) return;
    if (in->file) gzclose(in->file);
    tl_free(ctx, in->path);
    tl_free(ctx, in);
}

const char *tl_input_where(tl_input *in)
{
    snprintf(in->where, sizeof in->where, "%.480s@%" PRIu64, in->path, in->offset);
    return in->where;
}

tl_status tl_read_some(tl_ctx *ctx, tl_input *in, void *data, size_t bytes, size_t *got)
{
    *got = 0;
    if (tl_fault_now(&ctx->world->fault_read)) return fail_errno(ctx, in->path, "cannot read", EIO);
    while (*got < bytes) {
        const unsigned want = (unsigned)TL_MIN(bytes - *got, (size_t)1 << 30);
        const int      n    = gzread(in->file, (char *)data + *got, want);
        int            code = Z_OK;
        const char    *text = n <= 0 ? gzerror(in->file, &code) : "";
        if (n == 0 && code == Z_BUF_ERROR) /* what came before was given without a word */
            return tl_fail(ctx, TL_EDATA, tl_input_where(in),
                           "cut short: the gzip data do not end (fetch the file again)");
        if (n < 0) {
            if (code == Z_ERRNO) return fail_errno(ctx, in->path, "cannot read", errno);
            return tl_fail(ctx, TL_EDATA, tl_input_where(in),
                           "broken gzip data: %s (fetch the file again)", text);
        }
        if (n == 0) break;
        *got       += (size_t)n;
        in->offset += (size_t)n;
    }
    return TL_OK;
}

tl_status tl_read_full(tl_ctx *ctx, tl_input *in, void *data, size_t bytes)
{
    size_t          got;
    const tl_status rc = tl_read_some(ctx, in, data, bytes, &got);

    if (rc != TL_OK || got == bytes) return rc;
    return tl_fail(ctx, TL_EDATA, tl_input_where(in),
                   "cut short: %zu more bytes expected (fetch the file again)", bytes - got);
}

tl_status tl_file_read(tl_ctx *ctx, const char *path, size_t limit, uint8_t **data, size_t *bytes)
{
    int         fd = -1;
    size_t      at = 0;
    uint8_t    *block = NULL;
    struct stat info;
    tl_status   rc;

    *data  = NULL;
    *bytes = 0;
    TL_TRY(open_file(ctx, path, &fd, &info));
    if ((size_t)info.st_size > limit)
        TL_FAIL(TL_ELIMIT, path, "%lld bytes, over the limit of %zu (raise --memory)",
                (long long)info.st_size, limit);
    TL_TRY(tl_alloc(ctx, (size_t)info.st_size + 1, &block));
    if (tl_fault_now(&ctx->world->fault_read)) {
        rc = fail_errno(ctx, path, "cannot read", EIO);
        goto done;
    }
    while (at < (size_t)info.st_size) {
        const ssize_t n = read(fd, block + at, (size_t)info.st_size - at);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) {
            rc = fail_errno(ctx, path, "cannot read", errno);
            goto done;
        }
        if (n == 0) break;
        at += (size_t)n;
    }
    block[at] = 0;
    *data     = block;
    *bytes    = at;
    block     = NULL;
done:
    if (fd >= 0) close(fd);
    tl_free(ctx, block);
    return rc;
}

tl_status tl_map_open(tl_ctx *ctx, const char *path, tl_map *out)
{
    struct stat info;
    void       *data;
    int         fd = -1;
    tl_status   rc;

    *out = (tl_map){ 0 };
    TL_TRY(open_file(ctx, path, &fd, &info));
    if (info.st_size == 0) TL_FAIL(TL_EDATA, path, "is empty (fetch the file again)");
    if (tl_fault_now(&ctx->world->fault_read)) {
        rc = fail_errno(ctx, path, "cannot read", EIO);
        goto done;
    }
    data = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (data == MAP_FAILED) {
        rc = fail_errno(ctx, path, "cannot map", errno);
        goto done;
    }
    *out = (tl_map){ data, (size_t)info.st_size };
done:
    if (fd >= 0) close(fd);
    return rc;
}

void tl_map_close(tl_ctx *ctx, tl_map *map)
{
    (void)ctx;
    if (map->data) munmap((void *)(uintptr_t)map->data, map->bytes);
    *map = (tl_map){ 0 };
}

tl_status tl_output_open(tl_ctx *ctx, const char *path, tl_output **out)
{
    tl_output *o = NULL;
    tl_status  rc;

    *out = NULL;
    TL_TRY(tl_alloc(ctx, sizeof *o, &o));
    o->fd = -1;
    TL_TRY(tl_strdup(ctx, path, &o->path));
    TL_TRY(tl_alloc(ctx, strlen(path) + 16, &o->part));
    snprintf(o->part, strlen(path) + 16, "%s.part", path);
    if (tl_fault_now(&ctx->world->fault_write)) {
        rc = fail_errno(ctx, path, "cannot write", ENOSPC);
        goto done;
    }
    o->fd = open(o->part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (o->fd < 0) {
        rc = fail_errno(ctx, path, "cannot write", errno);
        goto done;
    }
    *out = o;
    o    = NULL;
done:
    tl_output_close(ctx, o);
    return rc;
}

tl_status tl_write(tl_ctx *ctx, tl_output *out, const void *data, size_t bytes)
{
    const char *at = data;

    if (tl_fault_now(&ctx->world->fault_write))
        return fail_errno(ctx, out->path, "cannot write", ENOSPC);
    while (bytes) {
        const ssize_t n = write(out->fd, at, TL_MIN(bytes, (size_t)1 << 30));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return fail_errno(ctx, out->path, "cannot write", errno);
        at    += n;
        bytes -= (size_t)n;
    }
    return TL_OK;
}

/* The rename is only lasting once the folder itself is on disk. */
static void sync_folder_of(const char *path)
{
    char *copy  = strdup(path);
    char *slash = copy ? strrchr(copy, '/') : NULL;
    int   fd;

    if (slash) *slash = 0;
    fd = open(slash ? (*copy ? copy : "/") : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
    free(copy);
}

tl_status tl_output_commit(tl_ctx *ctx, tl_output *out)
{
    if (tl_fault_now(&ctx->world->fault_write))
        return fail_errno(ctx, out->path, "cannot flush", ENOSPC);
    if (fsync(out->fd) != 0 && errno != EINVAL)
        return fail_errno(ctx, out->path, "cannot flush", errno);
    if (tl_fault_now(&ctx->world->fault_write))
        return fail_errno(ctx, out->path, "cannot rename", EIO);
    if (rename(out->part, out->path) != 0)
        return fail_errno(ctx, out->path, "cannot rename", errno);
    out->committed = true;
    sync_folder_of(out->path);
    return TL_OK;
}

void tl_output_close(tl_ctx *ctx, tl_output *out)
{
    if (!out) return;
    if (out->fd >= 0) {
        close(out->fd);
        if (!out->committed) unlink(out->part);
    }
    tl_free(ctx, out->path);
    tl_free(ctx, out->part);
    tl_free(ctx, out);
}

tl_status tl_file_write(tl_ctx *ctx, const char *path, const void *data, size_t bytes)
{
    tl_output *out = NULL;
    tl_status  rc;

    TL_TRY(tl_output_open(ctx, path, &out));
    TL_TRY(tl_write(ctx, out, data, bytes));
    TL_TRY(tl_output_commit(ctx, out));
done:
    tl_output_close(ctx, out);
    return rc;
}

tl_status tl_file_keep(tl_ctx *ctx, const char *path, const void *data, size_t bytes, tl_map *out,
                       bool *held)
{
    const tl_status rc = tl_file_write(ctx, path, data, bytes);
    void           *copy;

    *out  = (tl_map){ 0 };
    *held = rc == TL_ENOSPC;
    if (rc == TL_OK) return tl_map_open(ctx, path, out);
    if (!*held) return rc;
    copy = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (copy == MAP_FAILED) return rc; /* no room anywhere: the disk's is the one to be made */
    memcpy(copy, data, bytes);
    *out = (tl_map){ copy, bytes };
    return TL_OK;
}

tl_status tl_file_append(tl_ctx *ctx, const char *path, const void *data, size_t bytes)
{
    const char *at = data;
    tl_status   rc = TL_OK;
    const int   fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);

    if (fd < 0) return fail_errno(ctx, path, "cannot write", errno);
    if (tl_fault_now(&ctx->world->fault_write)) rc = fail_errno(ctx, path, "cannot write", ENOSPC);
    while (bytes && rc == TL_OK) {
        const ssize_t n = write(fd, at, bytes);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) {
            rc = fail_errno(ctx, path, "cannot write", errno);
            break;
        }
        at    += n;
        bytes -= (size_t)n;
    }
    close(fd);
    return rc;
}

tl_status tl_file_cut(tl_ctx *ctx, const char *path, size_t bytes)
{
    if (tl_fault_now(&ctx->world->fault_write)) return fail_errno(ctx, path, "cannot cut", EIO);
    if (truncate(path, (off_t)bytes) != 0) return fail_errno(ctx, path, "cannot cut", errno);
    return TL_OK;
}

bool tl_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

bool tl_is_folder(const char *path)
{
    struct stat info;

    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

int64_t tl_file_bytes(const char *path)
{
    struct stat info;

    return stat(path, &info) == 0 && S_ISREG(info.st_mode) ? (int64_t)info.st_size : -1;
}

tl_status tl_make_folders(tl_ctx *ctx, const char *path)
{
    char     *copy = NULL;
    tl_status rc   = tl_strdup(ctx, path, &copy);

    for (char *at = copy; rc == TL_OK && *at; at++) {
        if (at == copy || (at[0] != '/' && at[1] != 0)) continue;
        const char kept = at[0] == '/' ? '/' : at[0];
        if (at[0] == '/') *at = 0;
        if (mkdir(copy, 0777) != 0 && errno != EEXIST)
            rc = fail_errno(ctx, path, "cannot make the folder", errno);
        *at = kept;
    }
    if (rc == TL_OK && !tl_is_folder(path) && mkdir(path, 0777) != 0 && errno != EEXIST)
        rc = fail_errno(ctx, path, "cannot make the folder", errno);
    if (rc == TL_OK && !tl_is_folder(path))
        rc = tl_fail(ctx, TL_EIO, path, "is a file, a folder is needed (choose another --out)");
    tl_free(ctx, copy);
    return rc;
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *at)
{
    (void)info, (void)kind, (void)at;
    return remove(path);
}

tl_status tl_remove_tree(tl_ctx *ctx, const char *path)
{
    if (!tl_exists(path)) return TL_OK;
    if (nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS) != 0)
        return fail_errno(ctx, path, "cannot remove", errno);
    return TL_OK;
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

tl_status tl_folder_list(tl_ctx *ctx, const char *path, tl_names *out)
{
    DIR           *folder = opendir(path);
    struct dirent *entry;
    tl_names       names = { 0 };
    size_t         room  = 0;
    tl_status      rc    = TL_OK;

    *out = (tl_names){ 0 };
    if (!folder) return fail_errno(ctx, path, "cannot open the folder", errno);
    while ((entry = readdir(folder))) {
        if (entry->d_name[0] == '.') continue;
        if (names.count == room) {
            room = room ? 2 * room : 64;
            TL_TRY(tl_realloc(ctx, room * sizeof *names.name, &names.name));
        }
        TL_TRY(tl_strdup(ctx, entry->d_name, &names.name[names.count]));
        names.count++;
    }
    if (names.count) qsort(names.name, names.count, sizeof *names.name, by_bytes);
    *out  = names;
    names = (tl_names){ 0 };
done:
    closedir(folder);
    tl_names_free(ctx, &names);
    return rc;
}

void tl_names_free(tl_ctx *ctx, tl_names *names)
{
    for (size_t i = 0; i < names->count; i++) tl_free(ctx, names->name[i]);
    tl_free(ctx, names->name);
    *names = (tl_names){ 0 };
}

tl_status tl_path_join(tl_ctx *ctx, const char *folder, const char *name, char **out)
{
    const size_t bytes = strlen(folder) + strlen(name) + 2;
    tl_status    rc    = tl_alloc(ctx, bytes, out);

    if (rc == TL_OK)
        snprintf(*out, bytes, "%s%s%s", folder, tl_ends_with(folder, "/") ? "" : "/", name);
    return rc;
}

const char *tl_path_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

bool tl_ends_with(const char *text, const char *end)
{
    const size_t n = strlen(text), m = strlen(end);

    return n >= m && strcmp(text + n - m, end) == 0;
}
