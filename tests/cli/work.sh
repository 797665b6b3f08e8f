# Train, evaluate, predict, runs, show, resume on the project's own pictures.
. "$(dirname "$0")/../support/tap.sh"
digits 600 100 data || exit 1
digits 20 20 pictures png || exit 1
export TAILOR_THREADS=2

run inspect data --json
ok inspect_as_json eval 'is_status 0 && prints "\"rows\": 700"'
cp -r pictures spoiled
first=$(find spoiled/train -name '*.png' | sort | head -n 1)
cp "$first" "$(dirname "$first")/twin.png"
cp "$first" "$(find spoiled/test -name '*.png' | sort | head -n 1)"
echo no picture >"$(find spoiled/train -name '*.png' | sort | tail -n 1)"
run inspect spoiled --json
ok inspect_counts_the_unreadable eval 'is_status 0 && tr -d "\n " <out | grep -q "\"unreadable\":{\"rows\":1,"'
run inspect spoiled
ok inspect_lists_duplicates_and_leaks eval 'is_status 0 && prints "^  unreadable  1$" && prints "^  duplicates  2 copies in 1 group," && prints "^  leaks       1 train to test" && prints "= .*twin.png" && prints "^  leaks: "'
run train spoiled --arch 'dense 4 relu'
ok train_refuses_the_unreadable fails_with 3 'skip-bad'
run train data --arch 'dense 32 relu' --epochs 8 --lr 0.003 --batch-size 32 --out run --json
cp out train.json
ok train_ends_well eval 'is_status 0 && prints "\"test\"" && prints "\"ci95\""'
ok train_says_its_first_line eval 'says "^tailor train: "'
ok train_shows_keras_words eval 'says "Epoch [0-9]+/[0-9]+" && says "loss: " && says "val_accuracy: "'
ok train_writes_the_files eval '[ -s run/best/model.safetensors ] && [ -s run/best/config.json ] && [ -s run/best/tailor.json ] && [ -s run/runs.db ] && [ -d run/events ]'
ok no_part_files_are_left eval '! find run -name "*.part*" | grep -q .'

run evaluate run/best data --json
ok evaluate_scores eval 'is_status 0 && prints "\"split\": \"test\"" && prints "\"rows\": 100" && prints "\"confusion\""'
accuracy() { tr -d '\n ' <"$1" | grep -oE "\"$2\":\{\"(value|mean)\":[0-9.]+" | grep -oE '[0-9.]+$'; }
ok new_process_scores_the_same eval '[ "$(accuracy out accuracy)" = "$(accuracy train.json test)" ]'
ok it_learned eval 'awk "BEGIN { exit !($(accuracy out accuracy) > 0.5) }"'
run evaluate run/best data --split all --json
ok evaluate_all eval 'prints "\"rows\": 700"'
run evaluate run/best data
ok evaluate_for_people eval 'prints "^accuracy +0\.[0-9]+ +95 % interval" && prints "^macro-F1 +0\.[0-9]+ .*interval" && prints "precision +recall"'

# The labels are the model's: where classes are missing they are not numbered anew.
mkdir some && cp -r pictures/train/3 pictures/train/7 some/
run predict run/best some
said=$(grep -cE '"input":"some/([37])/[^"]*","label":"\1"' out)
run evaluate run/best some --split all --json
ok labels_are_the_models eval 'is_status 0 && awk -v v="$(accuracy out accuracy)" -v s="$said" -v n="$(find some -name "*.png" | wc -l)" "BEGIN { exit !(n > 0 && (v - s / n)^2 < 1e-12) }"'

picture=$(find pictures/test -name '*.png' | sort | head -n 1)
run predict run/best "$picture"
ok predict_one eval 'is_status 0 && [ "$(wc -l <out)" -eq 1 ] && prints "^\{\"input\":\"$picture\",\"label\":\"[0-9]\",\"score\":[0-9.e-]+,\"top5\":\["'
run predict run/best pictures/test
ok predict_folder eval 'is_status 0 && [ "$(wc -l <out)" -eq 20 ]'
find pictures/test -name '*.png' | sort | "$TAILOR" predict run/best - >piped 2>err; status=$?
sort out >a; sort piped >b
ok predict_list_from_stdin eval 'is_status 0 && cmp -s a b'
echo not a picture >bad.png
run predict run/best "$picture" bad.png "$picture"
ok predict_goes_on_after_a_bad_one eval 'is_status 3 && [ "$(wc -l <out)" -eq 3 ] && prints "\"input\":\"bad.png\",\"error\":" && one_line'
run predict run/best ./nothing-here
ok predict_missing_file is_status 3
run predict pictures "$picture"
ok predict_without_a_model fails_with 3 '^tailor: pictures'
run predict run "$picture"
ok predict_with_a_runs_folder fails_with 3 '^tailor: run: .*its model: run/best'
mkdir cased && for end in PNG Png pNg; do cp "$picture" "cased/ä $end.$end"; done
run predict run/best cased
ok predict_takes_endings_in_any_case eval 'is_status 0 && [ "$(wc -l <out)" -eq 3 ]'

run runs run
ok runs_lists eval 'is_status 0 && prints "finished" && prints "scratch"'
run runs run --json
ok runs_as_json eval 'is_status 0 && prints "\"finished\": true"'
run show run/1
ok show_one eval 'is_status 0 && prints "val_accuracy" && prints "^  settings  optimizer=[a-z]+ " && prints "optim.lr=0.003" && prints "valid_metric=0" && ! grep -q hyperparameters out'
run show run/9
ok show_unknown fails_with 2 'has no run 9'
run resume run
ok resume_finished_says_so eval 'is_status 0 && says "is finished"'
run train data --arch 'dense 4 relu' --out run
ok another_command_in_the_same_folder fails_with 2 'holds the runs of another command'

run train data --arch 'dense 8 relu' --epochs 1 --quiet
ok default_folder eval 'is_status 0 && [ -s tailor-runs/data-1/best/model.safetensors ] && [ ! -s err ]'
run runs
ok runs_finds_it eval 'prints "tailor-runs/data-1 +1 +finished +tailor train"'
run train data --arch 'dense 8 relu' --route full
ok route_needs_a_base fails_with 2 'full needs a pretrained model'
run train data
ok train_needs_a_network fails_with 2 '--arch'
mkdir sealed && chmod 500 sealed
if [ -w sealed ]; then skip read_only_folder "this user may write everywhere"
else
    run train data --arch 'dense 8 relu' --out sealed/run
    ok read_only_folder eval '[ $status -ne 0 ] && one_line'
fi
finish
