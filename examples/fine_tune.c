/* fine_tune.c -- load a pretrained network, fine-tune it on a folder of pictures, score it, save
 * it and ask it about one picture.
 *     ./fine_tune BASE DATA [SAVE-TO [PICTURE]] */
#include <stdio.h>
#include <tailor.h>

static int show(void *user, const char *json)
{
    (void)user;
    return puts(json) < 0;
}

static int on_epoch(void *user, const tailor_progress *p)
{
    (void)user;
    if (p->epoch_end)
        fprintf(stderr, "epoch %d of %d: loss %.4f, validation accuracy %.4f\n", (int)p->epoch,
                (int)p->epochs, p->loss, p->valid_metric);
    return 0;
}

static tailor_status fine_tune(tailor *t, tailor_model *model, const tailor_data *data)
{
    const tailor_fit_options options = { .route = "full", .epochs = 3, .seed = 1 };
    tailor_metrics           score;
    tailor_status            status = tailor_fit(t, model, data, &options, NULL);

    if (status == TAILOR_OK) status = tailor_evaluate(t, model, data, NULL, &score, NULL);
    if (status == TAILOR_OK)
        printf("accuracy %.4f [%.4f, %.4f], macro-F1 %.4f [%.4f, %.4f]\n", score.accuracy,
               score.accuracy_low, score.accuracy_high, score.macro_f1, score.macro_f1_low,
               score.macro_f1_high);
    return status;
}

int main(int argc, char **argv)
{
    tailor       *t     = tailor_new();
    tailor_data  *data  = NULL;
    tailor_model *model = NULL;
    tailor_status status;

    if (!t || argc < 3) {
        fprintf(stderr, "usage: fine_tune BASE DATA [SAVE-TO [PICTURE]]\n");
        return TAILOR_USAGE;
    }
    tailor_on_progress(t, on_epoch, NULL);
    status = tailor_model_open(t, argv[1], NULL, &model);
    if (status == TAILOR_OK) status = tailor_data_open(t, argv[2], NULL, &data);
    if (status == TAILOR_OK) status = fine_tune(t, model, data);
    if (status == TAILOR_OK && argc > 3) status = tailor_model_save(t, model, argv[3]);
    if (status == TAILOR_OK && argc > 4)
        status = tailor_predict(t, model, (const char *const *)&argv[4], 1, show, NULL);
    if (status != TAILOR_OK) fprintf(stderr, "fine_tune: %s\n", tailor_error(t));
    tailor_model_free(t, model);
    tailor_data_free(t, data);
    tailor_free(t);
    return (int)status;
}
