/* live.c -- see live.h.  A browser asks again and again; nothing is pushed, so that a slow one
 * costs nothing.  Only requests that name this machine by a loopback name are answered: another
 * site's page cannot read the study by a name of its own that leads here (DNS rebinding).
 * Source: libmicrohttpd's manual.  Floor 5, app. */
#include "app/live.h"
#include "core/json.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { CONNECTIONS = 64, IDLE_S = 15, WATCHED_S = 5, GRACE_MS = 4000, STEP_MS = 50 };

struct tl_live {
    struct MHD_Daemon *daemon;
    pthread_mutex_t lock; /* of all below                                             */
    char           *page, *study, *now;
    int64_t number, given; /* of what was published last, and last fetched        */
    time_t  asked;
};

static bool is_ours(const char *host)
{
    static const char *const names[] = { "127.0.0.1", "localhost", "[::1]" };

    for (size_t i = 0; host && i < TL_COUNT(names); i++) {
        const size_t n = strlen(names[i]);
        if (strncmp(host, names[i], n) == 0 && (host[n] == 0 || host[n] == ':'))
            return true;
    }
    return false;
}

static enum MHD_Result answer(struct MHD_Connection *c, unsigned status, const char *kind,
                              const char *text)
{
    struct MHD_Response *r = MHD_create_response_from_buffer(
        strlen(text), (void *)(uintptr_t)text, MHD_RESPMEM_MUST_COPY);
    enum MHD_Result done = MHD_NO;

    if (!r) return MHD_NO;
    MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, kind);
    MHD_add_response_header(r, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    MHD_add_response_header(r, "X-Content-Type-Options", "nosniff");
    MHD_add_response_header(r, "X-Frame-Options", "DENY");
    MHD_add_response_header(r, "Cross-Origin-Resource-Policy", "same-origin");
    done = MHD_queue_response(c, status, r);
    MHD_destroy_response(r);
    return done;
}

/* {"number", "now", "page": {"verdict", "detail"} or null}: the page asks with ?after=NUMBER and
 * gets its large part only where it has changed. */
static enum MHD_Result answer_study(tl_live *live, struct MHD_Connection *c)
{
    const char *after = MHD_lookup_connection_value(c, MHD_GET_ARGUMENT_KIND, "after");
    json_t     *now   = json_string(live->now ? live->now : "");
    char       *line  = now ? json_dumps(now, JSON_ENCODE_ANY) : NULL;
    const bool  known = after && live->study && strtoll(after, NULL, 10) == live->number;
    char       *text  = NULL;
    enum MHD_Result done = MHD_NO;

    if (line &&
        asprintf(&text, "{\"number\":%" PRId64 ",\"now\":%s,\"page\":%s}", live->number,
                 line, known || !live->study ? "null" : live->study) >= 0) {
        done        = answer(c, MHD_HTTP_OK, "application/json", text);
        live->given = live->number;
        free(text);
    }
    free(line);
    json_decref(now);
    return done;
}

static enum MHD_Result on_request(void *user, struct MHD_Connection *c, const char *url,
                                  const char *method, const char *version,
                                  const char *data, size_t *bytes, void **state)
{
    static const char plain[] = "text/plain; charset=utf-8";
    tl_live          *live    = user;
    const char       *host =
        MHD_lookup_connection_value(c, MHD_HEADER_KIND, MHD_HTTP_HEADER_HOST);
    enum MHD_Result done;

    (void)version, (void)data, (void)bytes, (void)state;
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 &&
        strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
        return answer(c, MHD_HTTP_METHOD_NOT_ALLOWED, plain, "only GET is answered\n");
    if (!is_ours(host))
        return answer(c, MHD_HTTP_FORBIDDEN, plain,
                      "only 127.0.0.1 and localhost are answered\n");
    pthread_mutex_lock(&live->lock);
    live->asked = time(NULL);
    if (strcmp(url, "/") == 0)
        done = answer(c, MHD_HTTP_OK, "text/html; charset=utf-8", live->page);
    else if (strcmp(url, "/study.json") == 0)
        done = answer_study(live, c);
    else
        done = answer(c, MHD_HTTP_NOT_FOUND, plain, "there are / and /study.json\n");
    pthread_mutex_unlock(&live->lock);
    return done;
}

static struct MHD_Daemon *listen_on(tl_live *live, int64_t port)
{
    struct sockaddr_in at = { .sin_family      = AF_INET,
                              .sin_port        = htons((uint16_t)port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

    return MHD_start_daemon(
        MHD_USE_AUTO | MHD_USE_INTERNAL_POLLING_THREAD, (uint16_t)port, NULL, NULL,
        on_request, live, MHD_OPTION_SOCK_ADDR, (struct sockaddr *)&at,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)IDLE_S, MHD_OPTION_END);
}

tl_status tl_live_start(tl_ctx *ctx, int64_t port, const char *page, tl_live **out)
{
    tl_live  *live = NULL;
    tl_status rc;

    *out = NULL;
    if (port < 0 || port > 65535)
        TL_FAIL(TL_EUSAGE, "--serve", "%" PRId64 " is no port (0 to 65535)", port);
    TL_TRY(tl_alloc(ctx, sizeof *live, &live));
    pthread_mutex_init(&live->lock, NULL);
    live->page   = strdup(page);
    live->daemon = live->page ? listen_on(live, port) : NULL;
    if (!live->daemon) {
        rc = tl_fail(ctx, TL_EFAIL, "--serve",
                     "port %" PRId64
                     " cannot be listened on (choose another; 0: a free one)",
                     port);
        pthread_mutex_destroy(&live->lock);
        free(live->page);
        goto done;
    }
    *out = live;
    live = NULL;
done:
    tl_free(ctx, live);
    return rc;
}

int tl_live_port(const tl_live *live)
{
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(live->daemon, MHD_DAEMON_INFO_BIND_PORT);

    return info ? info->port : 0;
}

static void replace(tl_live *live, char **text, const char *with)
{
    char *copy = strdup(with);

    if (!copy) return; /* the old one is shown on */
    pthread_mutex_lock(&live->lock);
    free(*text);
    *text = copy;
    live->number += text == &live->study;
    pthread_mutex_unlock(&live->lock);
}

void tl_live_publish(tl_live *live, const char *study)
{
    replace(live, &live->study, study);
}

void tl_live_now(tl_live *live, const char *line)
{
    replace(live, &live->now, line);
}

static bool is_awaited(tl_live *live)
{
    bool yes;

    pthread_mutex_lock(&live->lock);
    yes = live->given < live->number && time(NULL) - live->asked <= WATCHED_S;
    pthread_mutex_unlock(&live->lock);
    return yes;
}

void tl_live_stop(tl_ctx *ctx, tl_live *live)
{
    const struct timespec step = { 0, STEP_MS * 1000000L };

    if (!live) return;
    for (int ms = 0; ms < GRACE_MS && is_awaited(live); ms += STEP_MS)
        nanosleep(&step, NULL);
    MHD_stop_daemon(live->daemon);
    pthread_mutex_destroy(&live->lock);
    free(live->page);
    free(live->study);
    free(live->now);
    tl_free(ctx, live);
}
