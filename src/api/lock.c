/* lock.c -- one process at a time in a run's folder.  The lock is the kernel's (flock(2)), so
 * that a killed process leaves none behind.  Floor 4.5, api. */
#include "api/handles.h"
#include "core/text.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

tl_status tl_lock_take(tl_ctx *ctx, const char *folder, tl_lock *out)
{
    tl_text   path = tl_text_make(ctx);
    int       fd   = -1;
    tl_status rc;

    out->fd = -1;
    tl_text_printf(&path, "%s/.lock", folder);
    TL_TRY(path.status);
    fd = open(path.text, O_CREAT | O_RDWR | O_CLOEXEC, 0644);
    if (fd < 0)
        TL_FAIL(errno == ENOSPC ? TL_ENOSPC : TL_EIO, path.text,
                "%s (choose another --out)", strerror(errno));
    if (flock(fd, LOCK_EX | LOCK_NB) != 0)
        TL_FAIL(TL_EFAIL, folder,
                "another process is running in it (wait, or choose another --out)");
    out->fd = fd;
    fd      = -1;
done:
    if (fd >= 0) close(fd);
    tl_text_free(&path);
    return rc;
}

void tl_lock_drop(tl_lock *lock)
{
    if (lock->fd >= 0) close(lock->fd);
    lock->fd = -1;
}
