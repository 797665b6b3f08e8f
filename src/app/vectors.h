/* vectors.h -- what `tailor predict --embed` gives: a JSON line a text, or one array of NumPy's.
 * Floor 5, app. */
#ifndef TL_APP_VECTORS_H
#define TL_APP_VECTORS_H
#include "app/app.h"

typedef struct {
    tl_app     *app;
    bool        wanted;     /* --embed or --npy                                              */
    const char *file;       /* of --npy; NULL: lines on stdout                               */
    tailor_embedding how;
    float      *value;      /* [rows width] for the file; owned                              */
    int64_t     rows, width, room;
    tl_status   rc;         /* of what could not be kept                                     */
} tl_vectors;

/* As the options say.  TL_EUSAGE: --pooling or --normalize without one of the two. */
tl_status tl_vectors_open(tl_app *app, tl_vectors *out);
/* Texts of files, or texts as they are. */
tl_status tl_vectors_ask(tl_vectors *v, const tailor_model *model, char *const *list,
                         size_t count, bool paths);
/* Writes the file, whole. */
tl_status tl_vectors_end(tl_vectors *v);
void      tl_vectors_free(tl_vectors *v);
#endif
