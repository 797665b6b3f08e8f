/* keras_classic.c -- the first network of every Keras course, in C: 784 -> 64 relu -> 32 relu ->
 * 10 softmax, Adam, categorical cross-entropy, 10 epochs.
 *     cc keras_classic.c $(pkg-config --cflags --libs tailor) && ./a.out [FOLDER-OF-IDX-FILES] */
#include <stdio.h>
#include <tailor.h>

static int on_epoch(void *user, const tailor_progress *p)
{
    (void)user;
    if (p->epoch_end)
        fprintf(stderr, "Epoch %2d/%d - loss: %.4f - accuracy: %.4f - val_accuracy: %.4f\n",
                (int)p->epoch, (int)p->epochs, p->loss, p->metric, p->valid_metric);
    return 0;
}

/* Fit, then score on the rows that were held out. */
static tailor_status learn(tailor *t, tailor_model *model, const tailor_data *data)
{
    const tailor_fit_options options = {
        .optimizer  = "adam",
        .loss       = "categorical_crossentropy",
        .epochs     = 10,
        .batch_size = 32,
        .lr         = 0.001,
        .seed       = 1,
        .settings   = (const char *const[]){ "patience=0", "augment=none", NULL },
    };
    tailor_metrics score;
    tailor_status  status = tailor_fit(t, model, data, &options, NULL);

    if (status == TAILOR_OK) status = tailor_evaluate(t, model, data, "test", &score, NULL);
    if (status == TAILOR_OK)
        printf("test accuracy %.4f, 95 %% interval [%.4f, %.4f], %lld rows\n", score.accuracy,
               score.accuracy_low, score.accuracy_high, (long long)score.rows);
    return status;
}

int main(int argc, char **argv)
{
    tailor       *t     = tailor_new();
    tailor_data  *data  = NULL;
    tailor_model *model = NULL;
    char         *text  = NULL;
    tailor_status status;

    if (!t) return TAILOR_FAILED;
    tailor_on_progress(t, on_epoch, NULL);
    status = argc > 1 ? tailor_data_open(t, argv[1], NULL, &data)
                      : tailor_data_demo(t, 6000, 1, &data);
    if (status == TAILOR_OK)
        status = tailor_model_new(t, "dense 64 relu, dense 32 relu", data, 1, &model);
    if (status == TAILOR_OK) status = tailor_model_summary(t, model, &text);
    if (status == TAILOR_OK) puts(text);
    if (status == TAILOR_OK) status = learn(t, model, data);
    if (status != TAILOR_OK) fprintf(stderr, "keras_classic: %s\n", tailor_error(t));
    tailor_text_free(t, text);
    tailor_model_free(t, model);
    tailor_data_free(t, data);
    tailor_free(t);
    return (int)status;
}
