/* store.c -- see store.h.  Floor 3, train.
 *
 * runs.db (WAL, synchronous NORMAL: a power cut may lose the last rows, never the file):
 *   settings(key, value)                              JSON texts of the study
 *   runs(id, key, seed, slice, settings, status, result, started, ended)
 *       one row for each (candidate key, seed, slice); status is "running" until its end;
 *       settings and result are JSON; times are seconds since 1970
 *   points(run, step, epoch, train_loss, train_metric, valid_loss, valid_metric, lr, seconds)
 *   blobs(run, name, data)                            predictions kept for the verdict
 * events/ID-KEY/events.out.tfevents.STARTED.tailor    the points again, for TensorBoard */
#include "train/store.h"
#include "core/io.h"
#include "core/machine.h"
#include "train/events.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct tl_store {
    sqlite3 *db;
    char    *path, *events;
};

static const char schema[] =
    "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON;"
    "PRAGMA cache_size=-512;" /* KiB: little is read twice */
    "CREATE TABLE IF NOT EXISTS settings(key TEXT PRIMARY KEY, value TEXT NOT NULL);"
    "CREATE TABLE IF NOT EXISTS runs(id INTEGER PRIMARY KEY, key TEXT NOT NULL,"
    " seed INTEGER NOT NULL, slice TEXT NOT NULL, settings TEXT, status TEXT NOT NULL,"
    " result TEXT, started INTEGER NOT NULL, ended INTEGER, UNIQUE(key, seed, slice));"
    "CREATE TABLE IF NOT EXISTS points(run INTEGER NOT NULL REFERENCES runs(id),"
    " step INTEGER NOT NULL, epoch INTEGER NOT NULL, train_loss REAL, train_metric REAL,"
    " valid_loss REAL, valid_metric REAL, lr REAL, seconds REAL, PRIMARY KEY(run, step));"
    "CREATE TABLE IF NOT EXISTS blobs(run INTEGER NOT NULL REFERENCES runs(id),"
    " name TEXT NOT NULL, data BLOB NOT NULL, PRIMARY KEY(run, name));";

/* Of what a full disk looks like to SQLite: a write, or the room for its shared memory. */
static bool is_full(sqlite3 *db, int code)
{
    const int error = sqlite3_system_errno(db);

    return code == SQLITE_FULL ||
           ((code == SQLITE_IOERR || code == SQLITE_CANTOPEN) &&
            (error == ENOSPC || error == EDQUOT));
}

static tl_status fail_sql(tl_ctx *ctx, const tl_store *s)
{
    const int code = s->db ? sqlite3_errcode(s->db) & 0xff : SQLITE_NOMEM;
    const char *text = s->db ? sqlite3_errmsg(s->db) : "no memory";

    if (s->db && is_full(s->db, code))
        return tl_fail(ctx, TL_ENOSPC, s->path, "cannot write: disk full (make room, then "
                       "`tailor resume`)");

    switch (code) {
    case SQLITE_NOMEM: return tl_fail(ctx, TL_ENOMEM, s->path, "%s", text);
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
        return tl_fail(ctx, TL_EIO, s->path, "%s (choose another --out)", text);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return tl_fail(ctx, TL_EDATA, s->path, "%s (move it away)", text);
    case SQLITE_BUSY:
        return tl_fail(ctx, TL_EFAIL, s->path, "in use by another process (wait for it)");
    default: return tl_fail(ctx, TL_EFAIL, s->path, "%s", text);
    }
}

static void bind_one(sqlite3_stmt *q, int at, char kind, va_list *args)
{
    const char *text;
    const void *data;
    double      real;

    switch (kind) {
    case 'i': sqlite3_bind_int64(q, at, va_arg(*args, int64_t)); break;
    case 'r':
        real = va_arg(*args, double);
        if (isfinite(real)) sqlite3_bind_double(q, at, real);
        break;
    case 'b':
        data = va_arg(*args, const void *);
        sqlite3_bind_blob64(q, at, data, va_arg(*args, size_t), SQLITE_STATIC);
        break;
    default:
        text = va_arg(*args, const char *);
        if (text) sqlite3_bind_text(q, at, text, -1, SQLITE_STATIC);
    }
}

/* Prepares `sql` and binds: i int64_t, r double (NaN is null), t text, b data and bytes; all
 * borrowed until the statement ends.  Until then the connection is this thread's: what went wrong
 * is asked of the connection. */
static tl_status ask(tl_ctx *ctx, tl_store *s, sqlite3_stmt **q, const char *sql,
                     const char *kinds, ...)
{
    va_list args;

    *q = NULL;
    sqlite3_mutex_enter(sqlite3_db_mutex(s->db));
    if (sqlite3_prepare_v2(s->db, sql, -1, q, NULL) != SQLITE_OK) {
        const tl_status rc = fail_sql(ctx, s);
        sqlite3_mutex_leave(sqlite3_db_mutex(s->db));
        return rc;
    }
    va_start(args, kinds);
    for (int i = 0; kinds[i]; i++) bind_one(*q, i + 1, kinds[i], &args);
    va_end(args);
    return TL_OK;
}

/* NULL: it was not prepared. */
static void end(tl_store *s, sqlite3_stmt *q)
{
    if (!q) return;
    sqlite3_finalize(q);
    sqlite3_mutex_leave(sqlite3_db_mutex(s->db));
}

static tl_status next_row(tl_ctx *ctx, tl_store *s, sqlite3_stmt *q, bool *row)
{
    const int code = sqlite3_step(q);

    *row = code == SQLITE_ROW;
    return code == SQLITE_ROW || code == SQLITE_DONE ? TL_OK : fail_sql(ctx, s);
}

/* Runs a bound statement that changes something; counts as one write for the fault tests. */
static tl_status finish(tl_ctx *ctx, tl_store *s, sqlite3_stmt *q, tl_status rc)
{
    bool row;

    if (rc == TL_OK && tl_fault_now(&ctx->world->fault_write))
        rc =
            tl_fail(ctx, TL_ENOSPC, s->path, "cannot write: disk full (free some space)");
    if (rc == TL_OK) rc = next_row(ctx, s, q, &row);
    end(s, q);
    return rc;
}

tl_status tl_store_open(tl_ctx *ctx, const char *folder, tl_store **out)
{
    tl_store *s = NULL;
    tl_status rc;

    *out = NULL;
    TL_TRY(tl_alloc(ctx, sizeof *s, &s));
    TL_TRY(tl_make_folders(ctx, folder));
    TL_TRY(tl_path_join(ctx, folder, "runs.db", &s->path));
    TL_TRY(tl_path_join(ctx, folder, "events", &s->events));
    if (tl_fault_now(&ctx->world->fault_write))
        TL_FAIL(TL_ENOSPC, s->path, "cannot write: disk full (free some space)");
    if (sqlite3_open_v2(s->path, &s->db, /* runs side by side note their points here */
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX,
                        NULL) != SQLITE_OK ||
        sqlite3_busy_timeout(s->db, 5000) != SQLITE_OK ||
        sqlite3_exec(s->db, schema, NULL, NULL, NULL) != SQLITE_OK) {
        rc = fail_sql(ctx, s);
        goto done;
    }
    *out = s;
    s    = NULL;
done:
    tl_store_close(ctx, s);
    return rc;
}

void tl_store_close(tl_ctx *ctx, tl_store *s)
{
    if (!s) return;
    sqlite3_close(s->db);
    tl_free(ctx, s->path);
    tl_free(ctx, s->events);
    tl_free(ctx, s);
}

tl_status tl_store_set(tl_ctx *ctx, tl_store *s, const char *key, const json_t *value)
{
    char         *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    sqlite3_stmt *q;
    tl_status     rc;

    if (!text) return tl_fail(ctx, TL_ENOMEM, s->path, "no room for setting %s", key);
    rc = ask(ctx, s, &q, "INSERT OR REPLACE INTO settings VALUES(?, ?)", "tt", key, text);
    rc = finish(ctx, s, q, rc);
    free(text);
    return rc;
}

/* Column `at` as JSON; *out NULL where it is null. */
static tl_status column_json(tl_ctx *ctx, const tl_store *s, sqlite3_stmt *q, int at,
                             json_t **out)
{
    const char *text = (const char *)sqlite3_column_text(q, at);

    *out = NULL;
    if (!text) return TL_OK;
    *out = json_loads(text, JSON_DECODE_ANY, NULL);
    return *out ? TL_OK
                : tl_fail(ctx, TL_EDATA, s->path, "holds broken JSON (move it away)");
}

tl_status tl_store_get(tl_ctx *ctx, tl_store *s, const char *key, json_t **out)
{
    sqlite3_stmt *q = NULL;
    bool          row;
    tl_status     rc;

    *out = NULL;
    TL_TRY(ask(ctx, s, &q, "SELECT value FROM settings WHERE key = ?", "t", key));
    TL_TRY(next_row(ctx, s, q, &row));
    if (row) rc = column_json(ctx, s, q, 0, out);
done:
    end(s, q);
    return rc;
}

static tl_status insert_run(tl_ctx *ctx, tl_store *s, const char *key, uint64_t seed,
                            const char *slice, const json_t *settings)
{
    char         *text = settings ? json_dumps(settings, JSON_COMPACT) : NULL;
    sqlite3_stmt *q;
    tl_status     rc;

    rc = ask(ctx, s, &q,
             "INSERT OR IGNORE INTO runs(key, seed, slice, settings, status, started)"
             " VALUES(?, ?, ?, ?, 'running', ?)",
             "titti", key, (int64_t)seed, slice, text, tl_time_unix());
    rc = finish(ctx, s, q, rc);
    free(text);
    return rc;
}

tl_status tl_store_run(tl_ctx *ctx, tl_store *s, const char *key, uint64_t seed,
                       const char *slice, const json_t *settings, int64_t *id, bool *done,
                       json_t **result)
{
    sqlite3_stmt *q = NULL;
    bool          row;
    tl_status     rc;

    *id     = 0;
    *done   = false;
    *result = NULL;
    TL_TRY(insert_run(ctx, s, key, seed, slice, settings));
    TL_TRY(ask(ctx, s, &q,
               "SELECT id, status <> 'running', result FROM runs WHERE key = ? AND"
               " seed = ? AND slice = ?",
               "tit", key, (int64_t)seed, slice));
    TL_TRY(next_row(ctx, s, q, &row));
    if (!row) TL_FAIL(TL_EFAIL, s->path, "lost the run it has just made");
    *id   = sqlite3_column_int64(q, 0);
    *done = sqlite3_column_int(q, 1) != 0;
    rc    = column_json(ctx, s, q, 2, result);
done:
    end(s, q);
    return rc;
}

/* The run's event file; its folder is made. */
static tl_status events_file(tl_ctx *ctx, tl_store *s, int64_t run, char **path)
{
    char          name[64], file[64];
    char         *folder = NULL;
    sqlite3_stmt *q      = NULL;
    bool          row;
    tl_status     rc;

    *path = NULL;
    TL_TRY(ask(ctx, s, &q, "SELECT printf('%03d-%.40s-seed%d', id, key, seed), started"
               " FROM runs WHERE id = ?", "i", run));
    TL_TRY(next_row(ctx, s, q, &row));
    if (!row)
        TL_FAIL(TL_EFAIL, s->path, "has no run %lld (`tailor runs` lists them)",
                (long long)run);
    snprintf(name, sizeof name, "%s", (const char *)sqlite3_column_text(q, 0));
    for (char *c = name; *c; c++)
        if (!isalnum((unsigned char)*c) && *c != '-' && *c != '.') *c = '_';
    snprintf(file, sizeof file, "events.out.tfevents.%010lld.tailor",
             (long long)sqlite3_column_int64(q, 1));
    TL_TRY(tl_path_join(ctx, s->events, name, &folder));
    TL_TRY(tl_make_folders(ctx, folder));
    TL_TRY(tl_path_join(ctx, folder, file, path));
done:
    end(s, q);
    tl_free(ctx, folder);
    return rc;
}

tl_status tl_store_point(tl_ctx *ctx, tl_store *s, int64_t run, const tl_curve_point *p)
{
    const tl_scalar scalar[] = {
        { "train/loss", p->train_loss },
        { "train/metric", p->train_metric },
        { "valid/loss", p->valid_loss },
        { "valid/metric", p->valid_metric },
        { "lr", p->lr },
    };
    char         *path = NULL;
    sqlite3_stmt *q;
    tl_status     rc;

    rc =
        ask(ctx, s, &q, "INSERT OR REPLACE INTO points VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)",
            "iiirrrrrr", run, p->step, p->epoch, p->train_loss, p->train_metric,
            p->valid_loss, p->valid_metric, p->lr, p->seconds);
    TL_TRY(finish(ctx, s, q, rc));
    TL_TRY(events_file(ctx, s, run, &path));
    rc = tl_events_append(ctx, path, p->step, (double)tl_time_unix(), scalar,
                          TL_COUNT(scalar));
done:
    tl_free(ctx, path);
    return rc;
}

tl_status tl_store_cut(tl_ctx *ctx, tl_store *s, int64_t run, int64_t after_step)
{
    char         *path = NULL;
    sqlite3_stmt *q;
    tl_status     rc;

    rc = ask(ctx, s, &q, "DELETE FROM points WHERE run = ? AND step > ?", "ii", run,
             after_step);
    TL_TRY(finish(ctx, s, q, rc));
    TL_TRY(events_file(ctx, s, run, &path));
    rc = tl_events_cut(ctx, path, after_step);
done:
    tl_free(ctx, path);
    return rc;
}

static double column_real(sqlite3_stmt *q, int at)
{
    return sqlite3_column_type(q, at) == SQLITE_NULL ? (double)NAN
                                                     : sqlite3_column_double(q, at);
}

tl_status tl_store_points(tl_ctx *ctx, tl_store *s, int64_t run, tl_curve_point **out,
                          int64_t *count)
{
    tl_curve_point *point = NULL;
    sqlite3_stmt   *q     = NULL;
    size_t          n = 0, room = 0;
    bool            row;
    tl_status       rc;

    *out   = NULL;
    *count = 0;
    TL_TRY(ask(ctx, s, &q,
               "SELECT epoch, step, train_loss, train_metric, valid_loss, valid_metric,"
               " lr, seconds FROM points WHERE run = ? ORDER BY step",
               "i", run));
    for (;;) {
        TL_TRY(next_row(ctx, s, q, &row));
        if (!row) break;
        if (n == room) {
            room = room ? 2 * room : 64;
            TL_TRY(tl_realloc(ctx, room * sizeof *point, &point));
        }
        point[n++] =
            (tl_curve_point){ sqlite3_column_int64(q, 0), sqlite3_column_int64(q, 1),
                              column_real(q, 2),          column_real(q, 3),
                              column_real(q, 4),          column_real(q, 5),
                              column_real(q, 6),          column_real(q, 7),
                              (double)NAN };
    }
    *out   = point;
    *count = (int64_t)n;
    point  = NULL;
done:
    end(s, q);
    tl_free(ctx, point);
    return rc;
}

tl_status tl_store_end(tl_ctx *ctx, tl_store *s, int64_t run, const char *status,
                       const json_t *result)
{
    char         *text = result ? json_dumps(result, JSON_COMPACT) : NULL;
    sqlite3_stmt *q;
    tl_status     rc;

    rc = ask(ctx, s, &q, "UPDATE runs SET status = ?, result = ?, ended = ? WHERE id = ?",
             "ttii", status, text, tl_time_unix(), run);
    rc = finish(ctx, s, q, rc);
    free(text);
    return rc;
}

tl_status tl_store_put_blob(tl_ctx *ctx, tl_store *s, int64_t run, const char *name,
                            const void *data, size_t bytes)
{
    sqlite3_stmt *q;
    tl_status     rc;

    rc = ask(ctx, s, &q, "INSERT OR REPLACE INTO blobs VALUES(?, ?, ?)", "itb", run, name,
             data, bytes);
    return finish(ctx, s, q, rc);
}

tl_status tl_store_get_blob(tl_ctx *ctx, tl_store *s, int64_t run, const char *name,
                            void **data, size_t *bytes)
{
    sqlite3_stmt *q = NULL;
    void         *block;
    bool          row;
    tl_status     rc;

    *data  = NULL;
    *bytes = 0;
    TL_TRY(ask(ctx, s, &q, "SELECT data FROM blobs WHERE run = ? AND name = ?", "it", run,
               name));
    TL_TRY(next_row(ctx, s, q, &row));
    if (!row) goto done;
    const size_t n = (size_t)sqlite3_column_bytes(q, 0);
    TL_TRY(tl_alloc(ctx, n, &block));
    if (n) memcpy(block, sqlite3_column_blob(q, 0), n);
    *data  = block;
    *bytes = n;
done:
    end(s, q);
    return rc;
}

static const char *column_text(sqlite3_stmt *q, int at)
{
    return (const char *)sqlite3_column_text(q, at);
}

static tl_status list_one(tl_ctx *ctx, const tl_store *s, sqlite3_stmt *q, json_t *list)
{
    static const char *const name[] = { "id",     "key",     "seed", "slice",
                                        "status", "started", "ended" };
    json_t   *run = json_object(), *settings = NULL, *result = NULL;
    tl_status rc;

    TL_TRY(column_json(ctx, s, q, 7, &settings));
    TL_TRY(column_json(ctx, s, q, 8, &result));
    for (int i = 0; i < (int)TL_COUNT(name); i++) {
        const int type = sqlite3_column_type(q, i);
        json_object_set_new(run, name[i],
                            type == SQLITE_INTEGER
                                ? json_integer(sqlite3_column_int64(q, i))
                            : type == SQLITE_TEXT ? json_string(column_text(q, i))
                                                  : json_null());
    }
    json_object_set(run, "settings", settings ? settings : json_null());
    json_object_set(run, "result", result ? result : json_null());
    json_array_append(list, run);
done:
    json_decref(run);
    json_decref(settings);
    json_decref(result);
    return rc;
}

tl_status tl_store_list(tl_ctx *ctx, tl_store *s, json_t **out)
{
    sqlite3_stmt *q    = NULL;
    json_t       *list = json_array();
    bool          row;
    tl_status     rc;

    *out = NULL;
    TL_TRY(ask(ctx, s, &q,
               "SELECT id, key, seed, slice, status, started, ended, settings, result"
               " FROM runs ORDER BY id",
               ""));
    for (;;) {
        TL_TRY(next_row(ctx, s, q, &row));
        if (!row) break;
        TL_TRY(list_one(ctx, s, q, list));
    }
    *out = list;
    list = NULL;
done:
    end(s, q);
    json_decref(list);
    return rc;
}
