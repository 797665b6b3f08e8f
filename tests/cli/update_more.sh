# Updates beyond grey digits: a class the model does not know, numbers and classes of tables, texts.
. "$(dirname "$0")/../support/tap.sh"
unset TAILOR_DATA # it would be --data
export TAILOR_THREADS=2
number() { tr -d '\n ' <"$1" | grep -oE "\"$2\":[{\"a-z:]*[0-9.]+" | head -n 1 | grep -oE '[0-9.]+$'; }
winner() { tr -d '\n ' <"$1/verdict.json" | grep -oE '"winner":.*"runner_up"' >winner; number winner test; }
told() { grep -v "^$" out | head -n 1 | grep -qE "^(Keep|Fine-tune|Retrain) the model"; }
agrees() { # FOLDER DATA METRIC: best/ scores what the verdict says, in a new process
    run evaluate "$1/best" "$2" --json
    [ -n "$(winner "$1")" ] && [ "$(printf %.6f "$(number out "$3")")" = "$(printf %.6f "$(winner "$1")")" ]
}
short=(--seeds 3 --budget 5m --set least_steps=40 --quiet)

digits 200 150 old png || exit 1
rm -r old/*/9
"$BUILD/tailor-strokes" digits 2 200 150 new png
run train old --arch 'conv 8 3 relu, pool 2, dense 32 relu' --epochs 20 --quiet --out use
ok a_model_of_nine_classes is_status 0
run update use/best --data new --old old --dry-run
ok a_new_class_is_said says 'own 9, and 1 new: 9'
run update use/best --data new --old old --routes replay --metric accuracy --epochs 20 --lr 0.003 "${short[@]}" --out study
ok updates_to_ten_classes eval 'is_status 0 && told && grep -q "\"classes\": 10" study/verdict.json'
ok the_new_class_is_in_the_labels eval '[ "$(tr -d "\n " <study/best/tailor.json | grep -oE "\"labels\":\[[^]]*\]")" = "\"labels\":[\"0\",\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\"]" ]'
ok the_model_of_ten_scores_the_same agrees study new accuracy
run train new --arch 'conv 8 3 relu, pool 2, dense 32 relu' --epochs 2 --seed 5 --quiet --out origin
run update use/best --data new --old old --routes full --base origin/best --metric accuracy --epochs 3 --lr 0.003 "${short[@]}" --out base-study
ok retrains_from_a_base eval 'is_status 0 && [ "$(tr -d "\n " <base-study/verdict.json | grep -oE "\"route\":\"full\",\"base\":\"origin/best\"" | head -n 1 | wc -l)" = 1 ]'
mkdir -p alien/train && cp -r new/train/1 alien/train/cat && cp -r new/train/2 alien/train/dog
run update use/best --data alien --out no
ok another_task_is_refused fails_with 3 'has none of the model.s classes'

table() { # FIRST LAST KIND DRIFT
    awk -v first="$1" -v last="$2" -v kind="$3" -v drift="$4" 'BEGIN {
        print "x,colour,y"
        split("red green blue", colour, " ")
        for (i = first; i <= last; i++) {
            x = (i * 37 % 101) / 10 - 5; c = i * 7 % 3
            printf "%s,%s,", x + i / 100000, colour[c + 1]
            if (kind == "numbers") printf "%.3f\n", 3 * x + 10 * c + drift + (i * 13 % 7) / 10
            else print (x + 2 * c > 2 + drift ? "high" : "low")
        }
    }'
}
for kind in classes numbers; do
    table 1 700 $kind 0 >$kind-old.csv
    table 701 1400 $kind 4 >$kind-new.csv
    [ $kind = classes ] && metric=accuracy || metric=rmse
    run train $kind-old.csv --arch mlp:32 --epochs 25 --quiet --out $kind
    ok "a_model_of_$kind" is_status 0
    run update $kind/best --data $kind-new.csv --old $kind-old.csv --routes full --forget 1000 \
        --epochs 25 --lr 0.01 "${short[@]}" --out $kind-study
    ok "${kind}_of_a_table_are_updated" eval 'is_status 0 && told'
    ok "${kind}_are_fine_tuned" grep -q '"decision": "fine-tune"' $kind-study/verdict.json
    ok "${kind}_score_the_same" agrees $kind-study $kind-new.csv $metric
done
run update numbers/best --data new --out no2
ok pictures_for_a_table_are_refused eval '[ "$status" -eq 3 ] && one_line'
run train classes-old.csv --route baseline --quiet --out trees
run update trees/best --data classes-new.csv --out no3
ok trees_cannot_go_on eval 'fails_with 2 "cannot go on learning"'

texts() { # FILE N SEED GOOD BAD
    awk -v n="$2" -v seed="$3" -v good="$4" -v bad="$5" 'BEGIN { srand(seed); print "text,label"
        for (i = 0; i < n; i++) { p = int(2 * rand())
            printf "\"number %d was a %s film\",%s\n", i, p ? good : bad, p ? "good" : "bad" } }' >"$1"
}
mkdir said saying
texts said/train.csv 300 1 fine dull && texts said/test.csv 100 2 fine dull
texts saying/train.csv 300 3 lovely awful && texts saying/test.csv 100 4 lovely awful
run train said --arch bert:1x64 --epochs 10 --lr 0.002 --quiet --out review
ok a_model_of_texts is_status 0
run update review/best --data saying --old said --routes full,replay --epochs 10 --lr 0.002 "${short[@]}" --out text-study
ok texts_are_updated eval 'is_status 0 && told'
ok texts_score_the_same agrees text-study saying accuracy
finish
