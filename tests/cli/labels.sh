# Several labels a row, ranks, and numbers told by texts: from their columns to the verdict.
. "$(dirname "$0")/../support/tap.sh"
export TAILOR_THREADS=1
awk 'BEGIN { srand(3); n = split("food staff price", label); split("soup waiter bill", word)
    fillers = split("a the we they very quite some other old new there again today once", filler)
    print "text,labels" >"bars.csv"; print "text,food,staff,price" >"columns.csv"
    print "text,score" >"scores.csv"
    for (i = 0; i < 360; i++) {
        text = "it was"; for (k = 0; k < 5; k++) text = text " " filler[1 + int(rand() * fillers)]
        bars = list = columns = ""; count = 0
        for (k = 1; k <= n; k++) {
            on = rand() < 0.4; columns = columns "," on
            if (!on) continue
            text = text " " word[k]; bars = bars (bars == "" ? "" : "|") label[k]; count++
            list = list (list == "" ? "" : ",") "\"" label[k] "\""
        }
        print text "," bars >"bars.csv"; print text columns >"columns.csv"
        print "{\"text\": \"" text "\", \"labels\": [" list "]}" >"lists.jsonl"
        printf "%s,%.2f\n", text, 1.5 * count + rand() / 4 >"scores.csv"
    }
    print "x,y,grade,hot,wet" >"table.csv"; split("low medium high top", grade)
    for (i = 0; i < 400; i++) {
        x = rand() * 4 - 2; y = rand() * 4 - 2; s = x + y + rand() - 0.5
        printf "%.3f,%.3f,%s,%d,%d\n", x, y, grade[1 + (s > -1.2) + (s > 0) + (s > 1.2)], (x > 0.2), (y > 0.4) >"table.csv"
    }
}'
number() { tr -d '\n ' <"$1" | grep -oE "\"$2\":[{\"a-z:]*-?[0-9.]+" | head -n 1 | grep -oE -- '-?[0-9.]+$'; }
above() { awk -v a="$(number "$1" "$2")" -v b="$3" 'BEGIN { exit !(a > b) }'; }
below() { awk -v a="$(number "$1" "$2")" -v b="$3" 'BEGIN { exit !(a != "" && a < b) }'; }

# One question in three forms gives one model.
run train bars.csv --route baseline --out bars
ok cells_with_bars eval 'is_status 0 && grep -q micro-f1 out'
run train lists.jsonl --route baseline --out lists
ok cells_with_lists is_status 0
run train columns.csv --label food,staff,price --route baseline --out columns
ok a_column_for_each is_status 0
ok problem_type_is_transformers grep -q '"problem_type": "multi_label_classification"' bars/best/config.json
ok thresholds_travel grep -q '"thresholds"' bars/best/tailor.json
ok bars_and_lists_are_one cmp bars/best/model.safetensors lists/best/model.safetensors
run evaluate bars/best bars.csv --json
ok every_label_is_found eval 'is_status 0 && above out micro_f1 0.95 && above out macro_f1 0.95 && above out map 0.95'
printf 'text\nit was very soup bill again\nit was once there\n' >new.csv
run predict bars/best new.csv
ok says_labels_and_probabilities eval 'is_status 0 && head -n 1 out | grep -q "\"labels\":\[\"food\",\"price\"\]" && tail -n 1 out | grep -q "\"labels\":\[\]" && grep -q "\"scores\":" out'
run evaluate columns/best columns.csv --json
ok columns_name_the_labels eval 'is_status 0 && above out micro_f1 0.95 && prints "\"class\": \"food\""'
run inspect bars.csv --json
ok inspect_counts_labels eval 'is_status 0 && prints food && prints "text-multi-label-classification"'
run inspect table.csv --target hot --json
ok inspect_looks_for_wrong_labels eval 'is_status 0 && prints "\"labels\": {"'
run inspect table.csv --target hot --json --skip-labels
ok inspect_may_leave_that_out eval 'is_status 0 && prints "\"labels\": null"'
run compare bars.csv --arch bert-tiny --routes baseline,scratch --epochs 1 --set least_steps=0 --seeds 1 --folds 2 --budget 2m --out study
ok compare_of_labels eval 'is_status 0 && grep -q micro-f1 out && grep -q "logistic regression of each label" study/verdict.json'
tr -d '\n ' <study/verdict.json | grep -oE '"winner":.*"runner_up"' >winner
run evaluate study/best bars.csv --json
ok best_scores_what_the_verdict_says eval '[ -n "$(number winner test)" ] && [ "$(printf %.6f "$(number out micro_f1)")" = "$(printf %.6f "$(number winner test)")" ]'

# Rows of tables: trees and networks.
run train table.csv --target hot,wet --route baseline --out trees
run evaluate trees/best table.csv --json
ok trees_of_two_labels eval 'is_status 0 && above out micro_f1 0.9'
run train table.csv --target hot,wet --arch mlp --epochs 10 --out mlp
run evaluate mlp/best table.csv --json
ok networks_of_labels eval 'is_status 0 && above out micro_f1 0.85'

# Ranks.
ranks=(table.csv --target grade --task ordinal --order low,medium,high,top)
run train "${ranks[@]}" --route baseline --out grades
run evaluate grades/best table.csv --json
ok trees_of_ranks eval 'is_status 0 && above out qwk 0.8 && below out mae 0.5 && prints "\"accuracy\""'
run train "${ranks[@]}" --arch mlp --epochs 12 --out ranked
run evaluate ranked/best table.csv --json
ok networks_of_ranks eval 'is_status 0 && above out qwk 0.8'
printf 'x,y,hot,wet\n-1.9,-1.9,0,0\n1.9,1.9,1,1\n' >ends.csv
run predict ranked/best ends.csv
ok ranks_in_their_order eval 'is_status 0 && head -n 1 out | grep -q "\"label\":\"low\"" && tail -n 1 out | grep -q "\"label\":\"top\"" && grep -oE "\"label\":\"[a-z]+\"" out | sed -n 2,5p | tr "\n" " " | grep -q "low.*medium.*high.*top"'
run compare "${ranks[@]}" --routes baseline,scratch --arch mlp --epochs 2 --seeds 2 --folds 2 --budget 2m --out graded
ok compare_of_ranks eval 'is_status 0 && grep -q "mae on test rows" out'
run evaluate graded/best table.csv --json
tr -d '\n ' <graded/verdict.json | grep -oE '"winner":.*"runner_up"' >winner
ok best_of_ranks_scores_what_the_verdict_says eval '[ "$(printf %.6f "$(number out mae)")" = "$(printf %.6f "$(number winner test)")" ]'

# Numbers told by texts.
run train scores.csv --route baseline --out scores
ok fractions_are_numbers eval 'is_status 0 && grep -q rmse out'
run evaluate scores/best scores.csv --json
ok ridge_learns eval 'is_status 0 && above out r2 0.8'
run train scores.csv --arch bert-tiny --epochs 1 --out told
ok networks_tell_numbers eval 'is_status 0 && grep -q "\"problem_type\": \"regression\"" told/best/config.json'
run train scores.csv --base told/best --route probe --out probed
run evaluate probed/best scores.csv --json
ok probe_of_numbers eval 'is_status 0 && above out r2 0.1'
run predict probed/best new.csv
ok says_a_value eval 'is_status 0 && prints "\"value\":-?[0-9]"'

# What cannot be meant is said.
run train "${ranks[@]:0:5}" --route baseline
ok ranks_without_order fails_with 2 '^tailor: --task: the rank "[a-z]+" is no number'
run train "${ranks[@]:0:5}" --order low,high --route baseline
ok rank_not_named fails_with 2 '^tailor: --order: does not name the rank'
run train table.csv --target hot,wet --task regression --route baseline
ok columns_are_no_number fails_with 2 '^tailor: --task: several columns'
run train table.csv --target hot,cold --route baseline
ok label_column_missing fails_with 2 'no column "hot,cold"'
run train table.csv --target hot,x --route baseline
ok neither_yes_nor_no fails_with 3 'neither 0 nor 1'
printf 'text,labels\nabc def ghi jkl,"[""a""]"\nabc def ghi jkm,"[1.5]"\n' >bad.csv
run train bad.csv --text text --label labels --task multi-label --route baseline
ok no_list_of_labels fails_with 3 'no JSON list of labels'
run train bars.csv --arch bert-tiny --label-smoothing 0.1
ok no_smoothing_of_labels fails_with 2 'are for one class of several'
run train bars.csv --task kind
ok unknown_task fails_with 2 -- '--task'
finish
