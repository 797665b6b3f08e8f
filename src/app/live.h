/* live.h -- a page of the running study for a browser on this machine: HTTP on the loopback
 * interface only, two paths, nothing to change.  Floor 5, app. */
#ifndef TL_APP_LIVE_H
#define TL_APP_LIVE_H
#include "core/core.h"

typedef struct tl_live tl_live;
/* Serves `page` (HTML, copied) at http://127.0.0.1:PORT/ and what is published last at
 * /study.json, until stopped.  Port 0: any free one.  TL_EFAIL: the port is taken. */
tl_status tl_live_start(tl_ctx *ctx, int64_t port, const char *page, tl_live **out);
int       tl_live_port(const tl_live *live);
/* What /study.json answers from now on; copied.  May be called from any one thread. */
void tl_live_publish(tl_live *live, const char *study);
/* The line that says what is being done, part of the same answer. */
void tl_live_now(tl_live *live, const char *line);
/* Waits, where a browser is looking on, until it has fetched what was published last, for a few
 * seconds at most; then ends.  NULL is fine. */
void tl_live_stop(tl_ctx *ctx, tl_live *live);
#endif
